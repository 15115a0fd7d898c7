"""One SQLite file as the registry's store: opening, transactions, and errors in our words.

Knows SQLite and the file system. Knows nothing of devices. The file itself is never opened but by SQLite:
closing any other descriptor of it would drop the locks this process holds.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import sqlite3
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from registry import schema
from registry.clock import SystemClock
from registry.errors import DatabaseUnusable, RegistryError, StorageUnavailable
from registry.sealing import KeySource

BUSY_TIMEOUT_S = 5.0
"How long a transaction waits for another writer."

MIN_SQLITE = (3, 37)
"STRICT tables; RETURNING came with 3.35."

_SCHEME = "sqlite:///"


class Database:
    """One connection to the file, for one thread at a time.

    Open it with `open`, write inside `transaction`, read inside `snapshot` where several queries must
    agree, end with `close`.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection, key_source: KeySource) -> None:
        self.path = path
        self.connection = connection
        self.key_source = key_source

    @classmethod
    def open(cls, url: str | Path, *, key: KeySource | None = None, create: bool = True) -> Database:
        """Open *url* (``sqlite:///PATH`` or a path), make it if it is missing, bring it up to date.

        *key* is looked at when a secret is first sealed or opened (`registry.keyring`).

        Raises:
            DatabaseUnusable: it is not there (and *create* is false), not ours, newer than this program,
                not writable by this user, locked or damaged.
            StorageUnavailable: the disk is full or fails.
        """
        if sqlite3.sqlite_version_info < MIN_SQLITE:
            raise DatabaseUnusable(
                f"SQLite {sqlite3.sqlite_version} is too old: {MIN_SQLITE[0]}.{MIN_SQLITE[1]} is the oldest"
            )
        path = parse_url(url)
        _prepare_file(path, create)
        with contextlib.ExitStack() as unfinished, _opening(path), _translated(path):
            connection = _connect(path)
            unfinished.callback(connection.close)
            database = cls(path, connection, key or KeySource())
            _check_owner(path, connection)
            _enter_wal(path, connection)
            connection.execute("PRAGMA synchronous = FULL")
            schema.migrate(connection, database.transaction, SystemClock.wall_ms())
            unfinished.pop_all()
        return database

    @contextlib.contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """What is written inside is committed at the end, or rolled back, whole, by any exception.

        Raises:
            StorageUnavailable: the disk is full or fails, or another program held the file for longer than
                the busy timeout; nothing was written.
            DatabaseUnusable: the file is damaged, or may not be written any more.
        """
        connection = self.connection
        with _translated(self.path), immediate(connection):
            yield connection

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """A read transaction: every query inside sees the same state."""
        connection = self.connection
        with _translated(self.path):
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")

    def query(self, sql: str, parameters: Sequence[object] = ()) -> list[Any]:
        """All rows of one small query."""
        with _translated(self.path):
            return self.connection.execute(sql, parameters).fetchall()

    def data_version(self) -> int:
        """A number that changes when another connection has committed."""
        return int(self.query("PRAGMA data_version")[0][0])

    def disable_auto_checkpoint(self) -> None:
        """From here on only `checkpoint` moves pages from the log to the file."""
        self.connection.execute("PRAGMA wal_autocheckpoint = 0")

    def checkpoint(self, *, truncate: bool = False) -> None:
        """Move what can be moved without waiting; with *truncate* wait for readers and empty the log.

        Raises:
            StorageUnavailable: the disk is full or fails.
        """
        self.query(f"PRAGMA wal_checkpoint({'TRUNCATE' if truncate else 'PASSIVE'})")

    def close(self) -> None:
        """Give the file back. Safe to call twice."""
        self.connection.close()

    def __enter__(self) -> Database:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


@contextlib.contextmanager
def immediate(connection: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """``BEGIN IMMEDIATE`` … ``COMMIT``; rolled back, whole, by any exception."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield connection
        connection.execute("COMMIT")
    finally:
        # Only after a failure, and not after the disk errors that make SQLite roll back by itself.
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def parse_url(url: str | Path) -> Path:
    """The absolute path that *url* names: ``sqlite:///relative``, ``sqlite:////absolute`` or a plain path.

    Raises:
        DatabaseUnusable: another scheme, or no file.
    """
    if isinstance(url, Path):
        return url.absolute()
    if url.startswith(_SCHEME):
        name = url[len(_SCHEME) :]
    elif "://" in url:
        scheme = url.split("://", 1)[0]
        hint = "one slash is missing" if scheme == "sqlite" else f"{scheme} is not supported"
        raise DatabaseUnusable(f"{url} cannot be opened: {hint}; write sqlite:///PATH")
    else:
        name = url
    if not name or name == ":memory:":
        raise DatabaseUnusable(f"{url or 'the database URL'} names no file; write sqlite:///PATH")
    return Path(name).absolute()


def sync_directory(path: Path) -> None:
    """Make a new or renamed entry of the folder *path* survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def owner_of(path: Path) -> str:
    """Name of the user who owns *path*, or the number of one without a name."""
    uid = path.stat().st_uid
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"


def give_to_owner_of(path: Path, descriptor: int) -> None:
    """Let a file that root made beside the database belong to the database's owner, who has to read it."""
    owner = path.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)


def _prepare_file(path: Path, create: bool) -> None:
    try:
        _check_file(path, create)
    except OSError as error:
        raise DatabaseUnusable(f"{path} cannot be opened: {error.strerror}") from error


def _check_file(path: Path, create: bool) -> None:
    folder = path.parent
    if not folder.is_dir():
        raise DatabaseUnusable(f"{path} cannot be opened: its folder does not exist; create {folder} first")
    if path.exists():
        if not path.is_file():
            raise DatabaseUnusable(f"{path} is not a file; name a database file")
        if not os.access(path, os.R_OK | os.W_OK):
            raise DatabaseUnusable(_forbidden(path, path))
    elif not create:
        raise DatabaseUnusable(f"{path} does not exist; name another with --db or NODEGATE_DB")
    # SQLite keeps its log beside the file, so the folder has to be writable as well.
    if not os.access(folder, os.W_OK | os.X_OK):
        raise DatabaseUnusable(_forbidden(path, folder))
    if not path.exists():
        with contextlib.suppress(FileExistsError):
            os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))
            sync_directory(folder)


def _forbidden(path: Path, what: Path) -> str:
    place = "it" if what == path else f"its folder {what}"
    if what.stat().st_uid == os.geteuid():
        return f"{path} is not writable: {place} is this user's, but read-only; let its owner write to {what}"
    owner = owner_of(what)
    return f"{path} is not writable by this user: {place} belongs to {owner}; run the command as {owner}"


def _connect(path: Path) -> sqlite3.Connection:
    # By URI, because mode=rw never creates: a file that vanished is an error, not an empty registry.
    return sqlite3.connect(
        f"file:{quote(str(path))}?mode=rw",
        uri=True,
        timeout=BUSY_TIMEOUT_S,
        isolation_level=None,
        check_same_thread=False,
    )


def _check_owner(path: Path, connection: sqlite3.Connection) -> None:
    application_id, version, things = schema.read_header(connection)
    if application_id == schema.APPLICATION_ID:
        if version > schema.LATEST:
            raise DatabaseUnusable(
                f"{path} is from a newer version of Nodegate (schema {version}, this one knows "
                f"{schema.LATEST}); upgrade the program"
            )
    elif application_id or version or things:
        raise DatabaseUnusable(f"{path} is not a Nodegate database; name another with --db or NODEGATE_DB")


def _enter_wal(path: Path, connection: sqlite3.Connection) -> None:
    deadline = SystemClock.monotonic() + BUSY_TIMEOUT_S
    while True:
        (mode,) = connection.execute("PRAGMA journal_mode").fetchone()
        if mode == "wal":
            return
        try:
            (mode,) = connection.execute("PRAGMA journal_mode = WAL").fetchone()
        except sqlite3.OperationalError as error:
            # Two that change it at once are refused at once; the busy timeout does not cover that.
            if _primary_code(error) != sqlite3.SQLITE_BUSY or SystemClock.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            if mode != "wal":
                raise DatabaseUnusable(
                    f"{path} lies on a file system that WAL cannot use; move it to a local disk"
                )


class _Locked(StorageUnavailable):
    """Another program holds the file."""


@contextlib.contextmanager
def _opening(path: Path) -> Iterator[None]:
    try:
        yield
    except _Locked as error:
        raise DatabaseUnusable(str(error)) from error


@contextlib.contextmanager
def _translated(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        translation = translate(error, path)
        if translation is None:
            raise
        raise translation from error


def translate(error: sqlite3.DatabaseError, path: Path) -> RegistryError | None:
    """What *error* means for a person, or None when it is about a value or a statement, not the file."""
    code = _primary_code(error)
    if code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return _Locked(f"{path} is locked by another program; try again when that has finished")
    if code == sqlite3.SQLITE_NOTADB:
        return DatabaseUnusable(f"{path} is not a Nodegate database, or its first page is damaged")
    if code == sqlite3.SQLITE_CORRUPT:
        return DatabaseUnusable(f"{path} is damaged; restore it from a backup")
    if code in (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM):
        return DatabaseUnusable(f"{path} cannot be written: {error}; check its owner and the folder's")
    if code == sqlite3.SQLITE_FULL:
        return StorageUnavailable(f"the disk of {path} is full; make room, nothing was written")
    if code == sqlite3.SQLITE_IOERR:
        return StorageUnavailable(f"the disk of {path} fails ({error}); nothing was written")
    return None


def _primary_code(error: sqlite3.Error) -> int:
    # Errors that Python's module raises by itself carry no code.
    return getattr(error, "sqlite_errorcode", 0) & 0xFF
