"""Writes the leases that plain Updates renewed in memory."""

from __future__ import annotations

from gateway.workers.periodic import PeriodicWorker
from registry.store import Registry


class Snapshots(PeriodicWorker):
    """Writes the lease snapshot; what a crash loses of it only lets registrations live longer."""

    def __init__(self, registry: Registry, interval_s: float = 30.0) -> None:
        super().__init__(interval_s)
        self._registry = registry

    async def work(self) -> None:
        """Write every lease that was renewed or moved."""
        await self._registry.snapshot()
