"""The file in which sessions outlive the process: ``DB.sessions`` beside the database.

Knows rows, a journal and what must be gone; sessions are numbers and bytes here. Not a part of the
registry: it may be deleted at any time, and is, when it cannot be trusted. What makes a file the right one
is `registry.generation`'s affair.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from registry.errors import StorageUnavailable
from registry.sealing import NONCE_BYTES, Sealer
from registry.sqlite import give_to_owner_of, immediate, sync_directory, translate

APPLICATION_ID = 0x4E6F5365
"``NoSe``: tells our files from other people's."

PURPOSE = b"nodegate sessions"
"For which the key of the file is derived from the one that seals secrets."

_FORMAT = 2
_TABLES = (
    "CREATE TABLE mark (owner BLOB NOT NULL, generation INTEGER NOT NULL, is_whole INTEGER NOT NULL) STRICT",
    "CREATE TABLE session (number INTEGER PRIMARY KEY, identity BLOB NOT NULL, credential BLOB NOT NULL,"
    " sealed BLOB NOT NULL) STRICT",
    "CREATE TABLE journal (id INTEGER PRIMARY KEY AUTOINCREMENT, entries BLOB NOT NULL) STRICT",
)


class Mark(NamedTuple):
    """What tells whether a file goes with a database."""

    owner: bytes
    generation: int


class SessionRow(NamedTuple):
    """One session. *state* is sealed for just this number, identity and credential."""

    number: int
    identity: bytes
    credential: bytes
    state: bytes


class SessionFile:
    """One connection, for one thread at a time. Nobody else can open the file meanwhile."""

    def __init__(
        self, path: Path, connection: sqlite3.Connection, sealer: Sealer, disbelieved: str | None = None
    ) -> None:
        """For `open_existing` and `create`."""
        self.path = path
        self.disbelieved = disbelieved
        "What was wrong with the file in whose place this one is; None: nothing, or none was expected."

        self._connection = connection
        self._aead = AESGCM(sealer.derive(PURPOSE))
        self._inode = path.stat().st_ino
        self._sweep_begins_at: int | None = None

    @classmethod
    def open_existing(cls, path: Path, sealer: Sealer) -> SessionFile | None:
        """The file as it lies there; None: there is none, or it is nobody's, damaged or in use."""
        if not path.is_file():
            return None
        try:
            _read_ahead(path)
            connection = _connect(path)
        except (OSError, sqlite3.Error):
            return None
        try:
            header = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in _HEADER]
            is_whole = connection.execute("SELECT is_whole FROM mark").fetchone() if header == _OURS else None
        except sqlite3.Error:
            is_whole = None
        if is_whole != (1,):
            connection.close()
            return None
        return cls(path, connection, sealer)

    @classmethod
    def create(
        cls, path: Path, mark: Mark, sealer: Sealer, *, is_whole: bool, disbelieved: str | None = None
    ) -> SessionFile:
        """A new file in place of whatever lies there; unless *is_whole*, it does not count yet.

        Raises:
            StorageUnavailable: it cannot be made.
        """
        delete(path)
        with _translated(path):
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
            with contextlib.closing(os.fdopen(descriptor)):
                give_to_owner_of(path.with_name(path.name.removesuffix(SUFFIX)), descriptor)
            sync_directory(path.parent)
            connection = _connect(path)
            with contextlib.ExitStack() as unfinished:
                unfinished.callback(connection.close)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {_FORMAT}")
                with immediate(connection):
                    for statement in _TABLES:
                        connection.execute(statement)
                    connection.execute("INSERT INTO mark VALUES (?, ?, ?)", (*mark, is_whole))
                unfinished.pop_all()
        return cls(path, connection, sealer, disbelieved)

    @property
    def mark(self) -> Mark:
        """Whose file it is, and of which start.

        Raises:
            StorageUnavailable: it cannot be read.
        """
        with _translated(self.path):
            return Mark(*self._connection.execute("SELECT owner, generation FROM mark").fetchone())

    def raise_generation(self, generation: int) -> None:
        """Let the file be of *generation*.

        Raises:
            StorageUnavailable: it is of the one before.
        """
        with _translated(self.path), immediate(self._connection) as connection:
            connection.execute("UPDATE mark SET generation = ?", (generation,))

    def load(self) -> tuple[list[SessionRow], list[bytes]]:
        """Rows with their state still sealed, and the journal in order.

        Raises:
            StorageUnavailable: it cannot be read.
        """
        with _translated(self.path):
            rows = self._connection.execute("SELECT number, identity, credential, sealed FROM session")
            sessions = [SessionRow(*row) for row in rows]
            journal = self._connection.execute("SELECT entries FROM journal ORDER BY id").fetchall()
        return sessions, [entries for (entries,) in journal]

    def unseal(self, row: SessionRow) -> bytes | None:
        """The state in a row of `load`; None: sealed with another key, or for somebody else, or damaged."""
        sealed = row.state
        try:
            return self._aead.decrypt(sealed[:NONCE_BYTES], sealed[NONCE_BYTES:], _binding(row))
        except (InvalidTag, ValueError):
            return None

    def write(
        self,
        rows: Sequence[SessionRow],
        gone: Iterable[int],
        journal: Iterable[bytes],
        *,
        ends_sweep: bool = False,
        is_whole: bool = False,
    ) -> None:
        """One durable transaction. *ends_sweep*: with it all journal rows before `begin_sweep` go.

        *is_whole*: from here on the file counts, if it did not.

        Raises:
            StorageUnavailable: none of it is in the file, or all of it.
        """
        sealed = [(row.number, row.identity, row.credential, self._seal(row)) for row in rows]
        with _translated(self.path), immediate(self._connection) as connection:
            connection.executemany("INSERT OR REPLACE INTO session VALUES (?, ?, ?, ?)", sealed)
            connection.executemany("DELETE FROM session WHERE number = ?", ((number,) for number in gone))
            for entries in filter(None, journal):
                connection.execute("INSERT INTO journal (entries) VALUES (?)", (entries,))
            if ends_sweep:
                # No secrets stand in the journal, and overwriting all of it would double what is written.
                connection.execute("PRAGMA secure_delete = FAST")
                connection.execute("DELETE FROM journal WHERE id < ?", (self._sweep_begins_at,))
                connection.execute("PRAGMA secure_delete = ON")
                self._sweep_begins_at = None
            if is_whole:
                connection.execute("UPDATE mark SET is_whole = 1")

    def begin_sweep(self) -> None:
        """Journal rows from here on will be enough, once a transaction ends the sweep."""
        with _translated(self.path):
            row = self._connection.execute("SELECT coalesce(max(id), 0) + 1 FROM journal").fetchone()
        self._sweep_begins_at = row[0]

    def checkpoint(self) -> None:
        """Empty the log beside the file: what was deleted from the file is not in there any more either.

        Raises:
            StorageUnavailable: the disk fails, or somebody deleted the file.
        """
        with _translated(self.path):
            if self.path.stat().st_ino != self._inode:
                raise StorageUnavailable(f"{self.path} was replaced while it was in use")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Give the file back. Safe to call twice."""
        # Closing writes what the log still holds: an error there says nothing that was not known.
        with contextlib.suppress(sqlite3.Error):
            self._connection.close()

    def _seal(self, row: SessionRow) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._aead.encrypt(nonce, row.state, _binding(row))


SUFFIX = ".sessions"
_CACHE_KIB = 256
_HEADER = ("application_id", "user_version")
_OURS = [APPLICATION_ID, _FORMAT]


def path_beside(database: Path) -> Path:
    """Where the sessions of *database* lie."""
    return database.with_name(database.name + SUFFIX)


def delete(path: Path) -> None:
    """Let there be no file at *path*, and no log of it.

    Raises:
        StorageUnavailable: it cannot be deleted.
    """
    with _translated(path):
        # The file first: without its log it would be older than it says.
        path.unlink(missing_ok=True)
        for end in ("-wal", "-shm", "-journal"):
            path.with_name(path.name + end).unlink(missing_ok=True)
        sync_directory(path.parent)


def _binding(row: SessionRow) -> bytes:
    length = len(row.identity).to_bytes(4, "big")
    return row.number.to_bytes(8, "big") + length + row.identity + row.credential


def _read_ahead(path: Path) -> None:
    """Have the file brought into memory in one go, not page by page.

    Before the file is locked: closing it would give the lock back.
    """
    if sys.platform != "linux":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_WILLNEED)
    finally:
        os.close(descriptor)


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?mode=rw",
        uri=True,
        timeout=0,
        isolation_level=None,
        check_same_thread=False,
    )
    try:
        connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        # Written and hardly ever read: the default of 2 MB would only fill up.
        connection.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
        # The lock is taken with the first access, and kept.
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("COMMIT")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    """Whatever is wrong with this file, there can be another: one kind of error will do."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise StorageUnavailable(str(translate(error, path) or f"{path}: {error}")) from error
    except OSError as error:
        raise StorageUnavailable(f"{path}: {error.strerror}") from error
