"""Group commit: changes wait a moment for others, share a transaction, and are told the outcome.

Knows queues, the loop's timer and the executor. Knows nothing of what is written. One group is on its way at
a time; what arrives meanwhile forms the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from typing import Generic, Protocol, TypeVar

Item = TypeVar("Item")
Outcome = TypeVar("Outcome")
T = TypeVar("T")


class Run(Protocol):
    """Runs a job in the writer's thread, between groups."""

    def __call__(self, job: Callable[[], T], /) -> asyncio.Future[T]: ...


class GroupWriter(Generic[Item, Outcome]):
    """Collects items and commits them in groups.

    *commit* runs in *executor* and gives an outcome per item; *conclude* runs in the loop's thread, in the
    order of submission. Should *commit* raise, every item of its group concludes with *failed* and the
    exception goes to the loop's handler.
    """

    def __init__(
        self,
        executor: Executor,
        commit: Callable[[list[Item]], list[Outcome]],
        conclude: Callable[[Item, Outcome], None],
        *,
        failed: Outcome,
        window_s: float,
        rows: int,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._executor = executor
        self._commit = commit
        self._conclude = conclude
        self._failed = failed
        self._window_s = window_s
        self._rows = rows
        self._queue: list[Item] = []
        self._timer: asyncio.TimerHandle | None = None
        self._group: list[Item] = []
        self._commit_future: asyncio.Future[list[Outcome]] | None = None

    @property
    def pending(self) -> int:
        """Items not yet concluded."""
        return len(self._queue) + len(self._group)

    def submit(self, item: Item) -> None:
        """Have *item* committed with the next group."""
        self._queue.append(item)
        if self._commit_future is None:
            self._arm()

    async def flush(self) -> None:
        """Return when everything submitted so far, and meanwhile, is concluded."""
        while self.pending:
            if self._commit_future is None:
                self._start()
            assert self._commit_future is not None
            await asyncio.wait([self._commit_future])

    def _arm(self) -> None:
        if len(self._queue) >= self._rows:
            self._start()
        elif self._timer is None:
            self._timer = self._loop.call_later(self._window_s, self._start)

    def _start(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._group, self._queue = self._queue[: self._rows], self._queue[self._rows :]
        self._commit_future = self._loop.run_in_executor(self._executor, self._commit, self._group)
        self._commit_future.add_done_callback(self._finished)

    def _finished(self, future: asyncio.Future[list[Outcome]]) -> None:
        group, self._group = self._group, []
        self._commit_future = None
        if self._queue:
            self._arm()
        error = future.exception()
        outcomes = future.result() if error is None else [self._failed] * len(group)
        self._conclude_rest(zip(group, outcomes, strict=True))
        if error is not None:
            raise error

    def _conclude_rest(self, pairs: Iterator[tuple[Item, Outcome]]) -> None:
        # One listener's fault must not keep the others from hearing.
        finished = False
        try:
            for item, outcome in pairs:
                self._conclude(item, outcome)
            finished = True
        finally:
            if not finished:
                self._loop.call_soon(self._conclude_rest, pairs)
