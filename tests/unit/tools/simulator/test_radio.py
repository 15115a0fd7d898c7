from random import Random

import pytest

from tools.simulator.radio import Radio

DATAGRAMS = [bytes((number,)) for number in range(200)]


def test_everything_gets_through_at_first():
    radio = Radio(Random(1))
    assert radio.hears()
    assert radio.pass_on(DATAGRAMS) == DATAGRAMS


def test_who_is_offline_neither_hears_nor_is_heard():
    radio = Radio(Random(1))
    radio.is_offline = True
    assert not radio.hears()
    assert list(radio.pass_on(DATAGRAMS)) == []


@pytest.mark.parametrize(("loss", "low", "high"), [(0.25, 120, 180), (1.0, 0, 0)])
def test_part_is_lost_each_way_and_the_rest_keeps_its_order(loss, low, high):
    radio = Radio(Random(1))
    radio.loss = loss
    passed = list(radio.pass_on(DATAGRAMS))
    assert low <= len(passed) <= high
    assert passed == sorted(passed)
    assert low <= sum(radio.hears() for _ in DATAGRAMS) <= high
