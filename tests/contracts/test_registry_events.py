"""The data of every event is what its documentation says, field by field."""

import pytest

from registry.events import EVENT_DATA, EventType
from registry.model import ObjectList, Origin, Reading, Security
from tests.support.registry import Outcomes, Place, make_registration, register


async def history(place):
    """Make one of each."""
    place.create("n", Security.PSK)
    place.create("late", timeout_s=10)
    with place.administration() as administration:
        async with place.registry() as registry:
            outcomes = Outcomes()
            registration = await register(registry, "n")
            changed = make_registration(
                registry.find_device("n"),
                address="192.0.2.7:1",
                binding="UQ",
                lifetime_s=9,
                objects=ObjectList(),
                sms="+49",
                parameters=(("a", "b"),),
            )
            registry.change(changed, outcomes.append)
            registry.deregister(registration, outcomes.append)
            registry.refuse("n", "192.0.2.1:1", "wrong key")
            reading = Reading("/3/0/9", "80", 1_800_000_000_000)
            registry.keep_values(registration.device, [reading], Origin.SEND, outcomes.append)
            await registry.flush()
            await register(registry, "n", lifetime_s=5)
            place.clock.advance(20)
            registry.expire(place.clock.monotonic())
            registry.purge_claims(place.clock.monotonic())
            await registry.flush()
        administration.reset_secret("n")
        administration.freeze("n")
        administration.unfreeze("n")
        administration.delete("n")
        return administration.events()


async def test_data_of_every_type_is_as_documented(tmp_path):
    seen = {}
    for event in await history(Place(tmp_path)):
        seen.setdefault(event.type, event)
    assert set(seen) == set(EventType)
    for type_, event in seen.items():
        assert set(event.data) == set(EVENT_DATA[EventType(type_)]), type_


@pytest.mark.parametrize("type_", sorted(EventType))
def test_every_type_is_named_in_lower_case_with_underscores(type_):
    assert type_.replace("_", "").isalpha()
    assert type_.islower()
