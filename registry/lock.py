"""One gateway per database: a lock on ``DB.lock`` beside it.

The command line never takes it. The kernel gives it back when the process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from pathlib import Path

from registry.errors import DatabaseUnusable
from registry.sqlite import give_to_owner_of

_TRIES = 3
_TRY_AGAIN_S = 0.02


def is_held(database: Path) -> bool:
    """Whether a gateway runs on *database*."""
    try:
        descriptor = os.open(_beside(database), os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    finally:
        os.close(descriptor)
    return False


def _beside(database: Path) -> Path:
    return database.with_name(database.name + ".lock")


class GatewayLock:
    """Held from construction to `release`."""

    def __init__(self, database: Path) -> None:
        """Take the lock and leave the number of this process in the file.

        Raises:
            DatabaseUnusable: another gateway has it, or the file cannot be made.
        """
        path = _beside(database)
        try:
            self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise DatabaseUnusable(f"{path} cannot be opened: {error.strerror}") from error
        try:
            self._take()
        except OSError as error:
            holder = os.read(self._descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise DatabaseUnusable(
                f"{database} is in use by another gateway (process {holder}); stop it or name another file"
            ) from error
        give_to_owner_of(database, self._descriptor)
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def _take(self) -> None:
        # Somebody who only looks (`is_held`) has it for a moment.
        for _ in range(_TRIES - 1):
            with contextlib.suppress(OSError):
                return fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            time.sleep(_TRY_AGAIN_S)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def release(self) -> None:
        """Let the next gateway in; the file stays."""
        os.close(self._descriptor)
