"""Whether a file of sessions is the one that this database was last used with.

Database and file bear the same count, raised at each start and each clean stop: in the database an
intention first, then in the file, then in the database. A file with another count, another database's or
none leads to no session: it may be older than what was sent. Runs in the registry's writer thread.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from struct import Struct

from registry import meta, sessionfile
from registry.errors import StorageUnavailable
from registry.keyring import Keyring
from registry.sealing import KEY_BYTES
from registry.sessionfile import Mark, SessionFile
from registry.sqlite import Database

_KEY = "sessions"
_OWNER_BYTES = 16
_VALUE = Struct(f">{_OWNER_BYTES}sQ?")


@dataclass(frozen=True, slots=True)
class _Count:
    """What the database says."""

    owner: bytes
    generation: int
    is_rising: bool
    "The file may already be one further."

    def find_fault(self, mark: Mark) -> str | None:
        """Why a file so marked is not the one; None: it is."""
        if mark.owner != self.owner:
            return "it belongs to another database"
        if mark.generation < self.generation:
            return "it is of an earlier run"
        is_later = mark.generation > self.generation + self.is_rising
        return "it is of a later run than the database" if is_later else None


def take_over(database: Database, keyring: Keyring, entropy: Callable[[int], bytes]) -> SessionFile:
    """The file of this database, raised; an empty one in place of any that does not fit.

    Raises:
        KeyUnusable: there is no key to seal with, or another one.
        StorageUnavailable: database or file cannot be written.
    """
    sealer = keyring.sealer_for_sealing(entropy(KEY_BYTES))
    path = sessionfile.path_beside(database.path)
    known = _read(database)
    count = known or _Count(entropy(_OWNER_BYTES), 0, False)
    if not path.exists():
        fault = "there is none" if known else None
    elif (file := SessionFile.open_existing(path, sealer)) is None:
        fault = "it is damaged or in use"
    elif (fault := _claim(database, file, count)) is None:
        return file
    mark = Mark(count.owner, _settle(database, count, count.generation + 2))
    return SessionFile.create(path, mark, sealer, is_whole=True, disbelieved=fault)


def create(database: Database, keyring: Keyring, entropy: Callable[[int], bytes]) -> SessionFile:
    """A new and empty file that does not count before it is whole, in place of any other.

    Raises:
        KeyUnusable: as `take_over`.
        StorageUnavailable: as `take_over`.
    """
    sealer = keyring.sealer_for_sealing(entropy(KEY_BYTES))
    count = _read(database) or _Count(entropy(_OWNER_BYTES), 0, False)
    generation = _settle(database, count, count.generation + 2)
    path = sessionfile.path_beside(database.path)
    return SessionFile.create(path, Mark(count.owner, generation), sealer, is_whole=False)


def hand_back(database: Database, file: SessionFile) -> None:
    """A clean stop: raise the count once more, and close the file.

    Raises:
        StorageUnavailable: the file may fit or not; it is closed all the same.
    """
    try:
        _raise(database, file)
        file.checkpoint()
    finally:
        file.close()


def disown(database: Database) -> None:
    """Let no file there is fit any more, and delete it. One of the two is enough.

    Raises:
        StorageUnavailable: neither could be done.
    """
    path: Path = sessionfile.path_beside(database.path)
    try:
        sessionfile.delete(path)
    except StorageUnavailable:
        count = _read(database)
        if count is not None:
            _settle(database, count, count.generation + 2)


def _claim(database: Database, file: SessionFile, count: _Count) -> str | None:
    """Raise *file* if it fits; otherwise close it and say why."""
    with contextlib.ExitStack() as unfinished:
        unfinished.callback(file.close)
        fault = count.find_fault(file.mark)
        if fault is None:
            _raise(database, file)
            unfinished.pop_all()
        return fault


def _raise(database: Database, file: SessionFile) -> None:
    owner, generation = file.mark
    _write(database, _Count(owner, generation, True))
    file.raise_generation(generation + 1)
    _write(database, _Count(owner, generation + 1, False))


def _settle(database: Database, count: _Count, generation: int) -> int:
    _write(database, _Count(count.owner, generation, False))
    return generation


def _read(database: Database) -> _Count | None:
    value = meta.find(database, _KEY)
    return None if value is None else _Count(*_VALUE.unpack(value))


def _write(database: Database, count: _Count) -> None:
    value = _VALUE.pack(count.owner, count.generation, count.is_rising)
    with database.transaction() as connection:
        meta.write(connection, _KEY, value)
