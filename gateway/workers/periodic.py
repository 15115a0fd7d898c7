"""The loop that every worker of the registry runs.

Knows when to work and what to do when the disk fails. Does not know the work.
"""

from __future__ import annotations

import abc
import asyncio

import structlog

from registry.errors import StorageUnavailable

log = structlog.get_logger("gateway.workers")


class PeriodicWorker(abc.ABC):
    """Works every ``interval_s``, counted from the end of the last time, until it is cancelled."""

    def __init__(self, interval_s: float) -> None:
        self._interval_s = interval_s
        self._fault: str | None = None

    async def run(self) -> None:
        """Work for ever; returns only by an exception."""
        while True:
            await asyncio.sleep(self._interval_s)
            try:
                await self.work()
            except StorageUnavailable as error:
                self._note(str(error))
            else:
                self._note(None)

    @abc.abstractmethod
    async def work(self) -> None:
        """Do it once.

        Raises:
            StorageUnavailable: not all could be done; it is tried again after the interval.
        """

    def _note(self, fault: str | None) -> None:
        """Tell the operator what is new about it."""
        if fault == self._fault:
            return
        self._fault = fault
        worker = type(self).__name__
        if fault is None:
            log.info("works again", worker=worker)
        else:
            log.error("cannot work, trying again", worker=worker, reason=fault)
