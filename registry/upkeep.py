"""What the file needs beside the commits: snapshots, checkpoints of its log, and that old rows go.

Knows when the log has grown enough; when all else is due is for the workers to know. Each job in the
writer's thread is short, so that a Register need not wait long.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from functools import partial

from registry import purge
from registry.clock import Clock
from registry.errors import DatabaseUnusable, StorageUnavailable
from registry.listeners import Listeners
from registry.settings import RegistrySettings
from registry.snapshots import Snapshot, Snapshots, write_leases, write_moves
from registry.sqlite import Database
from registry.writer import Run

CHANGES_PER_CHECKPOINT = 2000

_DeleteChunk = Callable[[sqlite3.Connection, int, int], int]


class Upkeep:
    """Of the file of one registry. Loop thread only."""

    def __init__(
        self,
        run: Run,
        database: Database,
        snapshots: Snapshots,
        settings: RegistrySettings,
        clock: Clock,
        listeners: Listeners,
    ) -> None:
        self._run = run
        self._database = database
        self._snapshots = snapshots
        self._settings = settings
        self._clock = clock
        self._listeners = listeners
        self._uncheckpointed = 0

    async def snapshot(self) -> None:
        """Write the leases and addresses that changed.

        Raises:
            DatabaseUnusable, StorageUnavailable: nothing is lost, the next one writes it.
        """
        snapshot = self._snapshots.take()
        try:
            await self._write(snapshot)
        except (DatabaseUnusable, StorageUnavailable):
            self._snapshots.put_back(snapshot)
            raise

    async def finish(self) -> None:
        """Write the last snapshot with the clean mark, and leave no log.

        Raises:
            DatabaseUnusable, StorageUnavailable: not all of it was written.
        """
        await self._write(self._snapshots.take(is_last=True))
        await self._run(partial(self._database.checkpoint, truncate=True))

    async def prune(self) -> None:
        """Delete old events, refusals and commands, and rows that nothing refers to any more, in chunks.

        Raises:
            DatabaseUnusable, StorageUnavailable: the rest goes next time.
        """
        keep_s = self._settings.events_keep_s
        await self._delete(purge.prune_history, keep_s)
        await self._delete(purge.prune_values, self._settings.events_keep_values_s)
        await self._delete(purge.prune_commands, keep_s)
        await self._delete(purge.remove_orphans, keep_s)

    def note_commit(self) -> None:
        """A change was committed, and is in the log."""
        self._uncheckpointed += 1
        if self._uncheckpointed >= CHANGES_PER_CHECKPOINT:
            self._uncheckpointed = 0
            self._run(self._database.checkpoint).add_done_callback(self._note_checkpoint)

    def _note_checkpoint(self, future: asyncio.Future[None]) -> None:
        error = future.exception()
        if isinstance(error, DatabaseUnusable | StorageUnavailable):
            # The log holds everything still; the next one tries again.
            self._listeners.tell_fault(str(error))
        elif error is not None:
            raise error

    async def _write(self, snapshot: Snapshot) -> None:
        for moves in snapshot.chunk_moves():
            await self._run(partial(write_moves, self._database, moves))
        await self._run(partial(write_leases, self._database, snapshot))

    async def _delete(self, delete_chunk: _DeleteChunk, keep_s: int) -> None:
        while await self._run(partial(self._delete_chunk, delete_chunk, keep_s)):
            pass

    def _delete_chunk(self, delete_chunk: _DeleteChunk, keep_s: int) -> int:
        with self._database.transaction() as connection:
            return delete_chunk(connection, self._clock.wall_ms(), keep_s)
