"""Cipher contexts that are large: made when a record needs one, kept for what was lately busy.

A context of CCM is a quarter of one of GCM or CBC, and stays with its session. The others are held
here, at most so many in the whole process; one that went is made anew, for a few microseconds.
Knows no cipher.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Protocol
from weakref import ref

MAX_CONTEXTS: Final = 2_000
"Of some two kilobytes each."


class Holder(Protocol):
    """Owns a context that it can make again."""

    def release(self) -> None:
        """Let go of the context."""


class RecentContexts:
    """Lets holders have a context, the first come of them going when there are too many.

    A holder that was released registers again with its next context: one entry each.
    """

    __slots__ = ("_holders", "_limit")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._holders: deque[ref[Holder]] = deque()

    def __len__(self) -> int:
        return len(self._holders)

    def add(self, holder: Holder) -> None:
        """*holder* has just made its context."""
        self._holders.append(ref(holder))
        while len(self._holders) > self._limit:
            oldest = self._holders.popleft()()
            if oldest is not None:
                oldest.release()


RECENT: Final = RecentContexts(MAX_CONTEXTS)
"Of all sessions of the process: what is bounded is its memory."
