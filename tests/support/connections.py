"""SQLite connections that nobody closed are told of, as Python does itself from 3.13 on."""

from __future__ import annotations

import sqlite3
import sys
import warnings
from functools import partial


class WatchedConnection(sqlite3.Connection):
    """Warns when it goes while it is open."""

    _is_closed = False

    def close(self) -> None:
        """Close it, and be content."""
        self._is_closed = True
        super().close()

    def __del__(self) -> None:
        if not self._is_closed:
            warnings.warn(f"unclosed database in {self!r}", ResourceWarning, stacklevel=1, source=self)


def watch() -> None:
    """Have every connection from here on be one that warns."""
    if sys.version_info < (3, 13):
        sqlite3.connect = partial(sqlite3.connect, factory=WatchedConnection)
