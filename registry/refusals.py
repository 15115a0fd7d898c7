"""Who was turned away: few enough rows that a flood of strangers cannot fill the disk.

The limiter is pure; the statements keep the last ten refusals of each node ID.
"""

from __future__ import annotations

import sqlite3
import unicodedata
from collections import OrderedDict

from registry.model import Refusal

KEPT_PER_NODE = 10
MAX_NODE_ID_LENGTH = 128
MAX_ADDRESS_LENGTH = 64
MAX_REASON_LENGTH = 200

_PRUNE_CHUNK = 500
_NODES_WATCHED = 10_000
_NODE_BURST, _NODE_PER_S = KEPT_PER_NODE, 1 / 60
_STRANGERS_BURST, _STRANGERS_PER_S = 60, 1.0
_DEVICES_BURST, _DEVICES_PER_S = 1000, 2.0


class _Bucket:
    """A token bucket."""

    __slots__ = ("_at", "_burst", "_rate", "_tokens")

    def __init__(self, burst: float, rate: float, now: float) -> None:
        self._burst, self._rate, self._tokens, self._at = burst, rate, float(burst), now

    def has_token(self, now: float) -> bool:
        self._tokens = min(self._burst, self._tokens + (now - self._at) * self._rate)
        self._at = now
        return self._tokens >= 1

    def take(self) -> None:
        self._tokens -= 1


class RefusalLimiter:
    """Decides which refusals are worth a row.

    Unknown node IDs share one slow bucket, devices a faster one, and each node ID has its own; of these the
    ones heard of longest ago are forgotten first.
    """

    def __init__(self, now: float) -> None:
        self._strangers = _Bucket(_STRANGERS_BURST, _STRANGERS_PER_S, now)
        self._devices = _Bucket(_DEVICES_BURST, _DEVICES_PER_S, now)
        self._nodes: OrderedDict[str, _Bucket] = OrderedDict()

    def admit(self, node_id: str, *, is_device: bool, now: float) -> bool:
        """Whether this refusal is recorded."""
        shared = self._devices if is_device else self._strangers
        # The shared bucket first: a flood of new names then leaves nothing behind.
        if not shared.has_token(now):
            return False
        own = self._nodes.get(node_id)
        if own is None:
            own = self._nodes[node_id] = _Bucket(_NODE_BURST, _NODE_PER_S, now)
            if len(self._nodes) > _NODES_WATCHED:
                self._nodes.popitem(last=False)
        else:
            self._nodes.move_to_end(node_id)
        if not own.has_token(now):
            return False
        own.take()
        shared.take()
        return True


def clean(text: str, length: int) -> str:
    """*text* from a peer, fit for a row and a terminal: no controls, no half characters, not too long."""
    return "".join(
        "\ufffd" if unicodedata.category(character) in ("Cc", "Cs") else character
        for character in text[:length]
    )


def append(connection: sqlite3.Connection, node_id: str, refusal: Refusal) -> None:
    """Add a row and drop the node ID's oldest ones, inside the caller's transaction."""
    connection.execute(
        "INSERT INTO refusal (node_id, at_ms, address, reason) VALUES (?, ?, ?, ?)",
        (node_id, refusal.at_ms, refusal.address, refusal.reason),
    )
    connection.execute(
        "DELETE FROM refusal WHERE node_id = ? AND id <="
        " (SELECT id FROM refusal WHERE node_id = ? ORDER BY id DESC LIMIT 1 OFFSET ?)",
        (node_id, node_id, KEPT_PER_NODE),
    )


def read(connection: sqlite3.Connection, node_id: str) -> tuple[Refusal, ...]:
    """The last refusals of *node_id*, oldest first."""
    rows = connection.execute(
        "SELECT at_ms, address, reason FROM refusal WHERE node_id = ? ORDER BY id", (node_id,)
    )
    return tuple(Refusal(*row) for row in rows)


def prune(connection: sqlite3.Connection, before_ms: int, after_ms: int) -> int:
    """Delete a chunk of those outside the two instants; returns how many went."""
    cursor = connection.execute(
        "DELETE FROM refusal WHERE id IN (SELECT id FROM refusal WHERE at_ms < ? OR at_ms > ? LIMIT ?)",
        (before_ms, after_ms, _PRUNE_CHUNK),
    )
    return cursor.rowcount


def forget(connection: sqlite3.Connection, node_id: str) -> None:
    """Delete all of *node_id*'s."""
    connection.execute("DELETE FROM refusal WHERE node_id = ?", (node_id,))
