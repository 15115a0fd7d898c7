"""The changes that a commit is made of: what each writes, and when it is too late for it.

Runs in the writer's thread. One that was overtaken by an administrator is told so, and writes nothing.
"""

from __future__ import annotations

import abc
import json
from collections.abc import Sequence

from registry import devices, outbox, purge, refusals, registrations, values
from registry.batch import Batch
from registry.events import EventType
from registry.model import Device, Origin, Reading, Refusal, Registration
from registry.outcomes import COMMITTED, OVERTAKEN, CommitOutcome, Done
from registry.registrations import SharedObjects

_GATEWAY = int(outbox.Source.GATEWAY)


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
