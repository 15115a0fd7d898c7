"""The gateway's own secrets as a running gateway has them: its key, and the file of its sessions.

Part of the store's async face; each job is done in the writer's thread.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import partial

from registry import generation, serverkey
from registry.keyring import Keyring
from registry.serverkey import ServerKey
from registry.sessionfile import SessionFile
from registry.sqlite import Database
from registry.writer import Run


class Vault:
    """`registry.store.Registry.vault`."""

    def __init__(self, run: Run, database: Database, keyring: Keyring) -> None:
        self._run = run
        self._database = database
        self._keyring = keyring

    async def obtain_server_key(
        self, make: Callable[[], ServerKey], entropy: Callable[[int], bytes] = secrets.token_bytes
    ) -> ServerKey:
        """The gateway's own key, by *make* if there is none yet.

        Raises:
            KeyUnusable: it is sealed and cannot be opened, or cannot be sealed.
            StorageUnavailable: it could not be stored.
        """
        return await self._run(partial(serverkey.obtain, self._database, self._keyring, make, entropy))

    async def note_server_chain(self, chain: bytes | None) -> None:
        """Let administrators see what the gateway shows in place of its own certificate.

        Raises:
            StorageUnavailable: it could not be stored.
        """
        await self._run(partial(serverkey.note_chain, self._database, chain))

    # The file of sessions (`registry.generation` says what each does, and what it raises)

    async def take_over_sessions(self, entropy: Callable[[int], bytes] = secrets.token_bytes) -> SessionFile:
        """The file of sessions, with what an earlier run has left in it."""
        return await self._run(partial(generation.take_over, self._database, self._keyring, entropy))

    async def create_sessions(self, entropy: Callable[[int], bytes] = secrets.token_bytes) -> SessionFile:
        """A new one, that does not count before it is whole."""
        return await self._run(partial(generation.create, self._database, self._keyring, entropy))

    async def hand_back_sessions(self, file: SessionFile) -> None:
        """*file* is complete: close it, so that the next start finds it to be the right one."""
        await self._run(partial(generation.hand_back, self._database, file))

    async def disown_sessions(self) -> None:
        """There shall be no file that the next start finds to be the right one."""
        await self._run(partial(generation.disown, self._database))
