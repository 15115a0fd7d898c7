"""`tests.support.connections`: who leaves a database open is told, who closes it is not."""

from __future__ import annotations

import sqlite3
import warnings

from tests.support.connections import WatchedConnection


def left(*, closed: bool) -> list[str]:
    """What is said when a connection goes."""
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        connection = sqlite3.connect(":memory:", factory=WatchedConnection)
        if closed:
            connection.close()
        connection.__del__()
        connection.close()
    return [warning.category.__name__ for warning in said]


def test_connection_that_nobody_closed_is_told_of() -> None:
    assert left(closed=False) == ["ResourceWarning"]


def test_connection_that_was_closed_is_not() -> None:
    assert left(closed=True) == []
