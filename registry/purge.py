"""What goes by itself, in chunks: claim deadlines, old history, rows without an owner.

Knows the statements and the arithmetic; when to run is the callers' affair.
"""

from __future__ import annotations

import json
import sqlite3

from registry import commands, outbox, refusals
from registry.events import CLAIM_TIMEOUT
from registry.model import Device
from registry.registrations import day_of

CHUNK = 500
"Rows that one transaction deletes at most."

PURGED_DATA = json.dumps({"reason": CLAIM_TIMEOUT})
"Data of `device_purged`."

_SPARE_DAYS = 2


def claim_remaining_s(device: Device, wall_ms: int) -> float | None:
    """Seconds until *device* is purged, None when no purge is due.

    Never more than its whole timeout, also when the wall clock has been set back.
    """
    deadline_ms = device.claim_deadline_ms
    if deadline_ms is None:
        return None
    return min(max(0.0, (deadline_ms - wall_ms) / 1000), float(device.timeout_s))


def prune_history(connection: sqlite3.Connection, now_ms: int, keep_s: int) -> int:
    """Delete a chunk of the events and of the refusals older than *keep_s*; returns how many went."""
    before_ms, after_ms = now_ms - keep_s * 1000, now_ms + keep_s * 1000
    return outbox.prune(connection, before_ms, after_ms) + refusals.prune(connection, before_ms, after_ms)


def prune_values(connection: sqlite3.Connection, now_ms: int, keep_s: int) -> int:
    """Delete a chunk of the events with values older than *keep_s*; returns how many went."""
    return outbox.prune_values(connection, now_ms - keep_s * 1000, now_ms + keep_s * 1000)


def prune_commands(connection: sqlite3.Connection, now_ms: int, keep_s: int) -> int:
    """Delete a chunk of the commands that ended longer than *keep_s* ago; returns how many went."""
    return commands.prune(connection, now_ms - keep_s * 1000)


def remove_orphans(connection: sqlite3.Connection, now_ms: int, keep_s: int) -> int:
    """Delete a chunk of the rows that nothing refers to any more; returns how many went.

    Object lists stay for as long as an event may name them.
    """
    removed = 0
    for table in ("registration", "profile", "value", "value_history"):
        removed += connection.execute(
            f"DELETE FROM {table} WHERE device IN (SELECT device FROM {table}"
            " WHERE device NOT IN (SELECT number FROM device) LIMIT ?)",
            (CHUNK,),
        ).rowcount
    unused_since = day_of(now_ms - keep_s * 1000) - _SPARE_DAYS
    removed += connection.execute(
        "DELETE FROM object_list WHERE id IN (SELECT id FROM object_list WHERE used_on < ? AND id NOT IN"
        " (SELECT objects FROM registration UNION SELECT objects FROM profile) LIMIT ?)",
        (unused_since, CHUNK),
    ).rowcount
    return removed
