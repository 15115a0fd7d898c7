"""Events as rows, committed in the transaction of the change they tell of.

Data is stored short: what the row's other columns or the shared object list say is put in when it is read.
The last row is never pruned, so that an id is never given twice.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from json.encoder import encode_basestring_ascii as quote

from registry.events import EventType
from registry.model import EventRow, Registration
from registry.registrations import decode_objects
from registry.shapes import describe_objects
from registry.timestamps import format_ms

PRUNE_CHUNK = 500

_INSERT = (
    "INSERT INTO event (at_ms, type, device_id, node_id, data, objects, source) VALUES (?, ?, ?, ?, ?, ?, ?)"
)


class Source(IntEnum):
    """Who committed the event; the gateway's change feed passes over its own."""

    GATEWAY = 0
    ADMINISTRATION = 1


Row = tuple[int, str, str | None, str, str, int | None, int]
"Parameters of one event: at_ms, type, device_id, node_id, data, objects, source."


def append(connection: sqlite3.Connection, rows: Iterable[Row]) -> None:
    """Add *rows* inside the caller's transaction."""
    connection.executemany(_INSERT, rows)


def row_of_administration(
    type_: EventType, at_ms: int, device_id: str, node_id: str, data: dict[str, object] | None = None
) -> Row:
    """An event that a command causes; the gateway's change feed will find it."""
    return at_ms, type_.value, device_id, node_id, json.dumps(data or {}), None, int(Source.ADMINISTRATION)


def encode_registered(registration: Registration) -> str:
    """Data of `registered`, without what `read` puts in. Written out, because every Register pays for it."""
    return (
        f'{{"location":{quote("/rd/" + registration.location)},"address":{quote(registration.address)},'
        f'"lwm2m":{quote(registration.lwm2m)},"binding":{quote(registration.binding)},'
        f'"lifetime":{registration.lifetime_s}}}'
    )


def encode_changed(before: Registration, after: Registration) -> str:
    """Data of `registration_changed`: each field that changed, with its new value; `read` puts in objects."""
    fields = (
        ("address", before.address, after.address),
        ("binding", before.binding, after.binding),
        ("lifetime", before.lifetime_s, after.lifetime_s),
        ("sms", before.sms, after.sms),
        ("parameters", before.parameters, after.parameters),
    )
    return json.dumps({name: new for name, old, new in fields if old != new})


def encode_ended(registration: Registration, *, with_lifetime: bool) -> str:
    """Data of `deregistered` and, with the lifetime, of `registration_expired`."""
    data: dict[str, object] = {"location": f"/rd/{registration.location}"}
    if with_lifetime:
        data["lifetime"] = registration.lifetime_s
    return json.dumps(data)


def read(
    connection: sqlite3.Connection, *, after: int = 0, types: Sequence[str] = (), limit: int = 1000
) -> list[EventRow]:
    """The next *limit* events behind id *after*, oldest first; of these *types*, if any are given."""
    condition = f" AND e.type IN ({', '.join('?' * len(types))})" if types else ""
    rows = connection.execute(
        "SELECT e.id, e.at_ms, e.type, e.device_id, e.node_id, e.data, o.content"
        " FROM event AS e LEFT JOIN object_list AS o ON o.id = e.objects"
        f" WHERE e.id > ?{condition} ORDER BY e.id LIMIT ?",
        (after, *types, limit),
    )
    return list(_expand(rows))


def last_id(connection: sqlite3.Connection) -> int:
    """Id of the newest event, 0 when there was none yet."""
    (newest,) = connection.execute("SELECT max(id) FROM event").fetchone()
    return newest or 0


def prune(connection: sqlite3.Connection, before_ms: int, after_ms: int) -> int:
    """Delete up to `PRUNE_CHUNK` of the oldest events; returns how many went.

    Those older than *before_ms* go, and those later than *after_ms*: a wall clock that was once far ahead
    must not keep rows for ever.
    """
    cursor = connection.execute(
        "DELETE FROM event WHERE id IN (SELECT id FROM event ORDER BY id LIMIT ?)"
        " AND (at_ms < ? OR at_ms > ?) AND id < (SELECT max(id) FROM event)",
        (PRUNE_CHUNK, before_ms, after_ms),
    )
    return cursor.rowcount


def prune_values(connection: sqlite3.Connection, before_ms: int, after_ms: int) -> int:
    """The same for the events that carry values, which are kept for a shorter time."""
    cursor = connection.execute(
        "DELETE FROM event WHERE id IN (SELECT id FROM event INDEXED BY event_of_values"
        " WHERE type = 'values_reported' ORDER BY id LIMIT ?)"
        " AND (at_ms < ? OR at_ms > ?) AND id < (SELECT max(id) FROM event)",
        (PRUNE_CHUNK, before_ms, after_ms),
    )
    return cursor.rowcount


def _expand(rows: Iterable[tuple[int, int, str, str | None, str, str, str | None]]) -> Iterator[EventRow]:
    for id_, at_ms, type_, device_id, node_id, text, content in rows:
        data = json.loads(text)
        if content is not None:
            data["objects"] = describe_objects(decode_objects(content))
        if type_ == EventType.REGISTERED:
            lifetime_s = data["lifetime"]
            data["registered_at"] = format_ms(at_ms)
            data["expires_at"] = format_ms(at_ms + lifetime_s * 1000) if lifetime_s else None
        yield EventRow(id_, at_ms, type_, device_id, node_id, data)
