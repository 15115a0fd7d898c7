"""Deadlines by number, all of them behind one "next" for the owner's single timer.

Knows no clock and not what the numbers stand for.
"""

from __future__ import annotations

from collections.abc import Iterator
from heapq import heapify, heappop, heappush

_SLACK = 64


class Deadlines:
    """At most one deadline per number; setting it again moves it.

    A heap whose overtaken entries are skipped when they surface, and swept when they outnumber the
    living: a storm of handshakes that come and go leaves no more behind than those that live.
    """

    __slots__ = ("_at", "_heap")

    def __init__(self) -> None:
        self._at: dict[int, float] = {}
        self._heap: list[tuple[float, int]] = []

    def __len__(self) -> int:
        return len(self._at)

    def set(self, number: int, at: float) -> None:
        """*number* is due at *at* (monotonic seconds), and no longer at any earlier setting."""
        self._at[number] = at
        heappush(self._heap, (at, number))
        if len(self._heap) > 2 * len(self._at) + _SLACK:
            self._sweep()

    def cancel(self, number: int) -> None:
        """*number* has no deadline (any more)."""
        self._at.pop(number, None)

    def next_at(self) -> float | None:
        """When `pop_due` will next have something, None for never."""
        heap = self._heap
        while heap:
            at, number = heap[0]
            if self._at.get(number) == at:
                return at
            heappop(heap)
        return None

    def pop_due(self, now: float) -> Iterator[int]:
        """The numbers due at *now*, each without a deadline from here on; settings made meanwhile count."""
        while (at := self.next_at()) is not None and at <= now:
            number = heappop(self._heap)[1]
            del self._at[number]
            yield number

    def _sweep(self) -> None:
        self._heap = [(at, number) for number, at in self._at.items()]
        heapify(self._heap)
