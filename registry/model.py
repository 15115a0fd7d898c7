"""Devices, registrations, commands, observations and values as frozen values.

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


@dataclass(frozen=True, slots=True)
class Registration:
    """A device's place, from its accepted Register to its end."""

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


@dataclass(frozen=True, slots=True)
class EventRow:
    """A fact as the outbox holds it; ``registry.events`` says what *data* has for each type."""

    id: int
    at_ms: int
    type: str
    device_id: str | None
    node_id: str
    data: dict[str, object]


class Origin(StrEnum):
    """How a value came from the device."""

    READ = "read"
    "In the answer to a command."

    NOTIFY = "notify"
    "In a notification of something observed, the first one included when it was set up again."

    SEND = "send"
    "Unasked."


class Reading(NamedTuple):
    """A value as a device told it."""

    path: str
    "Of the resource or resource instance; without line breaks."

    value: str
    "JSON."

    time_ms: int
    "The record's own, or that of its arrival."


@dataclass(frozen=True, slots=True)
class ValueRow:
    """A value as it is kept."""

    node_id: str
    path: str

    value: object
    "As JSON has it: text, whole number, float, truth, or a list or dict of them."

    time_ms: int
    origin: Origin


class CommandState(StrEnum):
    """How far a command has come."""

    QUEUED = "queued"
    "Waits for its turn, for the device to wake up or to register."

    SENT = "sent"
    "Its request has left, or may have."

    ANSWERED = "answered"
    "By the device, also with a 4.xx or 5.xx."

    FAILED = "failed"
    "There is no usable answer."

    EXPIRED = "expired"
    "Its time ran out before it could be sent."

    CANCELLED = "cancelled"
    "Somebody took it back, or the device was deleted, frozen or given another secret."


ENDS = frozenset(
    {CommandState.ANSWERED, CommandState.FAILED, CommandState.EXPIRED, CommandState.CANCELLED}
)
"States that no other follows."

DEFAULT_TTL_S = 86_400

UNKNOWN_OUTCOME = "unknown outcome"
"The error of a command that must not be repeated and whose answer never came."


@dataclass(frozen=True, slots=True)
class NewCommand:
    """What somebody wants of a device. The registry does not know what it means."""

    operation: str
    paths: tuple[str, ...]

    request: str = "{}"
    "JSON: all that is needed to make the message, besides operation, paths and format."

    format: str | None = None
    "Name of the one asked for; None: negotiated when it is sent."

    is_repeatable: bool = True
    "Whether doing it twice is as good as once."

    ttl_s: int = DEFAULT_TTL_S
    "How long it may wait."


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a command, for whoever asked."""

    code: str | None = None
    "CoAP code as text (``2.05``); None without an answer."

    format: str | None = None
    "Name of the format of the device's payload."

    values: str | None = None
    "JSON: an object, path → value."

    links: str | None = None
    "JSON: an array."

    error: str | None = None


@dataclass(frozen=True, slots=True)
class Command:
    """A command as it is stored."""

    id: int
    device: int
    "`Device.number`"

    device_id: str
    node_id: str
    operation: str
    paths: tuple[str, ...]

    request: str | None
    "As in `NewCommand`; None once it has ended, and while a long one is on the disk only."

    format: str | None
    is_repeatable: bool
    state: CommandState
    created_at_ms: int
    expires_at_ms: int

    attempts: int = 0
    "How often it was sent, retransmissions not counted."

    answer: Answer = Answer()

    @property
    def has_ended(self) -> bool:
        """Whether this is its last state."""
        return self.state in ENDS


@dataclass(frozen=True, slots=True)
class CommandResult:
    """How a command ends."""

    state: CommandState
    "One of `ENDS`."

    code: str | None = None
    format: str | None = None

    readings: tuple[Reading, ...] | None = None
    "What the answer says; each becomes a value. None where the operation brings none."

    links: str | None = None
    "JSON: an array."

    error: str | None = None


class ObservationState(StrEnum):
    """How far a relation has come."""

    WANTED = "wanted"
    "Its request is on its way."

    ESTABLISHED = "established"
    "The device has agreed."

    REFUSED = "refused"
    "It was to be set up again, and the device said no."


@dataclass(frozen=True, slots=True)
class Observation:
    """A relation (RFC 7641) between the gateway and something on a device."""

    token: bytes
    "Of the request, and of every notification."

    device: int
    "`Device.number`"

    node_id: str
    paths: tuple[str, ...]
    "One of an ordinary observation, several or ``/`` of a composite one."

    state: ObservationState
    created_at_ms: int

    attributes: str | None = None
    "JSON: an object, where some are known."

    format: str | None = None
    "Name of the one asked for; None: negotiated."

    identity: str | None = None
    "Security identity of the session it was made in; None for plain CoAP."

    location: str | None = None
    "`Registration.location` under which it was set up; under any other it has to be set up again."
