"""Groups of changes become transactions.

Runs in the writer's thread. What was overtaken, or holds what no row can, is left out and told so, while the
others of its group go in.
"""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Sequence

from registry.batch import Batch
from registry.changes import Change
from registry.clock import Clock
from registry.errors import DatabaseUnusable, StorageUnavailable
from registry.outcomes import INVALID, CommitFailure, CommitOutcome
from registry.sqlite import Database

# Raised for one row's values; everything else is about the file, or a bug.
_BAD_ROW = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    OverflowError,
    UnicodeEncodeError,
)


class Committer:
    """Commits groups of changes on *database*."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock

    def commit(self, group: Sequence[Change]) -> list[CommitOutcome]:
        """One outcome for each of *group*; all that are committed are so in one transaction.

        Where a row's values turn out to be impossible, the group is halved until that row stands alone.
        """
        try:
            return self._commit(group)
        except (StorageUnavailable, DatabaseUnusable) as error:
            return [CommitOutcome(CommitFailure.STORAGE, str(error))] * len(group)
        except _BAD_ROW:
            if len(group) == 1:
                return [INVALID]
            middle = len(group) // 2
            return self.commit(group[:middle]) + self.commit(group[middle:])

    def _commit(self, group: Sequence[Change]) -> list[CommitOutcome]:
        numbers = {change.device.number for change in group if change.device is not None}
        with contextlib.ExitStack() as undone:
            with self._database.transaction() as connection:
                batch = Batch(connection, numbers, self._clock.wall_ms())
                undone.callback(batch.forget_rows)
                outcomes = [change.collect(batch) for change in group]
                batch.write()
            undone.pop_all()
        return outcomes
