import pytest

from gateway.lwm2m.path import parse_path
from tools.simulator.client.relations import (
    Relation,
    Rule,
    begin,
    consider,
    keep_sample,
    make_rule,
    note_change,
    tell,
)

VALUE = parse_path("/3303/0/5700")
OTHER = parse_path("/3303/0/5601")


def relation(*, path=VALUE, at=100.0, first=20.0, pmin=0.0, pmax=0.0, **attributes):
    one = Relation(b"t", (path,), None, False, None)
    one.rules = (make_rule(path, attributes, pmin, pmax),)
    begin(one, {VALUE: first}, at)
    return one


def told_at(one, values, end=400):
    """Seconds at which *values* (by second) are told, looked at whenever something changes or is due."""
    told, current = [], 20.0
    for now in range(101, end):
        if now in values:
            note_change(one, VALUE, current, values[now])
            current = values[now]
            one.due_at = now
        if one.due_at is not None and now >= one.due_at and consider(one, {VALUE: current}, float(now)):
            tell(one, {VALUE: current}, float(now))
            told.append((now, current))
    return told


def test_any_change_is_told_at_once_without_attributes():
    assert told_at(relation(), {110: 21.0, 111: 21.0, 112: 20.0}) == [(110, 21.0), (112, 20.0)]


def test_change_waits_for_pmin_and_the_newest_value_is_told():
    assert told_at(relation(pmin=30), {105: 21.0, 110: 22.0, 131: 23.0}) == [(130, 22.0), (160, 23.0)]


def test_change_that_is_taken_back_before_pmin_is_not_told():
    assert told_at(relation(pmin=30), {105: 21.0, 110: 20.0}) == []


def test_pmax_tells_without_a_change_and_counts_from_the_notification_before():
    told = told_at(relation(pmax=60), {130: 21.0})
    assert [now for now, _ in told] == [130, 190, 250, 310, 370]


@pytest.mark.parametrize("periods", [{"pmax": 0}, {"pmin": 30, "pmax": 20}])
def test_pmax_of_zero_or_below_pmin_is_none(periods):
    assert told_at(relation(**periods), {}) == []


def test_attribute_goes_before_the_default_of_the_server():
    one = Relation(b"t", (VALUE,), None, False, None)
    one.rules = (make_rule(VALUE, {"pmin": 5, "pmax": 50}, 30.0, 300.0),)
    assert one.rules == (Rule(VALUE, 5.0, 50.0),)


@pytest.mark.parametrize(
    ("attributes", "values", "told"),
    [
        ({"gt": 25.0}, [24, 26, 30, 25, 24], [26, 25]),
        ({"lt": 15.0}, [16, 14, 10, 15, 16], [14, 15]),
        ({"st": 3.0}, [22, 23, 25, 26, 20], [23, 26, 20]),
        ({"gt": 45.0, "st": 10.0}, [25, 31, 46, 50], [31, 46]),
        ({"gt": 25.0, "lt": 15.0}, [26, 14, 20], [26, 14, 20]),
    ],
)
def test_value_is_told_that_crosses_a_threshold_or_takes_a_step(attributes, values, told):
    timeline = {110 + 2 * number: float(one) for number, one in enumerate(values)}
    assert [one for _, one in told_at(relation(**attributes), timeline)] == told


@pytest.mark.parametrize(("edge", "times"), [(1, [110, 130]), (0, [120, 140])])
def test_edge_tells_one_direction_of_a_boolean(edge, times):
    values = {110: True, 120: False, 130: True, 140: False}
    told = told_at(relation(edge=edge, first=False), values)
    assert [now for now, _ in told] == times


def test_edge_is_told_after_pmin_even_if_the_value_went_back():
    told = told_at(relation(edge=1, first=False, pmin=30), {105: True, 106: False})
    assert told == [(130, False)]


def test_epmin_puts_off_looking_at_the_conditions():
    told = told_at(relation(st=5.0, epmin=20), {105: 30.0, 110: 20.0, 112: 40.0})
    assert told == [(120, 40.0)]


def test_text_has_neither_thresholds_nor_steps():
    one = relation(first="a", st=1.0)
    assert not consider(one, {VALUE: "b"}, 101.0)


def test_composite_is_due_when_one_of_its_paths_is():
    one = Relation(b"t", (VALUE, OTHER), None, True, None)
    one.rules = (make_rule(VALUE, {"pmin": 50}, 0, 0), make_rule(OTHER, {}, 0, 0))
    begin(one, {VALUE: 1.0, OTHER: 1.0}, 0.0)
    assert not consider(one, {VALUE: 2.0, OTHER: 1.0}, 10.0)
    assert one.due_at == 50.0
    assert consider(one, {VALUE: 2.0, OTHER: 3.0}, 11.0)


def test_sequence_numbers_grow_and_wrap():
    one = relation()
    one.sequence = 0xFFFFFE
    assert [tell(one, {}, 0.0) for _ in range(3)] == [0xFFFFFF, 0, 1]


def test_samples_beyond_hqmax_push_the_oldest_out():
    one = relation(hqmax=2)
    for now in (1.0, 2.0, 3.0):
        keep_sample(one, (), {VALUE: now}, now)
    assert [sample.at for sample in one.samples] == [2.0, 3.0]
    assert one.is_behind


def test_confirmable_is_what_one_component_wants():
    one = Relation(b"t", (VALUE, OTHER), None, True, None)
    one.rules = (make_rule(VALUE, {}, 0, 0), make_rule(OTHER, {"con": 1}, 0, 0))
    assert one.is_confirmable
    assert one.concerns(VALUE.up_to(2))
    assert not one.concerns(parse_path("/3/0"))
