"""Notices what the command line changed in the database."""

from __future__ import annotations

from gateway.workers.periodic import PeriodicWorker
from registry.store import Registry


class Changes(PeriodicWorker):
    """Polls the change feed: freeze, delete and reset-secret bite within a second."""

    def __init__(self, registry: Registry, interval_s: float = 0.25) -> None:
        super().__init__(interval_s)
        self._registry = registry

    async def work(self) -> None:
        """Read on from the cursor, if anything was written from outside."""
        await self._registry.poll_changes()
