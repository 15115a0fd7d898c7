"""Devices and registrations as frozen values.

Times ending in ``_ms`` are wall-clock milliseconds since the Unix epoch.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import NamedTuple


class Security(StrEnum):
    """How a device proves itself."""

    NONE = "none"
    "By its node ID alone, over plain CoAP."

    PSK = "psk"
    "By node ID and pre-shared key, over DTLS."

    X509 = "x509"
    "By a certificate that names the node ID, over DTLS: from a trusted CA, or pinned."

    RPK = "rpk"
    "By a raw public key, over DTLS."


class DeviceState(StrEnum):
    """What ``nodegate device show`` calls the state."""

    INACTIVE = "inactive"
    "Never had an accepted Register."

    ONLINE = "online"
    "Holds a registration."

    OFFLINE = "offline"
    "Had one, has none now."

    FROZEN = "frozen"
    "Refused until unfrozen, whatever it was before."


@dataclass(frozen=True, slots=True)
class Device:
    """One pre-registered device, without its secret in clear."""

    number: int
    "Row id; the key of everything that belongs to the device."

    device_id: str
    "``d-`` and 16 base32 characters, given by the platform, stable for the record's life."

    node_id: str
    "What the device brings: endpoint client name, PSK identity, name in its certificate."

    security: Security

    timeout_s: int
    "Claim timeout; 0 = none."

    created_at_ms: int

    connected_at_ms: int | None = None
    "First accepted Register; ends the claim deadline for ever."

    is_frozen: bool = False

    sealed_secret: bytes | None = field(default=None, repr=False)
    "Sealed pre-shared key of a PSK device (``registry.sealing``)."

    revision: int = 0
    "Counts freezes, unfreezes and resets: what was decided on an older one is not committed."

    certificate_sha256: bytes | None = None
    "Of the pinned certificate (DER) of an X.509 device; None: any that a trusted CA issued will do."

    public_key_sha256: bytes | None = None
    "Of the SubjectPublicKeyInfo (DER) of a raw-public-key device; no two devices have the same."

    @property
    def claim_deadline_ms(self) -> int | None:
        """Wall-clock instant of the purge, or None when none is due."""
        if self.timeout_s == 0 or self.connected_at_ms is not None:
            return None
        return self.created_at_ms + self.timeout_s * 1000


@dataclass(frozen=True, slots=True)
class ObjectLink:
    """An object or an object instance a device says it has (OMA Core TS 1.2 §6.2.1)."""

    object_id: int
    instance_id: int | None = None
    version: str | None = None

    @property
    def path(self) -> str:
        """``/3`` or ``/3/0``."""
        return f"/{self.object_id}" if self.instance_id is None else f"/{self.object_id}/{self.instance_id}"


@dataclass(frozen=True, slots=True)
class ObjectList:
    """The decoded payload of a Register. Fleets share few of them: keep one object per content."""

    links: tuple[ObjectLink, ...] = ()
    "Ordered by object, then instance; an object line only where it has no instance."

    alternate_path: str = "/"
    "Root of the device's objects; begins with a slash, ends with one only when it is ``/``."

    content_formats: tuple[int, ...] = ()
    "What the root link's ``ct`` names beyond the mandatory formats."


class Registration(NamedTuple):
    """A device's place, from its accepted Register to its end.

    A named tuple, because one is made for each Register and for each move to another port.
    """

    device: int
    "`Device.number`"

    device_id: str
    node_id: str

    location: str
    "Unguessable id; the device addresses it as ``/rd/<location>``."

    identity: str | None
    "Security identity that made it; None for plain CoAP. Only this identity may touch it."

    address: str
    "``IP:PORT`` of the last accepted message, IPv6 in brackets."

    lwm2m: str
    "Enabler version as sent: ``1.0``, ``1.1``, ``1.2`` …"

    binding: str
    "As sent (``U`` when absent), with Q appended in queue mode."

    lifetime_s: int
    "0 = unlimited, where the settings allow it."

    objects: ObjectList
    registered_at_ms: int

    sms: str | None = None
    profile_id: str | None = None
    "``pid`` as sent: an opaque key."

    parameters: tuple[tuple[str, str], ...] = ()
    "Vendor parameters, in the order sent."

    @property
    def is_queue_mode(self) -> bool:
        """Whether the device sleeps between its messages (OMA Core TS 1.2 §6.5)."""
        return "Q" in self.binding


@dataclass(frozen=True, slots=True)
class NewDevice:
    """What an administrator asks for."""

    node_id: str
    security: Security = Security.PSK

    secret: bytes | None = field(default=None, repr=False)
    "Pre-shared key; None: generate one for a PSK device."

    timeout_s: int = 0

    certificate: bytes | None = None
    "The one certificate (DER) that an X.509 device may bring; None: any that a trusted CA issued."

    public_key: bytes | None = None
    "SubjectPublicKeyInfo (DER, in its one encoding) of a raw-public-key device."


@dataclass(frozen=True, slots=True)
class Created:
    """A device with its secret in clear, the one time it is shown."""

    device: Device

    secret: bytes | None = field(default=None, repr=False)
    "None unless PSK."


@dataclass(frozen=True, slots=True)
class Refusal:
    """A handshake or a Register that was turned away."""

    at_ms: int
    address: str
    reason: str


@dataclass(frozen=True, slots=True)
class DeviceView:
    """A device as an administrator sees it."""

    device: Device
    state: DeviceState
    registration: Registration | None = None

    expires_at_ms: int | None = None
    "End of the lease as of the last snapshot; None without a registration or a limit."

    refusals: tuple[Refusal, ...] = ()
    "The last ones, oldest first; filled by `Administration.get` only."


class Origin(StrEnum):
    """How a value came."""

    READ = "read"
    NOTIFY = "notify"
    SEND = "send"


class Reading(NamedTuple):
    """A value that a device reported."""

    path: str
    "``/3303/0/5700``"

    value: str
    "JSON text."

    at_ms: int
    "Its own time, or when it came."


class ReportedValue(NamedTuple):
    """A value as it is kept."""

    path: str
    value: object
    at_ms: int
    origin: Origin


@dataclass(frozen=True, slots=True)
class EventRow:
    """A fact as the outbox holds it; ``registry.events`` says what *data* has for each type."""

    id: int
    at_ms: int
    type: str
    device_id: str | None
    node_id: str
    data: dict[str, object]
