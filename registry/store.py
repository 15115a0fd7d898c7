"""The registry as the gateway sees it: reads from memory, changes through group commits.

Order of every change: commit, then memory, then the answer (*done*), then the fact. Lives in one event loop;
everything that touches the file runs in the writer's thread.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import TypeVar, get_args

from registry import generation, purge, refusals, serverkey, snapshots
from registry.adoption import adopt
from registry.clock import Clock, SystemClock
from registry.commit import (
    OVERLOADED,
    OVERTAKEN,
    Alter,
    Attached,
    Change,
    CommitFailure,
    CommitOutcome,
    Committer,
    Done,
    Purge,
    Refuse,
    Register,
    Remove,
    Report,
)
from registry.downlinkstore import DownlinkStore
from registry.errors import DatabaseUnusable, KeyUnusable, StorageUnavailable
from registry.events import DevicePurged, EndFact, EventType, Fact, RegistrationExpired
from registry.leases import expiry_after
from registry.model import Device, ObjectList, Origin, Reading, Refusal, Registration
from registry.opening import Opened, open_parts, read_changes
from registry.overlay import Overlay
from registry.reaper import Reaper
from registry.serverkey import ServerKey
from registry.sessionfile import SessionFile
from registry.settings import RegistrySettings
from registry.snapshots import Snapshots
from registry.sqlite import Database
from registry.writer import GroupWriter

_CHANGES_PER_CHECKPOINT = 2000
_INTERRUPTED = CommitOutcome(CommitFailure.STORAGE, "the commit was interrupted")

T = TypeVar("T")


class Registry:
    """Devices, registrations and leases of one running gateway.

    `open` it, use it from the loop's thread only, drive `expire`, `purge_claims`, `poll_changes`, `snapshot`
    and `prune_events` from workers, and `close` it after the last datagram was answered.
    """

    def __init__(
        self,
        database: Database,
        opened: Opened,
        settings: RegistrySettings,
        clock: Clock,
        executor: Executor,
        own_executor: ThreadPoolExecutor | None,
    ) -> None:
        """For `open`, which prepares the parts."""
        self._loop = asyncio.get_running_loop()
        self._database = database
        self._opened = opened
        self._settings = settings
        self._clock = clock
        self._executor = executor
        self._own_executor = own_executor
        self._memory, self._axis, self._pool = opened.memory, opened.axis, opened.pool
        self._sealer = opened.sealer
        self._overlay = Overlay()
        self._writer: GroupWriter[Change, CommitOutcome] = GroupWriter(
            executor,
            Committer(database, clock).commit,
            self._conclude,
            failed=_INTERRUPTED,
            window_s=settings.group_window_s,
            rows=settings.group_rows,
        )
        self._reaper = Reaper(self._memory, self._overlay, self._axis, clock, self._writer.submit)
        self._snapshots = Snapshots(self._memory, self._axis, clock)
        self._limiter = refusals.RefusalLimiter(clock.monotonic())
        self._fact_listeners: list[Callable[[Fact], None]] = []
        self._end_listeners: list[Callable[[EndFact], None]] = []
        self._fault_listeners: list[Callable[[str | None], None]] = []
        self._refusal_listeners: list[Callable[[str, Refusal], None]] = []
        self.downlink = DownlinkStore(self._submit_attached, self._run, database, settings.value_history)
        "Commands and observations."

        self._fault: str | None = None
        self._is_key_fault_told = False
        self._uncheckpointed = 0
        self._is_closed = False
        self.refusals_suppressed = 0
        "Refusals that were not recorded, because there were too many."

    @classmethod
    async def open(
        cls,
        database: Database,
        *,
        settings: RegistrySettings | None = None,
        clock: Clock | None = None,
        executor: Executor | None = None,
    ) -> Registry:
        """Take *database* over, remove its clean mark and load everything.

        *executor* runs one job at a time, in order; without one a writer thread of our own does. The caller
        may want the garbage collector off meanwhile, and ``gc.freeze()`` afterwards.

        Raises:
            DatabaseUnusable: another gateway has it, or it is damaged.
            KeyUnusable: secrets are sealed and their key is missing or another one.
            StorageUnavailable: the disk is full or fails, or another program holds the file.
        """
        settings, clock = settings or RegistrySettings(), clock or SystemClock()
        own_executor = None
        if executor is None:
            executor = own_executor = ThreadPoolExecutor(1, "registry-writer")
        loop = asyncio.get_running_loop()
        async with contextlib.AsyncExitStack() as unfinished:
            if own_executor is not None:
                unfinished.callback(own_executor.shutdown)
            unfinished.callback(database.close)
            opened = await loop.run_in_executor(executor, open_parts, database, clock, settings)
            unfinished.callback(opened.lock.release)
            registry = cls(database, opened, settings, clock, executor, own_executor)
            # Leases have moved with the restart; what administrators see should not be the old ones.
            await registry.snapshot()
            unfinished.pop_all()
        return registry

    async def flush(self) -> None:
        """Return when every change submitted so far, and meanwhile, is committed or has failed."""
        await self._writer.flush()

    async def close(self) -> None:
        """Finish the group, write the last snapshot and the clean mark, give the file back.

        Renewals after this call are lost. Safe to call twice.

        Raises:
            StorageUnavailable: the last snapshot could not be written; the file is given back all the same.
        """
        if self._is_closed:
            return
        self._is_closed = True
        try:
            await self._writer.flush()
            snapshot = self._snapshots.take(is_last=True)
            for moves in snapshot.chunk_moves():
                await self._run(partial(snapshots.write_moves, self._database, moves))
            await self._run(partial(snapshots.write_leases, self._database, snapshot))
            await self._run(partial(self._database.checkpoint, truncate=True))
        finally:
            await self._release()

    # Reads

    def find_device(self, node_id: str) -> Device | None:
        """The device with this node ID."""
        return self._memory.devices.get(node_id)

    def find_device_of_key(self, public_key_sha256: bytes) -> Device | None:
        """The raw-public-key device whose key (SubjectPublicKeyInfo in DER) has this SHA-256."""
        return self._memory.public_keys.get(public_key_sha256)

    def find_devices_named(self, names: Iterable[str], dns_names: Iterable[str]) -> Sequence[Device]:
        """The X.509 devices with a node ID among *names*, or among *dns_names* in whatever case."""
        return self._memory.find_named(names, dns_names)

    def find_secret(self, device: Device) -> bytes | None:
        """The pre-shared key in clear; None where there is none or the key at hand does not open it."""
        if device.sealed_secret is None or self._sealer is None:
            return None
        try:
            return self._sealer.unseal(device.sealed_secret, device.device_id)
        except KeyUnusable as error:
            self._tell_key_fault(error)
            return None

    def find_registration(self, location: str) -> Registration | None:
        """What stands at ``/rd/<location>`` once all pending changes are committed."""
        pending = self._overlay.locations
        if pending and location in pending:
            return pending[location]
        return self._memory.locations.get(location)

    def find_registration_of(self, device_number: int) -> Registration | None:
        """The device's registration once all pending changes are committed."""
        pending = self._overlay.devices.get(device_number)
        return self._memory.registrations.get(device_number) if pending is None else pending.latest

    def find_registration_from(self, address: str) -> Registration | None:
        """The registration over plain CoAP that was last heard from *address*, as `find_registration_of`."""
        registration = self._memory.find_source(address)
        return None if registration is None else self.find_registration_of(registration.device)

    def find_profile(self, device_number: int, profile_id: str) -> ObjectList | None:
        """The object list that this device once sent together with this ``pid``."""
        known, objects = self._memory.profiles.get(device_number, (None, None))
        return objects if known == profile_id else None

    async def obtain_server_key(
        self, make: Callable[[], ServerKey], entropy: Callable[[int], bytes] = secrets.token_bytes
    ) -> ServerKey:
        """The gateway's own key, by *make* if there is none yet.

        Raises:
            KeyUnusable: it is sealed and cannot be opened, or cannot be sealed.
            StorageUnavailable: it could not be stored.
        """
        keyring = self._opened.keyring
        return await self._run(partial(serverkey.obtain, self._database, keyring, make, entropy))

    async def note_server_chain(self, chain: bytes | None) -> None:
        """Let administrators see what the gateway shows in place of its own certificate.

        Raises:
            StorageUnavailable: it could not be stored.
        """
        await self._run(partial(serverkey.note_chain, self._database, chain))

    # The file of sessions (`registry.generation` says what each does, and what it raises)

    async def take_over_sessions(self, entropy: Callable[[int], bytes] = secrets.token_bytes) -> SessionFile:
        """The file of sessions, with what an earlier run has left in it."""
        return await self._run(partial(generation.take_over, self._database, self._opened.keyring, entropy))

    async def create_sessions(self, entropy: Callable[[int], bytes] = secrets.token_bytes) -> SessionFile:
        """A new one, that does not count before it is whole."""
        return await self._run(partial(generation.create, self._database, self._opened.keyring, entropy))

    async def hand_back_sessions(self, file: SessionFile) -> None:
        """*file* is complete: close it, so that the next start finds it to be the right one."""
        await self._run(partial(generation.hand_back, self._database, file))

    async def disown_sessions(self) -> None:
        """There shall be no file that the next start finds to be the right one."""
        await self._run(partial(generation.disown, self._database))

    @property
    def device_count(self) -> int:
        """Number of devices."""
        return len(self._memory.devices)

    @property
    def registration_count(self) -> int:
        """Number of committed registrations."""
        return len(self._memory.registrations)

    @property
    def is_overloaded(self) -> bool:
        """Whether changes are refused: too many wait for their commit, or the registry closes."""
        return self._writer.pending >= self._settings.max_pending or self._is_closed

    @property
    def fault(self) -> str | None:
        """What keeps changes from being committed at present, in words for the operator."""
        return self._fault

    # Changes

    def register(self, registration: Registration, done: Done) -> None:
        """Commit *registration* in place of whatever its device has; *done* is called after the commit.

        For the memory's sake `node_id` and `device_id` are best the very strings of the `Device`.
        """
        number = registration.device
        device = self._memory.numbers.get(number)
        if device is None or self.is_overloaded:
            self._turn_away(done)
            return
        shared = self._pool.share(registration.objects)
        if shared.objects is not registration.objects:
            registration = registration._replace(objects=shared.objects)
        self._overlay.begin(number, self.find_registration_of(number), registration)
        self._writer.submit(Register(device, registration, shared, done))

    def change(self, registration: Registration, done: Done) -> None:
        """Commit a new version of the registration at the same location and renew its lease."""
        number = registration.device
        device, before = self._memory.numbers.get(number), self._find_present(registration)
        if device is None or before is None or self.is_overloaded:
            self._turn_away(done)
            return
        shared = self._pool.share(registration.objects)
        if shared.objects is not registration.objects:
            registration = registration._replace(objects=shared.objects)
        self._overlay.begin(number, before, registration)
        self._writer.submit(Alter(device, before, registration, shared, done))

    def renew(self, registration: Registration, address: str) -> None:
        """A plain Update: the lease begins anew, in memory; a new *address* goes with the next snapshot."""
        number = registration.device
        current = self._memory.registrations.get(number)
        if current is not None:
            # The committed lifetime: one that is on its way counts from its commit.
            lifetime_s = current.lifetime_s
            if lifetime_s:
                lifetime_s += self._settings.lifetime_grace_s
            now = self._clock.monotonic() + self._axis.offset_s
            self._memory.leases.renew(number, expiry_after(now, lifetime_s))
        self.move(registration, address)

    def move(self, registration: Registration, address: str) -> None:
        """The device was heard from *address*; where that is new it goes with the next snapshot."""
        if address == registration.address:
            return
        number = registration.device
        pending = self._overlay.devices.get(number)
        if pending is not None and pending.latest is not None:
            self._overlay.replace_latest(number, pending.latest._replace(address=address))
        current = self._memory.registrations.get(number)
        if current is not None and current.location == registration.location:
            self._memory.put_registration(current._replace(address=address))
            self._snapshots.note_move(number)

    def deregister(self, registration: Registration, done: Done) -> None:
        """Commit the end of the registration; its location is unknown from now on, unless that fails."""
        number = registration.device
        device, before = self._memory.numbers.get(number), self._find_present(registration)
        if device is None or before is None or self.is_overloaded:
            self._turn_away(done)
            return
        self._overlay.begin(number, before, None)
        self._writer.submit(Remove(device, before, EventType.DEREGISTERED, done))

    def keep_values(
        self, device_number: int, readings: Sequence[Reading], origin: Origin, done: Done
    ) -> None:
        """Commit what a device reported in one message, with one event; *done* is called after the commit."""
        device = self._memory.numbers.get(device_number)
        if device is None or self.is_overloaded:
            self._turn_away(done)
            return
        self._writer.submit(Report(device, readings, origin, self._settings.value_history, done))

    def refuse(self, node_id: str, address: str, reason: str) -> None:
        """Record that somebody was turned away, unless too many are."""
        node_id = node_id[: refusals.MAX_NODE_ID_LENGTH]
        device = self._memory.devices.get(node_id)
        is_admitted = self._limiter.admit(node_id, is_device=device is not None, now=self._clock.monotonic())
        if not is_admitted or self.is_overloaded:
            self.refusals_suppressed += 1
            return
        refusal = Refusal(
            self._clock.wall_ms(),
            refusals.clean(address, refusals.MAX_ADDRESS_LENGTH),
            refusals.clean(reason, refusals.MAX_REASON_LENGTH),
        )
        node_id = refusals.clean(node_id, refusals.MAX_NODE_ID_LENGTH)
        self._writer.submit(Refuse(node_id, None if device is None else device.device_id, refusal))
        for listener in self._refusal_listeners:
            listener(node_id, refusal)

    # Listeners, all called in the loop's thread

    def on_fact(self, listener: Callable[[Fact], None]) -> None:
        """Have *listener* called with every fact, after its commit and its answer."""
        self._fact_listeners.append(listener)

    def on_end(self, listener: Callable[[EndFact], None]) -> None:
        """Have *listener* called with the facts that end sessions or registrations of their own accord."""
        self._end_listeners.append(listener)

    def on_fault(self, listener: Callable[[str | None], None]) -> None:
        """Have *listener* called with the reason when commits begin to fail, with None when they work."""
        self._fault_listeners.append(listener)

    def on_refusal(self, listener: Callable[[str, Refusal], None]) -> None:
        """Have *listener* called with the node ID and every refusal that is recorded."""
        self._refusal_listeners.append(listener)

    # Driven by workers

    def expire(self, now: float) -> None:
        """Begin to end the registrations overdue at monotonic *now*; call it four times a second."""
        self._reaper.expire(now)

    def purge_claims(self, now: float) -> None:
        """Begin to purge the devices whose claim deadline has passed at *now*; call it each second."""
        self._reaper.purge(now)

    async def poll_changes(self) -> None:
        """Take over what administrators have done to the file; call it four times a second.

        Secrets that they sealed with another key than ours are a fault that listeners hear of.

        Raises:
            StorageUnavailable: the file cannot be read at present.
        """
        has_more = True
        while has_more:
            changes = await self._run(partial(read_changes, self._opened))
            if changes is None:
                return
            has_more = changes.events.has_more
            if changes.sealer is not self._sealer:
                self._sealer, self._is_key_fault_told = changes.sealer, False
            now = self._axis.at(self._clock.monotonic())
            self.downlink.notice(changes.events.commands)
            for fact in adopt(self._memory, changes.events, now, self._clock.wall_ms()):
                self._tell(fact)
            if changes.key_fault is not None:
                self._tell_key_fault(changes.key_fault)

    async def snapshot(self) -> None:
        """Write the leases and addresses that changed; call it every 30 seconds.

        Raises:
            StorageUnavailable: nothing is lost, the next one writes it.
        """
        snapshot = self._snapshots.take()
        try:
            for moves in snapshot.chunk_moves():
                await self._run(partial(snapshots.write_moves, self._database, moves))
            await self._run(partial(snapshots.write_leases, self._database, snapshot))
        except (DatabaseUnusable, StorageUnavailable):
            self._snapshots.put_back(snapshot)
            raise

    async def prune_events(self) -> None:
        """Delete old events and refusals, and rows that nothing refers to any more; call it every hour.

        Works in chunks, between groups.

        Raises:
            StorageUnavailable: the rest goes next time.
        """
        keep_s = self._settings.events_keep_s
        await self._run_chunks(purge.prune_history, keep_s)
        await self._run_chunks(purge.prune_values, self._settings.events_keep_values_s)
        await self._run_chunks(purge.prune_commands, keep_s)
        await self._run_chunks(purge.remove_orphans, keep_s)

    # Conclusions: a commit is reported, in the loop's thread and in order

    def _conclude(self, change: Change, outcome: CommitOutcome) -> None:
        if outcome.is_committed:
            self._note_commit()
        elif outcome.failure is CommitFailure.STORAGE:
            self._tell_fault(outcome.detail)
        if isinstance(change, Register):
            self._conclude_register(change, outcome)
        elif isinstance(change, Alter):
            self._conclude_placing(change, outcome)
        elif isinstance(change, Remove):
            self._conclude_remove(change, outcome)
        elif isinstance(change, Purge):
            self._conclude_purge(change, outcome)
        elif isinstance(change, Attached):
            change.done(outcome)

    def _conclude_register(self, change: Register, outcome: CommitOutcome) -> None:
        device = self._memory.numbers.get(change.registration.device)
        if outcome.is_committed and device is not None and device.connected_at_ms is None:
            self._memory.connect(device, change.registration.registered_at_ms)
        self._conclude_placing(change, outcome)

    def _conclude_placing(self, change: Register | Alter, outcome: CommitOutcome) -> None:
        registration = change.registration
        number = registration.device
        pending = self._overlay.finish(number)
        if outcome.is_committed:
            if pending is not None and pending.latest is not None and pending.latest is not registration:
                # It has moved while its commit was on the way.
                registration = pending.latest
                self._snapshots.note_move(number)
            now = self._axis.at(self._clock.monotonic())
            self._memory.put_registration(registration)
            if isinstance(change, Register) or change.has_new_profile:
                self._memory.remember_profile(registration)
            self._memory.grant(registration, now, self._settings.lifetime_grace_s)
        change.done(outcome)

    def _conclude_remove(self, change: Remove, outcome: CommitOutcome) -> None:
        number = change.registration.device
        self._overlay.finish(number)
        if outcome.is_committed:
            self._memory.remove_registration(number)
        change.done(outcome)
        if change.type is EventType.REGISTRATION_EXPIRED:
            self._reaper.expired(change, outcome)
            if outcome.is_committed:
                self._tell(RegistrationExpired(change.device, change.registration))

    def _conclude_purge(self, change: Purge, outcome: CommitOutcome) -> None:
        if outcome.is_committed:
            self._memory.remove_device(change.device)
        self._reaper.purged(change, outcome)
        if outcome.is_committed:
            self._tell(DevicePurged(change.device))

    def _note_commit(self) -> None:
        if self._fault is not None:
            self._tell_fault(None)
        self._uncheckpointed += 1
        if self._uncheckpointed >= _CHANGES_PER_CHECKPOINT:
            self._uncheckpointed = 0
            self._run(self._database.checkpoint).add_done_callback(self._note_checkpoint)

    def _note_checkpoint(self, future: asyncio.Future[None]) -> None:
        error = future.exception()
        if isinstance(error, DatabaseUnusable | StorageUnavailable):
            # The log holds everything still; the next one tries again.
            self._tell_fault(str(error))
        elif error is not None:
            raise error

    # Odds and ends of the above

    def _find_present(self, registration: Registration) -> Registration | None:
        before = self.find_registration_of(registration.device)
        return before if before is not None and before.location == registration.location else None

    def _submit_attached(self, number: int, make: Callable[[Device], Attached], done: Done) -> None:
        device = self._memory.numbers.get(number)
        if device is None or self.is_overloaded:
            self._turn_away(done)
        else:
            self._writer.submit(make(device))

    def _turn_away(self, done: Done) -> None:
        self._loop.call_soon(done, OVERLOADED if self.is_overloaded else OVERTAKEN)

    def _tell(self, fact: Fact) -> None:
        for listener in self._fact_listeners:
            listener(fact)
        if isinstance(fact, get_args(EndFact)):
            for end_listener in self._end_listeners:
                end_listener(fact)

    def _tell_fault(self, fault: str | None) -> None:
        if fault == self._fault:
            return
        self._fault = fault
        for listener in self._fault_listeners:
            listener(fault)

    def _tell_key_fault(self, error: KeyUnusable) -> None:
        # Once, not at every handshake.
        if not self._is_key_fault_told:
            self._is_key_fault_told = True
            for listener in self._fault_listeners:
                listener(str(error))

    def _run(self, job: Callable[[], T]) -> asyncio.Future[T]:
        return self._loop.run_in_executor(self._executor, job)

    async def _run_chunks(
        self, delete_chunk: Callable[[sqlite3.Connection, int, int], int], keep_s: int
    ) -> None:
        while await self._run(partial(self._delete_chunk, delete_chunk, keep_s)):
            pass

    def _delete_chunk(self, delete_chunk: Callable[[sqlite3.Connection, int, int], int], keep_s: int) -> int:
        with self._database.transaction() as connection:
            return delete_chunk(connection, self._clock.wall_ms(), keep_s)

    async def _release(self) -> None:
        self._is_closed = True
        await self._run(self._database.close)
        self._opened.lock.release()
        if self._own_executor is not None:
            self._own_executor.shutdown()
