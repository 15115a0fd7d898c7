"""What the DTLS endpoint, and the client role, tell their owner.

The owner answers `PskRequested` by `Endpoint.provide_psk`, `CertificatePresented` and
`RawPublicKeyPresented` by `Endpoint.provide_credential`, `ResumptionRequested` by
`Endpoint.provide_resumption`, at once or later; it hands `ApplicationData`
upwards, and lets go of what it keeps about a session at `SessionEnded`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from gateway.address import Address
from gateway.dtls.refusal import CredentialFault

if TYPE_CHECKING:
    from gateway.dtls.certificates import CertificateName, LeafCertificate
    from gateway.dtls.rawkeys import RawPublicKey
    from gateway.dtls.session import Session


class HandshakeFailure(StrEnum):
    """Why a handshake came to nothing, in words for the operator."""

    UNKNOWN_IDENTITY = "unknown identity"
    WRONG_KEY = "wrong key"
    CREDENTIAL_REFUSED = "credential refused"
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
    EXPIRED = "certificate expired"


class PskRequested(NamedTuple):
    """A handshake waits for the key of *identity* (RFC 4279 §2)."""

    handshake: int
    "Names the handshake in `Endpoint.provide_psk`; never reused."

    identity: bytes
    address: Address
    server_name: bytes | None = None
    "The host that the client means to reach (RFC 6066 §3); None: it did not say."


class CertificatePresented(NamedTuple):
    """A client has proved that it holds the key of *leaf*; is it welcome?

    Nothing else was judged: neither dates nor uses, issuers or names.
    """

    handshake: int
    "Names the handshake in `Endpoint.provide_credential`; never reused."

    leaf: LeafCertificate
    issuers: tuple[bytes, ...]
    "What came behind it, in DER."

    address: Address
    server_name: bytes | None = None


@dataclass(frozen=True, slots=True)
class RawPublicKeyPresented:
    """A client has proved that it holds this key (RFC 7250); is it welcome?"""

    handshake: int
    "Names the handshake in `Endpoint.provide_credential`; never reused."

    key: RawPublicKey
    address: Address
    server_name: bytes | None = None


@dataclass(frozen=True, slots=True)
class ResumptionRequested:
    """A client wants to go on with an earlier session; does what it rested on still hold?"""

    handshake: int
    "Names the handshake in `Endpoint.provide_resumption`; never reused."

    identity: bytes
    credential: bytes
    "As the owner gave it when the key was provided or the certificate accepted."

    address: Address
    server_name: bytes | None = None


class CredentialAccepted(NamedTuple):
    """The owner's verdict on a certificate or raw public key that is welcome."""

    identity: bytes
    "Of the session: the node ID."

    expires_at: float | None = None
    "When the session ends by itself, in monotonic seconds; None: it does not."

    credential: bytes = b""
    "What the identity rests on, at most 255 bytes, for `ResumptionRequested`."


class SessionEstablished(NamedTuple):
    """Both Finished messages are verified."""

    session: Session


class ApplicationData(NamedTuple):
    """Decrypted, authentic, not a replay. A plain tuple: one is made for every datagram."""

    session: Session
    data: bytes


class SessionEnded(NamedTuple):
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
    fault: CredentialFault | None = None
    "What was wrong with its certificate or raw public key, where that was the reason."

    names: tuple[CertificateName, ...] = ()
    "Whom its certificate names, proved or not."


Event = (
    PskRequested
    | CertificatePresented
    | RawPublicKeyPresented
    | ResumptionRequested
    | SessionEstablished
    | ApplicationData
    | SessionEnded
    | HandshakeFailed
)
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
