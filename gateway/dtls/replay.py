"""The anti-replay window (RFC 6347 §4.1.2.6): the newest record number, and which of the last 64 were seen.

Knows nothing of tags: the owner asks `is_fresh` before it decrypts, and calls `mark` only for a
record that proved authentic.
"""

from __future__ import annotations

from typing import Final

WINDOW: Final = 64

_MASK: Final = (1 << WINDOW) - 1


class ReplayWindow:
    """The window of one epoch in one direction."""

    __slots__ = ("newest", "seen")

    def __init__(self, newest: int = -1, seen: int = 0) -> None:
        self.newest = newest
        "The highest number marked; -1 before the first."

        self.seen = seen
        "Bit i is set when number newest - i was marked."

    def is_fresh(self, sequence: int) -> bool:
        """Whether *sequence* is neither marked nor too old to tell."""
        behind = self.newest - sequence
        return behind < 0 or (behind < WINDOW and not self.seen >> behind & 1)

    def mark(self, sequence: int) -> bool:
        """Note an authentic record, one that `is_fresh`. True: it is newer than all before it."""
        behind = self.newest - sequence
        if behind >= 0:
            self.seen |= 1 << behind & _MASK if behind < WINDOW else 0
            return False
        self.seen = (self.seen << -behind | 1) & _MASK if behind > -WINDOW else 1
        self.newest = sequence
        return True
