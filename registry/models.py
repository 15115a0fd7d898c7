"""Imported object definitions as rows: an id, a version and a content that the registry does not read.

A running gateway sees an import by `Database.data_version` and asks for what is behind the last revision it
has read; no event tells of it, because nothing happened to a device.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class StoredDefinition:
    """One object in one version."""

    object_id: int
    version: str

    content: str
    "JSON, whose meaning is for those who understand objects."


def store_definitions(
    connection: sqlite3.Connection, definitions: Iterable[StoredDefinition], now_ms: int
) -> int:
    """Add *definitions*, or put them in the place of those of the same version, inside a transaction.

    Returns the revision, which is greater than all before.
    """
    revision = newest_revision(connection) + 1
    connection.executemany(
        "INSERT OR REPLACE INTO object_definition (object_id, version, content, revision, imported_at_ms)"
        " VALUES (?, ?, ?, ?, ?)",
        ((entry.object_id, entry.version, entry.content, revision, now_ms) for entry in definitions),
    )
    return revision


def read_definitions(
    connection: sqlite3.Connection, after_revision: int = 0
) -> tuple[Sequence[StoredDefinition], int]:
    """What was imported behind *after_revision*, and the newest revision; call it inside a snapshot."""
    rows = connection.execute(
        "SELECT object_id, version, content FROM object_definition WHERE revision > ?"
        " ORDER BY object_id, version",
        (after_revision,),
    ).fetchall()
    return [StoredDefinition(*row) for row in rows], newest_revision(connection)


def newest_revision(connection: sqlite3.Connection) -> int:
    """The revision of the last import; 0 when there was none."""
    (newest,) = connection.execute("SELECT max(revision) FROM object_definition").fetchone()
    return newest or 0
