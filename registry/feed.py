"""What other connections have committed: the command line's changes, found by their events.

Runs in the writer's thread. Looking costs one PRAGMA while nobody else writes.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass, field

from registry import commands, devices, outbox
from registry.commands import Command
from registry.model import Device
from registry.sqlite import Database

BATCH = 1000
"Events read at a time."


@dataclass(frozen=True, slots=True)
class ForeignEvents:
    """Some events of administration, and the devices they are about as they are now."""

    events: list[tuple[str, str, str]]
    "Type, device ID and node ID, in the order committed."

    devices: dict[str, Device]
    "By device ID; a device that is gone is missing."

    has_more: bool
    commands: list[Command] = field(default_factory=list)
    "New ones, in the order stored."


class ChangeFeed:
    """Reads events of administration behind a cursor."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._version = database.data_version()
        self._is_behind = False
        self._cursor = 0
        self._last_command = 0

    def begin(self, connection: sqlite3.Connection) -> None:
        """Put the cursor behind what *connection* sees: what memory is being loaded from."""
        self._cursor = outbox.last_id(connection)
        self._last_command = commands.last_id(connection)

    def read(self) -> ForeignEvents | None:
        """The next batch, or None when nothing has happened."""
        version = self._database.data_version()
        if version == self._version and not self._is_behind:
            return None
        with self._database.snapshot() as connection:
            rows = connection.execute(
                "SELECT id, type, device_id, node_id FROM event INDEXED BY event_of_administration"
                " WHERE source = 1 AND id > ? ORDER BY id LIMIT ?",
                (self._cursor, BATCH),
            ).fetchall()
            wanted = json.dumps([device_id for _, _, device_id, _ in rows])
            found = connection.execute(
                f"SELECT {devices.COLUMNS} FROM device AS d"
                " WHERE d.device_id IN (SELECT value FROM json_each(?))",
                (wanted,),
            )
            waiting = commands.read_behind(connection, self._last_command, BATCH)
            present = {device.device_id: device for device in map(devices.from_columns, found)}
        self._version = version
        self._is_behind = BATCH in (len(rows), len(waiting))
        if rows:
            self._cursor = rows[-1][0]
        if waiting:
            self._last_command = waiting[-1].id
        return ForeignEvents([row[1:] for row in rows], present, self._is_behind, waiting)
