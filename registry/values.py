"""Values that devices reported: the latest of each path, and a bounded history (rows, no protocol).

A value is JSON text. The history of a path is a ring: the slot of the newest is known from its number, so
that nothing has to be looked for or deleted.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence

from registry.model import Origin, Reading, ReportedValue
from registry.timestamps import format_ms

DELETE = "DELETE FROM value WHERE device = ?"
DELETE_HISTORY = "DELETE FROM value_history WHERE device = ?"

_PUT = (
    "INSERT INTO value (device, path, value, at_ms, origin, count) VALUES (?, ?, ?, ?, ?, 1)"
    " ON CONFLICT (device, path) DO UPDATE SET count = count + 1,"
    " value = iif(excluded.at_ms >= at_ms, excluded.value, value),"
    " origin = iif(excluded.at_ms >= at_ms, excluded.origin, origin),"
    " at_ms = max(excluded.at_ms, at_ms)"
    " RETURNING count"
)
_REMEMBER = (
    "INSERT OR REPLACE INTO value_history (device, path, slot, number, value, at_ms, origin)"
    " VALUES (?, ?, ?, ?, ?, ?, ?)"
)


def put(
    connection: sqlite3.Connection, device: int, readings: Iterable[Reading], origin: Origin, history: int
) -> None:
    """Add *readings* in their order; an older one than the latest of its path goes to the history only.

    The last *history* of a path are kept.
    """
    execute = connection.execute
    for path, value, at_ms in readings:
        (count,) = execute(_PUT, (device, path, value, at_ms, origin)).fetchone()
        execute(_REMEMBER, (device, path, count % history, count, value, at_ms, origin))


def forget(connection: sqlite3.Connection, device: int) -> None:
    """Delete all values of *device*."""
    connection.execute(DELETE, (device,))
    connection.execute(DELETE_HISTORY, (device,))


def read_latest(connection: sqlite3.Connection, device: int, path: str = "/") -> list[ReportedValue]:
    """The latest value of each path at or below *path*, in the order of the paths."""
    rows = connection.execute("SELECT path, value, at_ms, origin FROM value WHERE device = ?", (device,))
    return sorted(_within(rows, path), key=lambda row: _ids(row.path))


def read_history(
    connection: sqlite3.Connection, device: int, path: str = "/", history: int = 100
) -> list[ReportedValue]:
    """The last *history* values of each path at or below *path*, by path, the oldest first."""
    rows = connection.execute(
        "SELECT h.path, h.value, h.at_ms, h.origin FROM value_history AS h"
        " JOIN value AS v ON v.device = h.device AND v.path = h.path"
        " WHERE h.device = ? AND h.number > v.count - ? ORDER BY h.at_ms, h.number",
        (device, history),
    )
    return sorted(_within(rows, path), key=lambda row: _ids(row.path))


def encode_event(readings: Sequence[Reading], origin: Origin) -> str:
    """Data of `values_reported`."""
    times = {at_ms: format_ms(at_ms) for at_ms in {reading.at_ms for reading in readings}}
    values = ",".join(
        f'{{"path":"{path}","value":{value},"time":"{times[at_ms]}"}}' for path, value, at_ms in readings
    )
    return f'{{"origin":"{origin.value}","values":[{values}]}}'


def _within(rows: Iterable[tuple[str, str, int, str]], path: str) -> Iterable[ReportedValue]:
    below = path.rstrip("/") + "/"
    for each, value, at_ms, origin in rows:
        if f"{each}/".startswith(below):
            yield ReportedValue(each, json.loads(value), at_ms, Origin(origin))


def _ids(path: str) -> list[int]:
    return [int(each) for each in path.split("/") if each]
