"""Facts about devices, in the past tense: as rows that outsiders read and as values that listeners get.

`EVENT_DATA` is the documentation of the rows' data; the values below it are told inside the process,
after the change is committed and answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from registry.model import Device, Registration


class EventType(StrEnum):
    """What an event row says happened."""

    DEVICE_CREATED = "device_created"
    DEVICE_DELETED = "device_deleted"
    DEVICE_PURGED = "device_purged"
    DEVICE_FROZEN = "device_frozen"
    DEVICE_UNFROZEN = "device_unfrozen"
    SECRET_RESET = "secret_reset"
    REGISTERED = "registered"
    REGISTRATION_CHANGED = "registration_changed"
    DEREGISTERED = "deregistered"
    REGISTRATION_EXPIRED = "registration_expired"
    REFUSED = "refused"
    VALUES_REPORTED = "values_reported"


CLAIM_TIMEOUT = "claim_timeout"
"The reason of a purge: the device did not connect within its claim timeout."

_REGISTRATION_DATA = {
    "location": "`/rd/…`, where the device addresses its registration",
    "address": "`IP:PORT` the device came from, IPv6 in brackets",
    "lwm2m": "enabler version as sent",
    "binding": "binding as sent, Q appended in queue mode",
    "lifetime": "seconds; 0 = unlimited",
    "objects": "list of `{path, version}`",
    "registered_at": "instant of the accepted Register",
    "expires_at": "end of the first lifetime; null = unlimited",
}

_CHANGEABLE_DATA = {
    "address": "new `IP:PORT`, when it changed together with something else",
    "binding": "new binding, Q appended in queue mode",
    "lifetime": "new lifetime in seconds; 0 = unlimited",
    "objects": "new list of `{path, version}`",
    "sms": "new SMS number, null when taken away",
    "parameters": "new vendor parameters, list of `[name, value]`",
}

EVENT_DATA: Mapping[EventType, Mapping[str, str]] = {
    EventType.DEVICE_CREATED: {
        "security": "`psk`, `none`, `x509` or `rpk`",
        "timeout": "claim timeout in seconds; 0 = none",
    },
    EventType.DEVICE_DELETED: {},
    EventType.DEVICE_PURGED: {"reason": "`claim_timeout`: it did not connect in time"},
    EventType.DEVICE_FROZEN: {},
    EventType.DEVICE_UNFROZEN: {},
    EventType.SECRET_RESET: {},
    EventType.REGISTERED: _REGISTRATION_DATA,
    EventType.REGISTRATION_CHANGED: _CHANGEABLE_DATA,
    EventType.DEREGISTERED: {"location": "where the registration was"},
    EventType.REGISTRATION_EXPIRED: {
        "location": "where the registration was",
        "lifetime": "the lifetime in seconds within which no Update came",
    },
    EventType.REFUSED: {
        "reason": "why, in words for the operator",
        "address": "`IP:PORT` it came from",
    },
    EventType.VALUES_REPORTED: {
        "origin": "`read`, `notify` or `send`",
        "values": "list of `{path, value, time}`, as one message of the device had them",
    },
}
"""For each type the fields of ``data``; `registration_changed` has those that changed, the others have all.

A deleted, purged or frozen device and one whose secret was reset has lost its registration with that event;
no further row says so. `device_id` is null where a refused node ID is nobody's.
"""


@dataclass(frozen=True, slots=True)
class DeviceCreated:
    """An administrator added a device."""

    device: Device


@dataclass(frozen=True, slots=True)
class DeviceUnfrozen:
    """A device may come again."""

    device: Device


@dataclass(frozen=True, slots=True)
class DeviceDeleted:
    """An administrator removed the device and all that belonged to it."""

    device: Device
    registration: Registration | None


@dataclass(frozen=True, slots=True)
class DevicePurged:
    """The claim deadline passed before the device connected."""

    device: Device
    registration: None = None


@dataclass(frozen=True, slots=True)
class DeviceFrozen:
    """The device is refused from now on; its registration is gone."""

    device: Device
    registration: Registration | None


@dataclass(frozen=True, slots=True)
class SecretReset:
    """The old secret is void; the registration made with it is gone."""

    device: Device
    registration: Registration | None


@dataclass(frozen=True, slots=True)
class RegistrationExpired:
    """The lifetime passed without an Update; the device stays, offline."""

    device: Device
    registration: Registration


EndFact = DeviceDeleted | DevicePurged | DeviceFrozen | SecretReset | RegistrationExpired
"Facts that end a session, a registration or both without the device having asked for it."

Fact = DeviceCreated | DeviceUnfrozen | EndFact
