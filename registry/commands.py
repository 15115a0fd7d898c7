"""Commands: what somebody wants of a device, from their being stored to their end. Values, statements, rows.

Knows neither what a command means nor when it is sent: *request* is bytes for whoever sends it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from registry.model import Device

if TYPE_CHECKING:
    import sqlite3


MAX_OPEN = 1_000
"Commands that may wait for one device."

PRUNE_CHUNK = 500

MAX_TTL_S = 315_360_000
"Ten years."


class CommandState(StrEnum):
    """How far a command has come."""

    QUEUED = "queued"
    "Waits for its turn, for the device to wake up or to register."

    SENT = "sent"
    "Its request has left, or may have."

    ANSWERED = "answered"
    "By the device, also with a 4.xx or 5.xx."

    FAILED = "failed"
    "There is no usable answer."

    EXPIRED = "expired"
    "Its time ran out before it was sent."

    CANCELLED = "cancelled"
    "Somebody took it back, or the device was deleted, frozen or given another secret."


ENDS = frozenset({CommandState.ANSWERED, CommandState.FAILED, CommandState.EXPIRED, CommandState.CANCELLED})
"States that no other follows."


@dataclass(frozen=True, slots=True)
class NewCommand:
    """What somebody wants of a device."""

    operation: str
    "Its name: ``read``, ``write`` …"

    paths: tuple[str, ...]
    request: bytes
    is_repeatable: bool
    "Whether doing it twice is as good as once."

    ttl_s: int | None = None
    "How long it may wait; None: as long as the gateway's settings say (`registry.defaults`)."


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What became of a command."""

    code: str | None = None
    "CoAP code as text (``2.05``); None without an answer."

    format: str | None = None
    "Name of the format of the device's payload."

    values: str | None = None
    "JSON: an object, path → value; None where the answer is none of values."

    links: str | None = None
    "JSON: an array; None but for links."

    error: str | None = None


NO_RESULT = CommandResult()


@dataclass(frozen=True, slots=True)
class Command:
    """A command as it is stored."""

    id: int
    device: int
    "`Device.number`"

    device_id: str
    node_id: str
    operation: str
    paths: tuple[str, ...]
    request: bytes | None
    "None once it has ended."

    is_repeatable: bool
    state: CommandState
    created_at_ms: int
    expires_at_ms: int
    attempts: int = 0
    "How often it was sent, retransmissions not counted."

    result: CommandResult = NO_RESULT

    @property
    def has_ended(self) -> bool:
        """Whether this is its last state."""
        return self.state in ENDS


_COLUMNS = (
    "id, device, device_id, node_id, operation, paths, request, is_repeatable, state, created_at_ms,"
    " expires_at_ms, attempts, code, format, readings, links, error"
)

MARK_SENT = "UPDATE command SET state = 'sent', attempts = attempts + 1 WHERE id = ? AND ended_at_ms IS NULL"
REQUEUE = "UPDATE command SET state = 'queued' WHERE id = ? AND ended_at_ms IS NULL"
_END = (
    "UPDATE command SET state = ?, ended_at_ms = ?, code = ?, format = ?, readings = ?, links = ?, error = ?,"
    " request = NULL WHERE id = ? AND ended_at_ms IS NULL"
)
_CANCEL_ALL = (
    "UPDATE command SET state = 'cancelled', ended_at_ms = ?, error = ?, request = NULL"
    " WHERE device = ? AND ended_at_ms IS NULL"
)


def from_row(row: Sequence[Any]) -> Command:
    """The command whose columns are *row*."""
    id_, device, device_id, node_id, operation, paths, request, is_repeatable, state, *rest = row
    created_at_ms, expires_at_ms, attempts, *result = rest
    return Command(
        id_,
        device,
        device_id,
        node_id,
        operation,
        tuple(json.loads(paths)),
        request,
        bool(is_repeatable),
        CommandState(state),
        created_at_ms,
        expires_at_ms,
        attempts,
        CommandResult(*result),
    )


def insert(connection: sqlite3.Connection, device: Device, new: NewCommand, ttl_s: int, now_ms: int) -> int:
    """Add a command for *device* that may wait for *ttl_s*; returns its id."""
    cursor = connection.execute(
        "INSERT INTO command (device, device_id, node_id, operation, paths, request, is_repeatable, state,"
        " created_at_ms, expires_at_ms) VALUES (?, ?, ?, ?, ?, ?, ?, 'queued', ?, ?)",
        (
            device.number,
            device.device_id,
            device.node_id,
            new.operation,
            json.dumps(new.paths),
            new.request,
            int(new.is_repeatable),
            now_ms,
            now_ms + ttl_s * 1000,
        ),
    )
    assert cursor.lastrowid is not None
    return cursor.lastrowid


def end(
    connection: sqlite3.Connection, id_: int, state: CommandState, result: CommandResult, now_ms: int
) -> bool:
    """Write the end of a command; False when it had ended already."""
    row = (state.value, now_ms, result.code, result.format, result.values, result.links, result.error, id_)
    return connection.execute(_END, row).rowcount > 0


def cancel_all(connection: sqlite3.Connection, device: int, reason: str, now_ms: int) -> None:
    """End whatever waits for *device*."""
    connection.execute(_CANCEL_ALL, (now_ms, reason, device))


def count_open(connection: sqlite3.Connection, device: int) -> int:
    """How many commands wait for *device*, the one under way included."""
    row = connection.execute(
        "SELECT count(*) FROM command WHERE device = ? AND ended_at_ms IS NULL", (device,)
    ).fetchone()
    return int(row[0])


def find(connection: sqlite3.Connection, id_: int) -> Command | None:
    """The command with this id."""
    row = connection.execute(f"SELECT {_COLUMNS} FROM command WHERE id = ?", (id_,)).fetchone()
    return None if row is None else from_row(row)


def read(
    connection: sqlite3.Connection, *, node_id: str | None = None, state: CommandState | None = None
) -> list[Command]:
    """Commands in the order in which they are sent: those of *node_id* and in *state*, where given."""
    conditions = [("node_id = ?", node_id), ("state = ?", None if state is None else state.value)]
    used = [(text, value) for text, value in conditions if value is not None]
    where = " WHERE " + " AND ".join(text for text, _ in used) if used else ""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM command{where} ORDER BY id", [value for _, value in used]
    )
    return [from_row(row) for row in rows]


def read_open(connection: sqlite3.Connection) -> list[Command]:
    """All that have not ended, by device and in their order."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM command INDEXED BY command_open"
        " WHERE ended_at_ms IS NULL ORDER BY device, id"
    )
    return [from_row(row) for row in rows]


def read_behind(connection: sqlite3.Connection, after: int, limit: int) -> list[Command]:
    """The next *limit* commands behind id *after*, ended or not."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM command WHERE id > ? ORDER BY id LIMIT ?", (after, limit)
    )
    return [from_row(row) for row in rows]


def last_id(connection: sqlite3.Connection) -> int:
    """Id of the newest command, 0 when there was none yet."""
    (newest,) = connection.execute("SELECT max(id) FROM command").fetchone()
    return newest or 0


def prune(connection: sqlite3.Connection, before_ms: int) -> int:
    """Delete a chunk of those that ended before *before_ms*; returns how many went."""
    return connection.execute(
        "DELETE FROM command WHERE id IN (SELECT id FROM command INDEXED BY command_ended"
        " WHERE ended_at_ms IS NOT NULL AND ended_at_ms < ? LIMIT ?)",
        (before_ms, PRUNE_CHUNK),
    ).rowcount
