"""Records as rows: text for paths and values, instants for times."""

from __future__ import annotations

import pytest

from gateway.lwm2m.path import parse_path
from gateway.lwm2m.readings import LATEST_MS, readings_of
from gateway.lwm2m.records import Record
from gateway.lwm2m.values import ObjectLink, Type, Value
from registry.model import Reading

NOW_MS = 1_800_000_000_250


def _read(value: Value, type_: Type, time_s: float | None = None) -> Reading:
    (reading,) = readings_of([Record(parse_path("/3/0/9"), value, type_, time_s)], NOW_MS)
    return reading


@pytest.mark.parametrize(
    ("value", "type_", "text"),
    [
        (80, Type.INTEGER, "80"),
        (2**63, Type.UNSIGNED, "9223372036854775808"),
        (21.5, Type.FLOAT, "21.5"),
        (float("nan"), Type.FLOAT, '"NaN"'),
        (True, Type.BOOLEAN, "true"),
        ('"ä', Type.STRING, '"\\"\\u00e4"'),
        (b"\x01\xff", Type.OPAQUE, '"01ff"'),
        (ObjectLink(3, 0), Type.OBJLNK, '"3:0"'),
    ],
)
def test_value_is_json(value: Value, type_: Type, text: str) -> None:
    assert _read(value, type_) == Reading("/3/0/9", text, NOW_MS)


@pytest.mark.parametrize(
    ("time_s", "at_ms"),
    [
        (None, NOW_MS),
        (1_700_000_000, 1_700_000_000_000),
        (1_700_000_000.5, 1_700_000_000_500),
        (-10, NOW_MS - 10_000),
        (LATEST_MS / 1000 + 1, NOW_MS),
        (1e300, NOW_MS),
        (-1e300, NOW_MS),
    ],
)
def test_time_is_an_instant_that_can_be_one(time_s: float | None, at_ms: int) -> None:
    assert _read(80, Type.INTEGER, time_s).at_ms == at_ms


def test_multiple_resource_without_instances_is_no_value() -> None:
    assert readings_of([Record(parse_path("/3/0/6"), (), Type.MULTIPLE)], NOW_MS) == ()
