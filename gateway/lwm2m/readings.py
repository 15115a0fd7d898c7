"""Records as the registry keeps values: paths and values as text, instants for times."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from functools import lru_cache

from gateway.lwm2m.path import Path
from gateway.lwm2m.records import Record, absolute_time_s
from gateway.lwm2m.values import Type, Value, to_json
from registry.model import Reading

LATEST_MS = 253_402_300_799_999
"The last instant of the year 9999: later ones, and those before 1970, are no times."


def readings_of(records: Iterable[Record], received_ms: int) -> tuple[Reading, ...]:
    """What *records*, which came at *received_ms*, are as rows.

    Multiple resources without instances are none. A time that can be none is taken for the arrival.
    """
    return tuple(
        Reading(_text(path), _json(value), received_ms if time_s is None else _at_ms(time_s, received_ms))
        for path, value, type_, time_s in records
        if type_ is not Type.MULTIPLE
    )


@lru_cache(maxsize=16_384)
def _text(path: Path) -> str:
    return str(path)


def _json(value: Value) -> str:
    # What sensors send: most values are numbers, whose text is that of JSON already.
    if type(value) is int or (type(value) is float and math.isfinite(value)):
        return repr(value)
    return json.dumps(to_json(value))


def _at_ms(time_s: int | float, received_ms: int) -> int:
    instant_s = absolute_time_s(time_s, received_ms / 1000)
    return round(instant_s * 1000) if 0 <= instant_s * 1000 <= LATEST_MS else received_ms
