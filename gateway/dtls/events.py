"""What the DTLS endpoint, and the client role, tell their owner.

The owner answers `PskRequested` by `Endpoint.provide_psk`, `CertificatePresented` and
`RawPublicKeyPresented` by `Endpoint.provide_credential`, at once or later; it hands `ApplicationData`
upwards, and lets go of what it keeps about a session at `SessionEnded`. The session of a handshake has
the handshake's number.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple

from gateway.address import Address
from gateway.dtls.alerts import AlertDescription
from gateway.dtls.extensions import CertificateType

if TYPE_CHECKING:
    from gateway.dtls.session import Session


class HandshakeFailure(StrEnum):
    """Why a handshake came to nothing, in words for the operator."""

    UNKNOWN_IDENTITY = "unknown identity"
    WRONG_KEY = "wrong key"
    NO_CERTIFICATE = "no certificate"
    CERTIFICATE_REFUSED = "certificate refused"
    NO_POSSESSION = "possession of the private key not proven"
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
    server_name: bytes | None = None
    "The host that the client means to reach (RFC 6066 §3); None: it did not say."


@dataclass(frozen=True, slots=True)
class CertificatePresented:
    """A client has proved that it holds the key of the first certificate; is it welcome?

    Read and proved is only that key (on P-256 or P-384): dates, uses, signatures and names were not
    looked at.
    """

    handshake: int
    "Names the handshake in `Endpoint.provide_credential`; never reused."

    chain: tuple[bytes, ...]
    "In DER as it came, the client's own first; at most 4 and 8 KB."

    address: Address
    server_name: bytes | None = None


@dataclass(frozen=True, slots=True)
class RawPublicKeyPresented:
    """A client has proved that it holds this key (RFC 7250); is it welcome?"""

    handshake: int
    "Names the handshake in `Endpoint.provide_credential`; never reused."

    public_key: bytes
    "SubjectPublicKeyInfo in DER, on P-256, in the one way in which it can be written."

    address: Address
    server_name: bytes | None = None


@dataclass(frozen=True, slots=True)
class CredentialRefused:
    """The verdict on a certificate or raw public key that is not welcome."""

    alert: AlertDescription
    "What the peer hears."

    reason: str
    "What the operator reads."


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
    detail: str = ""
    "More about the reason, where there is more to say."

    presented: tuple[bytes, ...] = ()
    "The certificates or the one raw public key that the client showed, proved or not."


Event = (
    PskRequested
    | CertificatePresented
    | RawPublicKeyPresented
    | SessionEstablished
    | ApplicationData
    | SessionEnded
    | HandshakeFailed
)
"What an `Endpoint` tells."


@dataclass(frozen=True, slots=True)
class ServerPresented:
    """The server has proved this key; answer by `Client.provide_credential`."""

    type: CertificateType
    chain: tuple[bytes, ...]
    "Certificates, the server's own first; or one raw public key. In DER."


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
    detail: str = ""


@dataclass(frozen=True, slots=True)
class ClientClosed:
    """The established connection is over, and not by our own `close`."""

    reason: SessionEnd


ClientEvent = ServerPresented | ClientEstablished | ClientData | ClientFailed | ClientClosed
"What a `Client` tells."
