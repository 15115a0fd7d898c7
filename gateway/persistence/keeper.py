"""Keeps the sessions of one listener in a file, so that they go on after a stop or a crash.

    engine ─ batch ─▶ writer thread ─ on disk ─▶ engine ─▶ what had waited

Knows when to write, and what to do when that fails: let no file count, go on without, and try again.
What must be on disk before what is `gateway.dtls.durability`'s; what lies in the file,
`registry.sessionfile`'s.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial

import structlog

from gateway.dtls.durability import Batch, Urgency
from gateway.dtls.errors import DecodeError
from gateway.dtls.journal import Entry
from gateway.dtls.restoring import replay
from gateway.dtls.storedstate import decode_session
from gateway.transport.coaps import CoapsTransport
from registry.clock import Clock
from registry.errors import KeyUnusable, StorageUnavailable
from registry.sessionfile import SessionFile, SessionRow
from registry.store import Registry

log = structlog.get_logger("gateway.sessions")

WINDOW_S = 0.1
"How long an entry waits for others to be written with it, unless a record is held."

UPKEEP_S = 30.0
"How often the log beside the file is emptied, and a lost file is replaced."

RETRY_S = 1.0
"How often a file that must not count any more is gone for."

SWEEP_S = 3600.0
"How often all sessions are swept at least: secrets that are good for nothing any more leave the file."

SWEEP_BYTES = 1 << 20
SWEEP_BYTES_PER_SESSION = 100
"A journal beyond both together is swept: twice what the entries of all sessions take."


class SessionKeeper:
    """`open` it, `attach` it to the transport before the first datagram, `run` it, `close` it."""

    def __init__(
        self, registry: Registry, clock: Clock, file: SessionFile | None, executor: Executor
    ) -> None:
        """For `open`."""
        self._registry = registry
        self._clock = clock
        self._file = file
        self._executor = executor
        self._loop = asyncio.get_running_loop()
        self._coaps: CoapsTransport
        self._timer: asyncio.TimerHandle | None = None
        self._writing: asyncio.Future[None] | None = None
        self._batch: Batch | None = None
        self._is_failed = file is None
        self._is_disowned = False
        self._is_whole = file is not None
        self._is_sweeping = False
        self._swept_at = clock.monotonic()
        self._is_closing = False
        self._journal_bytes = 0
        self._swept_bytes = 0
        self._refused: list[int] = []
        self._needed = asyncio.Event()

    @classmethod
    async def open(cls, registry: Registry, clock: Clock, executor: Executor | None = None) -> SessionKeeper:
        """Take the file of *registry* over. *executor* runs one job at a time, in order."""
        file: SessionFile | None = None
        try:
            file = await registry.vault.take_over_sessions()
            if file.disbelieved is not None:
                reason = f"{file.path}: {file.disbelieved}"
                log.warning("no earlier session goes on; devices handshake anew", reason=reason)
        except (KeyUnusable, StorageUnavailable) as error:
            log.error("sessions cannot be stored; they will not survive a restart", reason=str(error))
        return cls(registry, clock, file, executor or ThreadPoolExecutor(1, "sessions-writer"))

    @property
    def is_keeping(self) -> bool:
        """Whether sessions would survive now."""
        return self._file is not None and self._is_whole and not self._is_failed

    def attach(self, coaps: CoapsTransport, holds: Callable[[bytes, bytes], bool]) -> int:
        """Restore what *holds* (identity, credential) lets go on, and begin; gives how many."""
        self._coaps = coaps
        coaps.on_unsaved = self.attend
        if self._file is None:
            self._needed.set()
            coaps.note_file_gone()
            return 0
        entries: dict[int, Entry] = {}
        try:
            rows, journal = self._file.load()
            for row in journal:
                replay(entries, row)
        except (StorageUnavailable, DecodeError) as error:
            # Of a journal that cannot be read to its end no number can be trusted to be the last.
            self._fail(error)
            return 0
        self._journal_bytes = sum(map(len, journal))
        for stored in sorted(rows):
            if not self._restore(self._file, stored, entries, holds):
                self._refused.append(stored.number)
        count = coaps.endpoint.session_count
        log.info("sessions restored", sessions=count, refused=len(self._refused))
        if self._refused:
            self._start()
        return count

    def attend(self, urgency: Urgency) -> None:
        """There is something to write."""
        if self._writing is not None or self._is_failed or self._is_closing:
            return
        if urgency is Urgency.NOW:
            self._start()
        elif self._timer is None:
            self._timer = self._loop.call_later(WINDOW_S, self._start)

    async def run(self) -> None:
        """Look after the file; returns only by an exception."""
        while True:
            try:
                is_urgent = self._is_failed and not self._is_disowned
                async with asyncio.timeout(RETRY_S if is_urgent else UPKEEP_S):
                    await self._needed.wait()
            except TimeoutError:
                pass
            self._needed.clear()
            await self.maintain()

    async def maintain(self) -> None:
        """Empty the log; after a failure see that no file counts, then go on without, then make another."""
        if self._file is not None and not self._is_failed:
            if self._is_sweep_due():
                self.attend(Urgency.NOW)
            try:
                await self._run(self._file.checkpoint)
            except StorageUnavailable as error:
                self._fail(error)
        elif self._is_disowned:
            await self._begin_anew()
        if self._is_failed and not self._is_disowned:
            await self._let_go()

    async def close(self) -> None:
        """Write all there is, and let the next start find it; the transport must be closed already."""
        file = await self._end()
        try:
            if file is not None and not self._is_failed:
                await self._write_last(file)
                await self._registry.vault.hand_back_sessions(file)
            elif not self._is_disowned:
                await self._registry.vault.disown_sessions()
        except StorageUnavailable as error:
            log.error("sessions could not be stored", reason=str(error))
        finally:
            await self._release(file)

    async def abandon(self) -> None:
        """Let go of the file as it is, without another word, as a crash would."""
        await self._release(await self._end())

    async def _end(self) -> SessionFile | None:
        """Take no more; gives the file, when nobody writes it."""
        self._is_closing = True
        if self._timer is not None:
            self._timer.cancel()
        if self._writing is not None:
            await asyncio.wait([self._writing])
        file, self._file = self._file, None
        return file

    async def _release(self, file: SessionFile | None) -> None:
        if file is not None:
            await self._run(file.close)
        if isinstance(self._executor, ThreadPoolExecutor):
            self._executor.shutdown()

    # --- restoring

    def _restore(
        self,
        file: SessionFile,
        row: SessionRow,
        entries: dict[int, Entry],
        holds: Callable[[bytes, bytes], bool],
    ) -> bool:
        if not holds(row.identity, row.credential):
            return False
        state = file.unseal(row)
        if state is None:
            return False
        try:
            stored = decode_session(state)
        except DecodeError:
            return False
        endpoint = self._coaps.endpoint
        now, wall_ms = self._clock.monotonic(), self._clock.wall_ms()
        if stored.is_over:
            return endpoint.restore_resumable(row.number, row.identity, stored, now, wall_ms)
        entry = entries.get(row.number)
        session = None if entry is None else endpoint.restore(row.identity, stored, entry, now, wall_ms)
        if session is not None:
            session.credential = row.credential
        return session is not None

    # --- writing

    def _start(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._file is None or self._is_failed or self._is_closing:
            return
        endpoint = self._coaps.endpoint
        begins_sweep = self._is_sweep_due()
        if begins_sweep:
            self._is_sweeping = True
            self._swept_at = self._clock.monotonic()
            self._swept_bytes = 0
            endpoint.sweep()
        batch = endpoint.take_batch(self._clock.monotonic(), self._clock.wall_ms())
        gone = self._refused + batch.gone
        self._refused = []
        self._batch = batch
        makes_whole = batch.is_whole and not self._is_whole
        job = partial(_write, self._file, batch, gone, begins_sweep, makes_whole)
        self._writing = self._run(job)
        self._writing.add_done_callback(self._finish)

    def _is_sweep_due(self) -> bool:
        if self._is_sweeping:
            return False
        limit = SWEEP_BYTES + SWEEP_BYTES_PER_SESSION * self._coaps.endpoint.session_count
        return self._journal_bytes > limit or self._clock.monotonic() - self._swept_at > SWEEP_S

    def _finish(self, future: asyncio.Future[None]) -> None:
        batch, self._batch, self._writing = self._batch, None, None
        assert batch is not None, "one batch at a time"
        error = future.exception()
        if error is not None:
            self._fail(error)
            if not isinstance(error, StorageUnavailable):
                raise error
        if self._is_failed:
            # Nothing may be promised any more by a file that is about to go.
            return
        self._journal_bytes += len(batch.entries)
        self._swept_bytes += len(batch.entries)
        if batch.ends_sweep:
            self._is_sweeping = False
            self._journal_bytes = self._swept_bytes
        if batch.is_whole and not self._is_whole:
            self._is_whole = True
            log.info("sessions are stored again")
        # What had waited is delivered; what that brings about comes back by `attend`.
        if not self._is_closing:
            self._coaps.note_saved(batch)

    async def _write_last(self, file: SessionFile) -> None:
        endpoint = self._coaps.endpoint
        while endpoint.urgency:
            batch = endpoint.take_batch(self._clock.monotonic(), self._clock.wall_ms())
            # A record still held stays unanswered; its sender repeats it after the start.
            await self._run(partial(_write, file, batch, self._refused + batch.gone, False, batch.is_whole))
            self._refused = []
        rows: Sequence[bytes] = list(endpoint.last_entries())
        await self._run(partial(file.write, [], [], rows))

    # --- failing, and beginning anew

    def _fail(self, error: BaseException) -> None:
        log.error("sessions cannot be stored; they go on in memory", reason=str(error))
        self._is_failed = True
        self._is_disowned = False
        self._needed.set()

    async def _let_go(self) -> None:
        """Nothing may be sent beyond what the file knows of before it is certain that it does not count."""
        file, self._file = self._file, None
        if file is not None:
            await self._run(file.close)
        try:
            await self._registry.vault.disown_sessions()
        except StorageUnavailable as error:
            log.error("the file of sessions cannot be deleted, trying again", reason=str(error))
            return
        self._is_disowned = True
        self._is_whole = False
        self._is_sweeping = False
        self._journal_bytes = 0
        self._coaps.note_file_gone()

    async def _begin_anew(self) -> None:
        try:
            self._file = await self._registry.vault.create_sessions()
        except (KeyUnusable, StorageUnavailable):
            return
        self._is_failed = self._is_disowned = False
        self._coaps.endpoint.note_file()
        self._start()

    def _run(self, job: Callable[[], None]) -> asyncio.Future[None]:
        return self._loop.run_in_executor(self._executor, job)


def _write(
    file: SessionFile, batch: Batch, gone: Sequence[int], begins_sweep: bool, makes_whole: bool
) -> None:
    rows = [SessionRow(each.number, each.identity, each.credential, state) for each, state in batch.rows]
    if begins_sweep:
        file.begin_sweep()
    file.write(rows, gone, (batch.entries,), ends_sweep=batch.ends_sweep, is_whole=makes_whole)
