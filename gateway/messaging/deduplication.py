"""What was asked lately, so that a repeated message has no second effect (RFC 7252 §4.5).

A message is known by a 64-bit keyed hash of its whole datagram, its peer included: the same message id
with other bytes is another message, because a device that restarts begins its ids anew. The answer is
kept as small as it can be: a code where header and token rebuild it, else the encoded bytes. All that is
kept are ints, bytes and tuples of them, which the garbage collector does not look at.
"""

from __future__ import annotations

from array import array
from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gateway.messaging.remote import Remote

Outcome = int | bytes
"`PENDING`, `SILENT`, `EMPTY`, another code or an encoded message."

EMPTY = 0
"Acknowledged, while the answer comes by itself: a repetition is acknowledged again."

PENDING = -1
"Being worked on: a repetition is absorbed."

SILENT = -2
"Dealt with, and a repetition is not answered: the message was non-confirmable."

History = tuple[Outcome, ...]
"Of one session: stamp, answer, stamp, answer …, newest first; a stamp is seconds << 64 | key."

HISTORY_LENGTH = 4
_KEY_MASK = (1 << 64) - 1
_BUCKETS = 8


class Memory:
    """Recent messages of all peers: a session's in its remote, all others in one table."""

    def __init__(self, capacity: int, lifetime_s: float) -> None:
        """Keep each message for *lifetime_s*, and at most *capacity* of peers without a session."""
        self._table = MessageTable(capacity, lifetime_s)
        self._lifetime_s = lifetime_s

    def __len__(self) -> int:
        """Messages of peers without a session."""
        return len(self._table)

    def recall(self, remote: Remote, key: int, now: float) -> Outcome | None:
        """What was answered to *key* (`key_of`); None when it is new."""
        if remote.is_secure:
            return recall(remote.history, key, now, self._lifetime_s) if remote.history else None
        return self._table.recall(key, now)

    def remember(self, remote: Remote, key: int, now: float, answer: Outcome) -> None:
        """Add *key*, which `recall` must just have called new."""
        if remote.is_secure:
            remote.history = remember(remote.history, key, now, answer)
        else:
            self._table.remember(key, now, answer)

    def amend(self, remote: Remote, key: int, answer: Outcome) -> None:
        """Replace the answer to *key*, if it is still known."""
        if remote.is_secure:
            remote.history = amend(remote.history, key, answer)
        else:
            self._table.amend(key, answer)


def key_of(remote: Remote, datagram: bytes) -> int:
    """What `Memory` knows *datagram* of *remote* by."""
    return hash(datagram) if remote.is_secure else hash((remote.address, datagram))


def recall(history: History, key: int, now: float, lifetime_s: float) -> Outcome | None:
    """What was answered to *key* within the last *lifetime_s*; None when it is new."""
    key &= _KEY_MASK
    stamps: tuple[int, ...] = history[::2]  # type: ignore[assignment]
    for place, stamp in enumerate(stamps):
        if stamp & _KEY_MASK == key and now - (stamp >> 64) < lifetime_s:
            return history[2 * place + 1]
    return None


def remember(history: History, key: int, now: float, answer: Outcome) -> History:
    """*history* with *key* in front, and the oldest of `HISTORY_LENGTH` dropped."""
    return (int(now) << 64 | key & _KEY_MASK, answer, *history[: 2 * HISTORY_LENGTH - 2])


def amend(history: History, key: int, answer: Outcome) -> History:
    """*history* with the newest answer to *key* replaced; unchanged when *key* has been pushed out."""
    key &= _KEY_MASK
    stamps: tuple[int, ...] = history[::2]  # type: ignore[assignment]
    for place, stamp in enumerate(stamps):
        if stamp & _KEY_MASK == key:
            return (*history[: 2 * place + 1], answer, *history[2 * place + 2 :])
    return history


class MessageTable:
    """Messages of peers that have no session, all in one table with a hard cap.

    Entries live in time buckets, dropped as a whole: no timer and no object for a single one.
    """

    def __init__(self, capacity: int, lifetime_s: float) -> None:
        """Keep at most *capacity* messages, each for *lifetime_s* unless the cap forces it out earlier."""
        self._answers: dict[int, Outcome] = {}
        self._buckets: deque[tuple[float, array[int]]] = deque()
        self._current = array("q")
        self._current_ends_at = 0.0
        self._bucket_s = lifetime_s / (_BUCKETS - 1)
        self._bucket_size = max(1, capacity // _BUCKETS)
        self._capacity = capacity
        self._lifetime_s = lifetime_s

    def __len__(self) -> int:
        return len(self._answers)

    def recall(self, key: int, now: float) -> Outcome | None:
        """What was answered to *key*; None when it is new."""
        if now >= self._current_ends_at:
            self._begin_bucket(now)
        return self._answers.get(key)

    def remember(self, key: int, now: float, answer: Outcome) -> None:
        """Add *key*, which `recall` must just have called new."""
        if len(self._current) >= self._bucket_size:
            self._begin_bucket(now)
        self._answers[key] = answer
        self._current.append(key)

    def amend(self, key: int, answer: Outcome) -> None:
        """Replace the answer to *key*, if it is still there."""
        if key in self._answers:
            self._answers[key] = answer

    def _begin_bucket(self, now: float) -> None:
        """Close the current bucket, and forget those that are too old or too many."""
        if self._current:
            self._buckets.append((min(now, self._current_ends_at), self._current))
            self._current = array("q")
        self._current_ends_at = now + self._bucket_s
        while self._buckets and (
            now - self._buckets[0][0] >= self._lifetime_s
            or len(self._answers) > self._capacity - self._bucket_size
        ):
            for key in self._buckets.popleft()[1]:
                self._answers.pop(key, None)
