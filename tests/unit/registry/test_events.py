from typing import get_args

from registry.events import EVENT_DATA, EndFact, EventType, Fact


def test_data_of_every_type_is_documented():
    assert set(EVENT_DATA) == set(EventType)
    for fields in EVENT_DATA.values():
        assert all(name.islower() and description for name, description in fields.items())


def test_ending_facts_name_the_registration_they_end():
    assert set(get_args(EndFact)) < set(get_args(Fact))
    for kind in get_args(EndFact):
        assert "registration" in kind.__dataclass_fields__
