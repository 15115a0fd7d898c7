"""Registrations as rows: statements, encodings, and the object lists that fleets share.

Knows the tables ``registration``, ``object_list`` and ``profile``. Decides nothing about a registration.
"""

from __future__ import annotations

import json
import sqlite3
import sys
from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from registry.model import Device, ObjectLink, ObjectList, Registration

UPSERT = (
    "INSERT OR REPLACE INTO registration (device, location, identity, address, lwm2m, binding, lifetime_s,"
    " objects, registered_at_ms, written_at_ms, sms, profile_id, parameters)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
DELETE = "DELETE FROM registration WHERE device = ?"
MOVE = "UPDATE registration SET address = ? WHERE device = ? AND location = ?"
REMEMBER_PROFILE = "INSERT OR REPLACE INTO profile (device, profile_id, objects) VALUES (?, ?, ?)"
FORGET_PROFILE = "DELETE FROM profile WHERE device = ?"

COLUMNS = (
    "r.location, r.identity, r.address, r.lwm2m, r.binding, r.lifetime_s, r.registered_at_ms,"
    " r.sms, r.profile_id, r.parameters"
)
"What `from_columns` takes, besides the object list."

_MAX_SHARED = 10_000
_DAY_MS = 86_400_000


class SharedObjects:
    """One object list as memory and disk share it."""

    __slots__ = ("objects", "row_id", "used_on")

    def __init__(self, objects: ObjectList) -> None:
        self.objects = objects
        self.row_id: int | None = None
        "Row in ``object_list``; known to, and touched by, the writer only."
        self.used_on = 0
        "Day of the last use that the row records."


class ObjectListPool:
    """Keeps one `ObjectList` per content, so that a fleet of equal devices costs one.

    Lookup by identity first: hashing a list by its content costs more than the rest of a Register.
    """

    def __init__(self) -> None:
        self._by_identity: dict[int, SharedObjects] = {}
        self._by_content: dict[ObjectList, SharedObjects] = {}
        # Holds every object whose id() is a key above.
        self._aliases: list[ObjectList] = []

    def share(self, objects: ObjectList) -> SharedObjects:
        """The one holder for this content."""
        shared = self._by_identity.get(id(objects))
        if shared is not None:
            return shared
        if len(self._aliases) >= _MAX_SHARED:
            self.clear()
        shared = self._by_content.get(objects)
        if shared is None:
            shared = self._by_content[objects] = SharedObjects(objects)
        self._by_identity[id(objects)] = shared
        self._aliases.append(objects)
        return shared

    def clear(self) -> None:
        """Forget all; holders in use stay valid, later lists of the same content get another one."""
        self._by_identity.clear()
        self._by_content.clear()
        self._aliases.clear()


def day_of(at_ms: int) -> int:
    """Days since the Unix epoch: how precisely the use of an object list is recorded."""
    return at_ms // _DAY_MS


def store_objects(connection: sqlite3.Connection, objects: ObjectList, day: int) -> int:
    """Row id of *objects*, made if it is new, marked as used on *day*."""
    (row_id,) = connection.execute(
        "INSERT INTO object_list (content, used_on) VALUES (?, ?)"
        " ON CONFLICT (content) DO UPDATE SET used_on = excluded.used_on RETURNING id",
        (encode_objects(objects), day),
    ).fetchone()
    return int(row_id)


def encode_objects(objects: ObjectList) -> str:
    """Canonical JSON: equal lists give equal text."""
    return json.dumps(
        {
            "links": [[link.object_id, link.instance_id, link.version] for link in objects.links],
            "root": objects.alternate_path,
            "ct": objects.content_formats,
        },
        separators=(",", ":"),
    )


@lru_cache(maxsize=1024)
def decode_objects(content: str) -> ObjectList:
    """Inverse of `encode_objects`; equal texts give the same object while the cache holds it."""
    value = json.loads(content)
    links = tuple(ObjectLink(*link) for link in value["links"])
    return ObjectList(links, value["root"], tuple(value["ct"]))


def to_row(registration: Registration, objects_row: int, written_at_ms: int) -> tuple[object, ...]:
    """Parameters for `UPSERT`."""
    return (
        registration.device,
        registration.location,
        registration.identity,
        registration.address,
        registration.lwm2m,
        registration.binding,
        registration.lifetime_s,
        objects_row,
        registration.registered_at_ms,
        written_at_ms,
        registration.sms,
        registration.profile_id,
        json.dumps(registration.parameters) if registration.parameters else None,
    )


def from_columns(device: Device, objects: ObjectList, row: Sequence[Any]) -> Registration:
    """The registration of *device* whose `COLUMNS` are *row*."""
    location, identity, address, lwm2m, binding, lifetime_s, registered_at_ms, *optional = row
    sms, profile_id, parameters = optional
    return Registration(
        device=device.number,
        device_id=device.device_id,
        node_id=device.node_id,
        location=location,
        # One string instead of two: the identity of a PSK device is its node ID.
        identity=device.node_id if identity == device.node_id else identity,
        address=address,
        lwm2m=sys.intern(lwm2m),
        binding=sys.intern(binding),
        lifetime_s=_share_number(lifetime_s),
        objects=objects,
        registered_at_ms=registered_at_ms,
        sms=sms,
        profile_id=profile_id,
        parameters=_decode_parameters(parameters),
    )


@lru_cache(maxsize=1024)
def _share_number(number: int) -> int:
    return number


def _decode_parameters(text: str | None) -> tuple[tuple[str, str], ...]:
    return () if text is None else tuple((name, value) for name, value in json.loads(text))
