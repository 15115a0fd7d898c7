"""Deletes what has lost its claim to be kept: devices that never came, events that are old."""

from __future__ import annotations

from gateway.workers.periodic import PeriodicWorker
from registry.clock import Clock
from registry.store import Registry


class Claims(PeriodicWorker):
    """Purges devices that did not connect within their claim timeout."""

    def __init__(self, registry: Registry, clock: Clock, interval_s: float = 0.5) -> None:
        super().__init__(interval_s)
        self._registry = registry
        self._clock = clock

    async def work(self) -> None:
        """Purge the devices whose deadline has passed."""
        self._registry.purge_claims(self._clock.monotonic())


class EventRetention(PeriodicWorker):
    """Deletes events older than the retention of the settings."""

    def __init__(self, registry: Registry, interval_s: float = 3600.0) -> None:
        super().__init__(interval_s)
        self._registry = registry

    async def work(self) -> None:
        """Delete what is too old."""
        await self._registry.prune_events()
