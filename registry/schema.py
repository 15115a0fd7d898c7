"""Bringing a database file to today's tables.

The header of the file says whose it is (``application_id``) and how far it has come (``user_version``, the
number of the last migration); the table ``migration`` says when.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

import sqlite_utils

from registry.migrations import MIGRATIONS

APPLICATION_ID = 0x4E6F6467
"``Nodg``: tells our files from other people's."

LATEST = MIGRATIONS[-1][0]

Step = tuple[int, Callable[[sqlite_utils.Database], None]]


def read_header(connection: sqlite3.Connection) -> tuple[int, int, int]:
    """``application_id``, ``user_version`` and the number of tables, indexes and views."""
    (application_id,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (things,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    return application_id, version, things


def migrate(
    connection: sqlite3.Connection,
    transaction: Callable[[], AbstractContextManager[object]],
    now_ms: int,
    steps: Sequence[Step] = MIGRATIONS,
) -> list[int]:
    """Apply what *connection*'s file lacks, each step in a *transaction* with its record.

    Returns the numbers applied. Another process may be doing the same: whoever comes second finds it done.
    """
    applied = []
    for number, step in steps:
        if read_header(connection)[1] >= number:
            continue
        with transaction():
            if read_header(connection)[1] >= number:
                continue
            step(sqlite_utils.Database(connection, execute_plugins=False))
            connection.execute(
                "INSERT INTO migration (number, applied_at_ms) VALUES (?, ?)", (number, now_ms)
            )
            # PRAGMA takes no parameters; both values are our own integers.
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {number}")
            applied.append(number)
    return applied
