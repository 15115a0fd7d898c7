"""One gateway per database: a lock on ``DB.lock`` beside it.

The command line never takes it. The kernel gives it back when the process ends, however it ends.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from registry.errors import DatabaseUnusable
from registry.sqlite import give_to_owner_of


class GatewayLock:
    """Held from construction to `release`."""

    def __init__(self, database: Path) -> None:
        """Take the lock and leave the number of this process in the file.

        Raises:
            DatabaseUnusable: another gateway has it, or the file cannot be made.
        """
        path = database.with_name(database.name + ".lock")
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DatabaseUnusable(f"{path} cannot be opened: {error.strerror}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            holder = os.read(self._descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise DatabaseUnusable(
                f"{database} is in use by another gateway (process {holder}); stop it or name another file"
            ) from error
        give_to_owner_of(database, self._descriptor)
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let the next gateway in; the file stays."""
        os.close(self._descriptor)
