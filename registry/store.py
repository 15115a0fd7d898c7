"""The registry as the gateway sees it: reads from memory, changes through group commits.

Order of every change: commit, then memory, then the answer (*done*), then the fact. Lives in one event loop;
everything that touches the file runs in the writer's thread.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from functools import partial
from typing import TypeVar

from registry import refusals
from registry.adoption import adopt
from registry.changes import Alter, Attached, Change, Refuse, Register, Remove, Report
from registry.clock import Clock, SystemClock
from registry.commit import Committer
from registry.conclusions import Conclusions
from registry.downlinkstore import DownlinkStore
from registry.errors import KeyUnusable
from registry.events import EventType
from registry.leases import expiry_after
from registry.listeners import Listeners, OnEnd, OnFact, OnFault, OnRefusal
from registry.model import Device, ObjectList, Origin, Reading, Refusal, Registration
from registry.opening import Opened, open_parts, read_changes
from registry.outcomes import OVERLOADED, OVERTAKEN, CommitFailure, CommitOutcome, Done
from registry.overlay import Overlay
from registry.reaper import Reaper
from registry.settings import RegistrySettings
from registry.snapshots import Snapshots
from registry.sqlite import Database
from registry.upkeep import Upkeep
from registry.vault import Vault
from registry.writer import GroupWriter

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
        self._listeners = Listeners()
        self._upkeep = Upkeep(self._run, database, self._snapshots, settings, clock, self._listeners)
        self._conclusions = Conclusions(
            self._memory,
            self._overlay,
            self._axis,
            clock,
            settings.lifetime_grace_s,
            self._reaper,
            self._snapshots,
            self._listeners,
        )
        self.downlink = DownlinkStore(self._submit_attached, self._run, database, settings.value_history)
        "Commands and observations."

        self.vault = Vault(self._run, database, opened.keyring)
        "The gateway's own key, and the file of its sessions."

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
            await self._upkeep.finish()
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
            self._listeners.tell_key_fault(error)
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
        return self._listeners.fault

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
        self._listeners.tell_refusal(node_id, refusal)

    # Listeners, all called in the loop's thread

    def on_fact(self, listener: OnFact) -> None:
        """Have *listener* called with every fact, after its commit and its answer."""
        self._listeners.on_fact.append(listener)

    def on_end(self, listener: OnEnd) -> None:
        """Have *listener* called with the facts that end sessions or registrations of their own accord."""
        self._listeners.on_end.append(listener)

    def on_fault(self, listener: OnFault) -> None:
        """Have *listener* called with the reason when commits begin to fail, with None when they work."""
        self._listeners.on_fault.append(listener)

    def on_refusal(self, listener: OnRefusal) -> None:
        """Have *listener* called with the node ID and every refusal that is recorded."""
        self._listeners.on_refusal.append(listener)

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
                self._sealer = changes.sealer
                self._listeners.renew_key()
            now = self._axis.at(self._clock.monotonic())
            self.downlink.notice(changes.events.commands)
            for fact in adopt(self._memory, changes.events, now, self._clock.wall_ms()):
                self._listeners.tell(fact)
            if changes.key_fault is not None:
                self._listeners.tell_key_fault(changes.key_fault)

    async def snapshot(self) -> None:
        """Write the leases and addresses that changed; call it every 30 seconds.

        Raises:
            StorageUnavailable: nothing is lost, the next one writes it.
        """
        await self._upkeep.snapshot()

    async def prune_events(self) -> None:
        """Delete old events and refusals, and rows that nothing refers to any more; call it every hour.

        Works in chunks, between groups.

        Raises:
            StorageUnavailable: the rest goes next time.
        """
        await self._upkeep.prune()

    # Conclusions: a commit is reported, in the loop's thread and in order

    def _conclude(self, change: Change, outcome: CommitOutcome) -> None:
        if outcome.is_committed:
            if self._listeners.fault is not None:
                self._listeners.tell_fault(None)
            self._upkeep.note_commit()
        elif outcome.failure is CommitFailure.STORAGE:
            self._listeners.tell_fault(outcome.detail)
        self._conclusions.conclude(change, outcome)

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

    def _run(self, job: Callable[[], T]) -> asyncio.Future[T]:
        return self._loop.run_in_executor(self._executor, job)

    async def _release(self) -> None:
        self._is_closed = True
        await self._run(self._database.close)
        self._opened.lock.release()
        if self._own_executor is not None:
            self._own_executor.shutdown()
