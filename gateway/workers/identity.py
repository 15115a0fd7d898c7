"""Keeps the gateway's own certificate fresh: a look at its dates each day, its files again when asked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from gateway.credentials.errors import CredentialError
from gateway.credentials.identity import ServerIdentity
from gateway.dtls.credential import Credential
from gateway.workers.periodic import PeriodicWorker
from registry.errors import RegistryError

log = structlog.get_logger("gateway.workers")

DAY_S = 86_400.0


class CertificateDates(PeriodicWorker):
    """Warns daily while the server certificate is near its end."""

    def __init__(self, identity: ServerIdentity, interval_s: float = DAY_S) -> None:
        super().__init__(interval_s)
        self._identity = identity

    async def work(self) -> None:
        """Look at the dates of what was last read."""
        self._identity.warn_of_expiry()


class Reload:
    """Reads the certificate files again at each `request`, as SIGHUP makes one."""

    def __init__(self, identity: ServerIdentity, use: Callable[[Credential], None]) -> None:
        self._identity = identity
        self._use = use
        self._requested = asyncio.Event()

    def request(self) -> None:
        """Have the files read as soon as may be; several requests may be served at once."""
        self._requested.set()

    async def run(self) -> None:
        """Work for ever; files that cannot be used change nothing but the log."""
        while True:
            await self._requested.wait()
            self._requested.clear()
            await self.work()

    async def work(self) -> None:
        """Do it once."""
        try:
            credential = await self._identity.load()
        except (CredentialError, RegistryError) as error:
            log.error("the certificate is not replaced, the old one is still in use", reason=str(error))
            return
        self._use(credential)
        log.info("the certificate files were read again")
