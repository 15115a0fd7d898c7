"""Deletes what has lost its claim to be kept: devices that never came, old events, rows without an owner."""

from __future__ import annotations

from gateway.workers.periodic import PeriodicWorker
from registry.clock import Clock
from registry.store import Registry


class Claims(PeriodicWorker):
    """Purges devices that did not connect within their claim timeout."""

    def __init__(self, registry: Registry, clock: Clock, interval_s: float = 1.0) -> None:
        super().__init__(interval_s)
        self._registry = registry
        self._clock = clock

    async def work(self) -> None:
        """Purge the devices whose deadline has passed."""
        self._registry.purge_claims(self._clock.monotonic())


class EventRetention(PeriodicWorker):
    """Deletes events and refusals past their keep time, and rows that nothing refers to any more."""

    def __init__(self, registry: Registry, interval_s: float = 3600.0) -> None:
        super().__init__(interval_s)
        self._registry = registry

    async def work(self) -> None:
        """Delete what is too old."""
        await self._registry.prune_events()
