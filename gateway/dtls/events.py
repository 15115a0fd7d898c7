"""What the DTLS endpoint, and the client role, tell their owner.

The owner answers `PskRequested` by `Endpoint.provide_psk`, hands `ApplicationData` upwards, and
lets go of what it keeps about a session at `SessionEnded`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from gateway.address import Address

if TYPE_CHECKING:
    from gateway.dtls.session import Session


class HandshakeFailure(StrEnum):
    """Why a handshake came to nothing, in words for the operator."""

    UNKNOWN_IDENTITY = "unknown identity"
    WRONG_KEY = "wrong key"
    NO_COMMON_SUITE = "no common cipher suite"
    PROTOCOL_VERSION = "protocol version"
    PEER_ALERT = "alert from the peer"
    PROTOCOL_ERROR = "protocol error"
    TIMEOUT = "timeout"
    LIMIT = "limit"


class SessionEnd(StrEnum):
    """Why a session is no more."""

    CLOSE_NOTIFY = "closed by the peer"
    PEER_ALERT = "fatal alert from the peer"
    SUPERSEDED = "superseded by a newer session"
    ENDED = "ended by the gateway"
    EVICTED = "evicted"
    BAD_RECORDS = "too many bad records"
    EXHAUSTED = "sequence numbers exhausted"


@dataclass(frozen=True, slots=True)
class PskRequested:
    """A handshake waits for the key of *identity* (RFC 4279 §2)."""

    handshake: int
    "Names the handshake in `Endpoint.provide_psk`; never reused."

    identity: bytes
    address: Address


@dataclass(frozen=True, slots=True)
class SessionEstablished:
    """Both Finished messages are verified."""

    session: Session


class ApplicationData(NamedTuple):
    """Decrypted, authentic, not a replay. A plain tuple: one is made for every datagram."""

    session: Session
    data: bytes


@dataclass(frozen=True, slots=True)
class SessionEnded:
    """The session takes and gives no more records."""

    session: Session
    reason: SessionEnd


@dataclass(frozen=True, slots=True)
class HandshakeFailed:
    """A handshake that had shown its cookie ended without a session."""

    address: Address
    identity: bytes | None
    "What the client claimed to be, if it got that far."

    reason: HandshakeFailure


Event = PskRequested | SessionEstablished | ApplicationData | SessionEnded | HandshakeFailed
"What an `Endpoint` tells."


@dataclass(frozen=True, slots=True)
class ClientEstablished:
    """Both Finished messages are verified; data can be sent."""


class ClientData(NamedTuple):
    """Decrypted, authentic, not a replay."""

    data: bytes


@dataclass(frozen=True, slots=True)
class ClientFailed:
    """The handshake came to nothing."""

    reason: HandshakeFailure


@dataclass(frozen=True, slots=True)
class ClientClosed:
    """The established connection is over, and not by our own `close`."""

    reason: SessionEnd


ClientEvent = ClientEstablished | ClientData | ClientFailed | ClientClosed
"What a `Client` tells."
