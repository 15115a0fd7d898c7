"""The object model of the moment: the program's own table, and what was imported, also while we run."""

from __future__ import annotations

import structlog

from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.model import Model
from gateway.objectmodel import extend_model
from gateway.workers.periodic import PeriodicWorker
from registry.store import Registry

log = structlog.get_logger("gateway.workers")

INTERVAL_S = 2.0


class Definitions(PeriodicWorker):
    """Keeps `model` up to date. `work` once before the first datagram."""

    def __init__(self, registry: Registry, model: Model) -> None:
        super().__init__(INTERVAL_S)
        self._registry = registry
        self._revision = 0
        self.model = model

    async def work(self) -> None:
        """Read what was imported since the last time."""
        imported, revision = await self._registry.downlink.read_definitions(self._revision)
        if revision == self._revision:
            return
        self._revision = revision
        try:
            self.model = extend_model(self.model, imported)
        except DecodeError as error:
            log.error("imported objects cannot be read; import them again", reason=str(error))
