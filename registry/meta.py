"""The table `meta`: a value for a name, of what there is one of in a database."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import sqlite3

    from registry.sqlite import Database


def find(database: Database, key: str) -> bytes | None:
    """The value of *key*, inside a transaction or not; None where it has none."""
    rows = database.query("SELECT value FROM meta WHERE key = ?", (key,))
    value: bytes | None = rows[0][0] if rows else None
    return value


def write(connection: sqlite3.Connection, key: str, value: bytes) -> None:
    """Give *key* its value."""
    connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES (?, ?)", (key, value))


def delete(connection: sqlite3.Connection, key: str) -> None:
    """Leave *key* without a value."""
    connection.execute("DELETE FROM meta WHERE key = ?", (key,))
