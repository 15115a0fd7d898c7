"""Many timers behind one: a heap that a fleet shares, and what schedules it.

Entries cannot be taken out; whoever no longer wants one ignores it when it comes.
"""

from __future__ import annotations

import heapq
from collections.abc import Callable
from math import inf
from typing import Protocol


class Scheduler(Protocol):
    """Where later calls are asked for. An asyncio loop is one, a `TimerHeap` another."""

    def time(self) -> float: ...

    def call_at(self, when: float, callback: Callable[..., object], /, *args: object) -> object: ...


class Alarm:
    """The one timer of somebody who says after each touch when he wants the next."""

    __slots__ = ("_at", "_ring", "_scheduler")

    def __init__(self, scheduler: Scheduler, ring: Callable[[], object]) -> None:
        """*ring* is called when the time has come."""
        self._scheduler = scheduler
        self._ring = ring
        self._at = inf

    def set(self, when: float | None) -> None:
        """Ring at *when*, unless that is earlier anyhow; None: nothing is wanted."""
        if when is not None and when < self._at:
            self._at = when
            self._scheduler.call_at(when, self._come, when)

    def _come(self, at: float) -> None:
        # An earlier one may have taken its place.
        if at == self._at:
            self._at = inf
            self._ring()


class TimerHeap:
    """A scheduler that asks the one below it for a single call at a time.

    Calls that are due at the same instant are made in the order they were asked for.
    """

    def __init__(self, below: Scheduler) -> None:
        self._below = below
        self._heap: list[tuple[float, int, Callable[..., object], tuple[object, ...]]] = []
        self._count = 0
        self._armed_at: float | None = None

    def time(self) -> float:
        """The time of the scheduler below."""
        return self._below.time()

    def call_at(self, when: float, callback: Callable[..., object], /, *args: object) -> None:
        """Call *callback* when *when* has come."""
        self._count += 1
        heapq.heappush(self._heap, (when, self._count, callback, args))
        self._arm()

    def clear(self) -> None:
        """Forget every call."""
        self._heap.clear()

    def _arm(self) -> None:
        if self._heap and (self._armed_at is None or self._heap[0][0] < self._armed_at):
            self._armed_at = self._heap[0][0]
            self._below.call_at(self._armed_at, self._run, self._armed_at)

    def _run(self, armed_at: float) -> None:
        if armed_at != self._armed_at:
            return
        now = self.time()
        while self._heap and self._heap[0][0] <= now:
            _, _, callback, args = heapq.heappop(self._heap)
            callback(*args)
        self._armed_at = None
        self._arm()
