"""Ends registrations whose lifetime is over."""

from __future__ import annotations

from gateway.workers.periodic import PeriodicWorker
from registry.clock import Clock
from registry.store import Registry


class Expiry(PeriodicWorker):
    """Drives the registry's timer wheel: a registration is gone at most 2 s after its lifetime."""

    def __init__(self, registry: Registry, clock: Clock, interval_s: float = 0.25) -> None:
        super().__init__(interval_s)
        self._registry = registry
        self._clock = clock

    async def work(self) -> None:
        """Expire what is due now."""
        self._registry.expire(self._clock.monotonic())
