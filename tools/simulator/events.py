"""What happens to a simulated device, in the past tense."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HandshakeDone:
    """The DTLS session stands."""

    duration_s: float
    "Since the first ClientHello of this attempt."


@dataclass(frozen=True, slots=True)
class Registered:
    """A Register was accepted."""

    location: tuple[str, ...]
    duration_s: float
    "Since this Register was first sent."

    total_s: float
    "Since the device was started, or had lost its place."


@dataclass(frozen=True, slots=True)
class Updated:
    """An Update was accepted."""

    duration_s: float


@dataclass(frozen=True, slots=True)
class Deregistered:
    """The De-register was accepted."""


@dataclass(frozen=True, slots=True)
class Sent:
    """A Send was accepted."""

    duration_s: float


@dataclass(frozen=True, slots=True)
class Rebooted:
    """The device starts anew, as the server or a scenario wanted."""


@dataclass(frozen=True, slots=True)
class PackageWanted:
    """A firmware package is to be fetched; `Device.finish_download` takes it, or why not."""

    uri: str


@dataclass(frozen=True, slots=True)
class AttemptFailed:
    """A handshake, Register, Update, De-register or Send came to nothing."""

    stage: str
    reason: str

    def __str__(self) -> str:
        return f"{self.stage}: {self.reason}"


@dataclass(frozen=True, slots=True)
class SessionLost:
    """The server ended the DTLS session."""

    reason: str


@dataclass(frozen=True, slots=True)
class GaveUp:
    """The last retry failed as well; the device stays silent from now on."""

    stage: str
    reason: str

    def __str__(self) -> str:
        return f"{self.stage}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Ended:
    """Gone or given up: the device does nothing any more. Always its last event."""


DeviceEvent = (
    HandshakeDone
    | Registered
    | Updated
    | Deregistered
    | Sent
    | Rebooted
    | PackageWanted
    | AttemptFailed
    | SessionLost
    | GaveUp
    | Ended
)
