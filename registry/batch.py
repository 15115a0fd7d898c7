"""One transaction in the making: what the rows say at its begin, and what is collected to be written.

Runs in the writer's thread. A change was decided on what memory held; an administrator may have frozen or
deleted the device since. So the rows are read before the first change is collected.
"""

from __future__ import annotations

import json
import sqlite3

from registry import outbox, registrations
from registry.registrations import SharedObjects, day_of

_KNOWN = (
    "SELECT d.number, d.revision, d.is_frozen, d.connected_at_ms, r.location"
    " FROM json_each(?) AS wanted CROSS JOIN device AS d ON d.number = wanted.value"
    " LEFT JOIN registration AS r ON r.device = d.number"
)
_CONNECT = "UPDATE device SET connected_at_ms = ? WHERE number = ?"


class Known:
    """What the rows of a device say at this point of the transaction."""

    __slots__ = ("is_connected", "is_frozen", "location", "revision")

    def __init__(
        self, revision: int, is_frozen: int, connected_at_ms: int | None, location: str | None
    ) -> None:
        self.revision = revision
        self.is_frozen = is_frozen
        self.is_connected = connected_at_ms is not None
        self.location = location


class Batch:
    """One transaction in the making."""

    def __init__(self, connection: sqlite3.Connection, numbers: set[int], now_ms: int) -> None:
        self.connection = connection
        self.now_ms = now_ms
        self.known = {
            number: Known(*row) for number, *row in connection.execute(_KNOWN, (json.dumps(list(numbers)),))
        }
        self.registrations: dict[int, tuple[object, ...] | None] = {}
        self.events: list[outbox.Row] = []
        self.connected: list[tuple[int, int]] = []
        self.profiles: list[tuple[int, str, int]] = []
        self.resolved: list[SharedObjects] = []
        self._today = day_of(now_ms)

    def row_of(self, shared: SharedObjects) -> int:
        """Row id of an object list, which is made or marked as used today where that is new."""
        if shared.row_id is None or shared.used_on != self._today:
            self.resolved.append(shared)
            shared.row_id = registrations.store_objects(self.connection, shared.objects, self._today)
            shared.used_on = self._today
        return shared.row_id

    def forget_rows(self) -> None:
        """The transaction failed: the object lists made in it are not there after all."""
        for shared in self.resolved:
            shared.row_id = None

    def write(self) -> None:
        """Send everything collected to the connection."""
        many = self.connection.executemany
        upserts = [row for row in self.registrations.values() if row is not None]
        if upserts:
            many(registrations.UPSERT, upserts)
        if len(upserts) < len(self.registrations):
            gone = [(number,) for number, row in self.registrations.items() if row is None]
            many(registrations.DELETE, gone)
        if self.connected:
            many(_CONNECT, self.connected)
        if self.profiles:
            many(registrations.REMEMBER_PROFILE, self.profiles)
        outbox.append(self.connection, self.events)
