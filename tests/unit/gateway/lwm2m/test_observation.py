from __future__ import annotations

import pytest

from gateway.lwm2m.observation import Freshness, is_newer, silence_s


@pytest.mark.parametrize(
    ("sequence", "at_s", "expected"),
    [
        (101, 1.0, True),
        (100, 1.0, False),
        (99, 1.0, False),
        (100 + 2**23 - 1, 1.0, True),
        (100 + 2**23, 1.0, False),
        (99, 128.0, False),
        (99, 128.5, True),
    ],
)
def test_order_is_that_of_the_sequence_within_two_minutes(sequence, at_s, expected):
    assert is_newer(sequence, at_s, Freshness(100, 0.0)) is expected


def test_sequence_wraps_around():
    assert is_newer(3, 1.0, Freshness(2**24 - 1, 0.0))
    assert not is_newer(2**24 - 1, 1.0, Freshness(3, 0.0))


def test_first_notification_is_new():
    assert is_newer(0, 0.0, None)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ({"pmax": 60}, 120.0),
        ({"pmax": 60, "pmin": 60}, 120.0),
        ({"pmax": 60, "pmin": 61}, None),
        ({"pmax": 0}, None),
        ({"pmin": 5}, None),
        ({}, None),
    ],
)
def test_silence_is_measured_by_pmax(attributes, expected):
    assert silence_s(attributes) == expected
