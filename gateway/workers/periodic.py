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
        self._is_waiting_for_storage = False

    async def run(self) -> None:
        """Work for ever; returns only by an exception."""
        while True:
            await asyncio.sleep(self._interval_s)
            try:
                await self.work()
            except StorageUnavailable as error:
                self._report_outage(error)
            else:
                self._report_recovery()

    @abc.abstractmethod
    async def work(self) -> None:
        """Do it once.

        Raises:
            StorageUnavailable: nothing was done; it is tried again after the interval.
        """

    def _report_outage(self, error: StorageUnavailable) -> None:
        if not self._is_waiting_for_storage:
            self._is_waiting_for_storage = True
            log.error("storage unavailable, trying again", worker=type(self).__name__, reason=str(error))

    def _report_recovery(self) -> None:
        if self._is_waiting_for_storage:
            self._is_waiting_for_storage = False
            log.info("storage available again", worker=type(self).__name__)
