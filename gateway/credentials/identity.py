"""What the gateway proves itself by: the certificate it was given, else a key of its own."""

from __future__ import annotations

import asyncio
from functools import partial
from pathlib import Path

import structlog

from gateway.credentials.expiry import find_expiry_fault
from gateway.credentials.files import load_server_files
from gateway.credentials.ownkey import credential_of, make_server_key
from gateway.credentials.shown import to_pem
from gateway.dtls.credential import Credential
from registry.clock import Clock
from registry.store import Registry

log = structlog.get_logger("gateway.credentials")


class ServerIdentity:
    """The two files, and what was last read of them. Administrators see what it shows."""

    def __init__(
        self, registry: Registry, clock: Clock, certificate_file: Path | None, private_key_file: Path | None
    ) -> None:
        self._registry = registry
        self._clock = clock
        self._certificate_file = certificate_file
        self._load_files = partial(load_server_files, certificate_file, private_key_file)
        self._chain: tuple[bytes, ...] = ()

    async def load(self) -> Credential:
        """Read the files, or take the own key, made at first use.

        Raises:
            CredentialError: a file cannot be used; what was shown before is still good.
            KeyUnusable: the own key cannot be opened or sealed.
            StorageUnavailable: nothing can be stored at present.
        """
        credential = await asyncio.to_thread(self._load_files)
        if credential is None:
            await self._registry.vault.note_server_chain(None)
            return credential_of(await self._registry.vault.obtain_server_key(make_server_key))
        self._chain = credential.chain
        await self._registry.vault.note_server_chain(to_pem(credential.chain))
        self.warn_of_expiry()
        return credential

    def warn_of_expiry(self) -> None:
        """Tell the operator of a certificate that has run out or soon will."""
        fault = find_expiry_fault(self._chain, self._clock.wall_ms() / 1000)
        if fault is not None:
            log.warning(f"the server certificate {fault}", file=str(self._certificate_file))
