"""From changes to one transaction: what each writes, and whether the database still agrees.

Runs in the writer's thread. A change was decided on what memory held; an administrator may have frozen or
deleted the device since. So the transaction begins by reading what the rows say now, and a change that was
overtaken is left out and told so, while the others of its group go in.
"""

from __future__ import annotations

import abc
import contextlib
import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from registry import devices, outbox, purge, refusals, registrations, values
from registry.clock import Clock
from registry.errors import DatabaseUnusable, StorageUnavailable
from registry.events import EventType
from registry.model import Device, Origin, Reading, Refusal, Registration
from registry.registrations import SharedObjects, day_of
from registry.sqlite import Database


class CommitFailure(StrEnum):
    """Why a change is not in the registry."""

    STORAGE = "storage"
    "The disk is full or fails, or the file is locked; later it may work again."

    OVERTAKEN = "overtaken"
    "The device was deleted, frozen or given another secret meanwhile, or the registration is gone."

    INVALID = "invalid"
    "It holds a value that no row can hold."

    OVERLOADED = "overloaded"
    "Too many changes wait for their commit already."


@dataclass(frozen=True, slots=True)
class CommitOutcome:
    """What became of one change."""

    failure: CommitFailure | None = None
    "None: it is on the disk."

    detail: str = ""
    "For the operator."

    @property
    def is_committed(self) -> bool:
        """Whether it will survive a power cut."""
        return self.failure is None


COMMITTED = CommitOutcome()
OVERTAKEN = CommitOutcome(CommitFailure.OVERTAKEN)
INVALID = CommitOutcome(CommitFailure.INVALID)
OVERLOADED = CommitOutcome(CommitFailure.OVERLOADED)

Done = Callable[[CommitOutcome], None]

# Raised for one row's values; everything else is about the file, or a bug.
_BAD_ROW = (
    sqlite3.IntegrityError,
    sqlite3.DataError,
    sqlite3.InterfaceError,
    sqlite3.ProgrammingError,
    OverflowError,
    UnicodeEncodeError,
)

_KNOWN = (
    "SELECT d.number, d.revision, d.is_frozen, d.connected_at_ms, r.location"
    " FROM json_each(?) AS wanted CROSS JOIN device AS d ON d.number = wanted.value"
    " LEFT JOIN registration AS r ON r.device = d.number"
)
_CONNECT = "UPDATE device SET connected_at_ms = ? WHERE number = ?"
_GATEWAY = int(outbox.Source.GATEWAY)


class Known:
    """What the rows of a device say at this point of the transaction."""

    __slots__ = ("is_connected", "is_frozen", "location", "revision")

    def __init__(
        self, revision: int, is_frozen: int, connected_at_ms: int | None, location: str | None
    ) -> None:
        self.revision = revision
        self.is_frozen = is_frozen
        self.is_connected = connected_at_ms is not None
        self.location = location


class Batch:
    """One transaction in the making."""

    def __init__(self, connection: sqlite3.Connection, numbers: set[int], now_ms: int) -> None:
        self.connection = connection
        self.now_ms = now_ms
        self.known = {
            number: Known(*row) for number, *row in connection.execute(_KNOWN, (json.dumps(list(numbers)),))
        }
        self.registrations: dict[int, tuple[object, ...] | None] = {}
        self.events: list[outbox.Row] = []
        self.connected: list[tuple[int, int]] = []
        self.profiles: list[tuple[int, str, int]] = []
        self.resolved: list[SharedObjects] = []
        self._today = day_of(now_ms)

    def row_of(self, shared: SharedObjects) -> int:
        """Row id of an object list, which is made or marked as used today where that is new."""
        if shared.row_id is None or shared.used_on != self._today:
            self.resolved.append(shared)
            shared.row_id = registrations.store_objects(self.connection, shared.objects, self._today)
            shared.used_on = self._today
        return shared.row_id

    def forget_rows(self) -> None:
        """The transaction failed: the object lists made in it are not there after all."""
        for shared in self.resolved:
            shared.row_id = None

    def write(self) -> None:
        """Send everything collected to the connection."""
        many = self.connection.executemany
        upserts = [row for row in self.registrations.values() if row is not None]
        if upserts:
            many(registrations.UPSERT, upserts)
        if len(upserts) < len(self.registrations):
            gone = [(number,) for number, row in self.registrations.items() if row is None]
            many(registrations.DELETE, gone)
        if self.connected:
            many(_CONNECT, self.connected)
        if self.profiles:
            many(registrations.REMEMBER_PROFILE, self.profiles)
        outbox.append(self.connection, self.events)


class Register:
    """A new registration, in place of whatever the device had."""

    __slots__ = ("device", "done", "registration", "shared")

    def __init__(self, device: Device, registration: Registration, shared: SharedObjects, done: Done) -> None:
        self.device = device
        self.registration = registration
        self.shared = shared
        self.done = done

    def collect(self, batch: Batch) -> CommitOutcome:
        """Add what this change writes to *batch*, if the rows still allow it."""
        device, registration = self.device, self.registration
        number = device.number
        known = batch.known.get(number)
        if known is None or known.is_frozen or known.revision != device.revision:
            return OVERTAKEN
        known.location = registration.location
        objects = batch.row_of(self.shared)
        batch.registrations[number] = registrations.to_row(registration, objects, batch.now_ms)
        batch.events.append(
            (
                registration.registered_at_ms,
                "registered",
                registration.device_id,
                registration.node_id,
                outbox.encode_registered(registration),
                objects,
                _GATEWAY,
            )
        )
        if not known.is_connected:
            known.is_connected = True
            batch.connected.append((registration.registered_at_ms, number))
        if registration.profile_id is not None:
            batch.profiles.append((number, registration.profile_id, objects))
        return COMMITTED


class Alter:
    """An Update that changes something."""

    __slots__ = ("before", "device", "done", "registration", "shared")

    def __init__(
        self,
        device: Device,
        before: Registration,
        registration: Registration,
        shared: SharedObjects,
        done: Done,
    ) -> None:
        self.device = device
        self.before = before
        self.registration = registration
        self.shared = shared
        self.done = done

    @property
    def has_new_profile(self) -> bool:
        """Whether a ``pid`` came with it; an object list alone says nothing about the former one."""
        return self.registration.profile_id != self.before.profile_id

    def collect(self, batch: Batch) -> CommitOutcome:
        """Add what this change writes to *batch*, if the rows still allow it."""
        registration = self.registration
        known = batch.known.get(registration.device)
        if known is None or known.location != registration.location:
            return OVERTAKEN
        objects = batch.row_of(self.shared)
        batch.registrations[registration.device] = registrations.to_row(registration, objects, batch.now_ms)
        batch.events.append(
            (
                batch.now_ms,
                EventType.REGISTRATION_CHANGED.value,
                registration.device_id,
                registration.node_id,
                outbox.encode_changed(self.before, registration),
                None if registration.objects is self.before.objects else objects,
                _GATEWAY,
            )
        )
        if self.has_new_profile and registration.profile_id is not None:
            batch.profiles.append((registration.device, registration.profile_id, objects))
        return COMMITTED


class Remove:
    """The end of a registration: the device said so, or its lifetime passed."""

    __slots__ = ("device", "done", "registration", "type")

    def __init__(self, device: Device, registration: Registration, type_: EventType, done: Done) -> None:
        self.device = device
        self.registration = registration
        self.type = type_
        self.done = done

    def collect(self, batch: Batch) -> CommitOutcome:
        """Add what this change writes to *batch*, if the rows still allow it."""
        registration = self.registration
        known = batch.known.get(registration.device)
        if known is None or known.location != registration.location:
            return OVERTAKEN
        known.location = None
        batch.registrations[registration.device] = None
        data = outbox.encode_ended(registration, with_lifetime=self.type is EventType.REGISTRATION_EXPIRED)
        batch.events.append(
            (
                batch.now_ms,
                self.type.value,
                registration.device_id,
                registration.node_id,
                data,
                None,
                _GATEWAY,
            )
        )
        return COMMITTED


class Purge:
    """The end of a device that did not connect in time."""

    __slots__ = ("device",)

    def __init__(self, device: Device) -> None:
        self.device = device

    def collect(self, batch: Batch) -> CommitOutcome:
        """Add what this change writes to *batch*, if the rows still allow it."""
        device = self.device
        known = batch.known.get(device.number)
        if known is None or known.is_frozen or known.is_connected or known.revision != device.revision:
            return OVERTAKEN
        del batch.known[device.number]
        devices.delete(batch.connection, device, batch.now_ms)
        batch.events.append(
            (
                batch.now_ms,
                EventType.DEVICE_PURGED.value,
                device.device_id,
                device.node_id,
                purge.PURGED_DATA,
                None,
                _GATEWAY,
            )
        )
        return COMMITTED


class Refuse:
    """A refusal worth a row."""

    __slots__ = ("device", "device_id", "node_id", "refusal")

    def __init__(self, node_id: str, device_id: str | None, refusal: Refusal) -> None:
        self.device = None
        self.node_id = node_id
        self.device_id = device_id
        self.refusal = refusal

    def collect(self, batch: Batch) -> CommitOutcome:
        """Add what this change writes to *batch*."""
        refusal = self.refusal
        refusals.append(batch.connection, self.node_id, refusal)
        data = json.dumps({"reason": refusal.reason, "address": refusal.address})
        batch.events.append(
            (
                refusal.at_ms,
                EventType.REFUSED.value,
                self.device_id,
                self.node_id,
                data,
                None,
                _GATEWAY,
            )
        )
        return COMMITTED


class Attached(abc.ABC):
    """Something that belongs to a device and changes nothing of what the store holds in memory."""

    __slots__ = ("device", "done")

    def __init__(self, device: Device, done: Done) -> None:
        self.device = device
        self.done = done

    @abc.abstractmethod
    def collect(self, batch: Batch) -> CommitOutcome:
        """Add what this change writes to *batch*, if the rows still allow it."""


class Report(Attached):
    """Values of one message of a device."""

    __slots__ = ("history", "origin", "readings")

    def __init__(
        self, device: Device, readings: Sequence[Reading], origin: Origin, history: int, done: Done
    ) -> None:
        super().__init__(device, done)
        self.readings = readings
        self.origin = origin
        self.history = history

    def collect(self, batch: Batch) -> CommitOutcome:
        """Write the values and their event, if the rows still allow it."""
        device = self.device
        known = batch.known.get(device.number)
        if known is None or known.is_frozen or known.revision != device.revision:
            return OVERTAKEN
        values.put(batch.connection, device.number, self.readings, self.origin, self.history)
        append_reported(batch, device, self.readings, self.origin)
        return COMMITTED


def append_reported(batch: Batch, device: Device, readings: Sequence[Reading], origin: Origin) -> None:
    """The event that tells of *readings*, which are written in this transaction."""
    batch.events.append(
        (
            batch.now_ms,
            EventType.VALUES_REPORTED.value,
            device.device_id,
            device.node_id,
            values.encode_event(readings, origin),
            None,
            _GATEWAY,
        )
    )


Change = Register | Alter | Remove | Purge | Refuse | Attached


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
