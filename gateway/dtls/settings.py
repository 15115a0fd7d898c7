"""What an endpoint is told at its making: sizes, times and limits. Values only, no behaviour."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from gateway.dtls.credential import Credential
from gateway.dtls.errors import LocalProtocolError
from gateway.dtls.extensions import MAX_CID_BYTES, CertificateType
from gateway.dtls.groups import OFFERED_GROUPS, NamedGroup, PrivateKey
from gateway.dtls.resumption import ClientResumable
from gateway.dtls.suites import DEFAULT_SUITES, PREFERRED_SUITES, SUITES


class CbcPolicy(StrEnum):
    """Whether a client that offers no AEAD suite that can be used is served with a CBC suite."""

    ANY = "any"
    ETM = "etm"
    "If it can encrypt before it authenticates (RFC 7366)."

    OFF = "off"


@dataclass(frozen=True, slots=True)
class RetransmitSettings:
    """The timer of a flight (RFC 6347 §4.2.4)."""

    initial_s: float = 1.0
    factor: float = 2.0
    max_s: float = 60.0

    count: int = 5
    "Repetitions of a flight; the second half of them in small datagrams."


@dataclass(frozen=True, slots=True)
class EndpointConfig:
    """The server role. Every limit has a counter of its own in `Counters`."""

    node: int = 0
    "First byte of every connection ID that this endpoint gives out."

    cid_length: int = 8
    "Bytes of our connection IDs, the node byte included; 0: none are given."

    suites: tuple[int, ...] = PREFERRED_SUITES
    "Cipher suites by IANA number; our order decides, but every AEAD goes before any CBC."

    cbc: CbcPolicy = CbcPolicy.ANY
    credential: Credential | None = None
    "Ours, to begin with (`Endpoint.use_credential`); None: no suite with certificates can be chosen."

    make_private: Callable[[NamedGroup], PrivateKey] | None = None
    "Makes the private half of a share; None: it is made of the entropy."

    mtu_bytes: int = 1200
    "Largest datagram of a flight that is not yet in small-datagram back-off."

    retransmit_initial_s: float = 1.0
    retransmit_factor: float = 2.0
    retransmit_max_s: float = 60.0
    retransmit_count: int = 5

    handshake_timeout_s: float = 60.0
    "Since the last message that brought the handshake forward."

    max_handshakes: int = 10_000
    "Unfinished ones after their cookie; beyond it the oldest goes."

    handshakes_per_minute: int = 6_000
    "Per source host, begun after the cookie; 0: no limit."

    handshake_buffer_bytes: int = 4_096
    "Per handshake: fragments, and records that came before their key."

    certificate_buffer_bytes: int = 12_288
    "The same for fragments of a handshake in which the client shows certificates."

    persist_sessions: bool = False
    "What sessions do waits for the owner to store it (`durability`)."

    max_sessions: int = 1_000_000

    stale_s: float = 1_800.0
    "With max_sessions reached, a session idle for longer gives way; with none, newcomers are refused."

    last_flight_s: float = 120.0
    "How long a Finished is kept for a client that did not get it, unless its first record shows that it did."

    max_bad_records: int = 32
    "Forged records in a row before a session is deaf, to all addresses but its own, for bad_record_mute_s."

    bad_record_mute_s: float = 4.0

    max_forgeries: int = 1 << 20
    "Forged records over a session's life before it is ended: a tag of CCM_8 has only 64 bits."

    resumption_s: float = 86_400.0
    "How long a client may go on with an earlier session by its id; 0: no ids are given."

    max_resumable: int = 200_000
    "Sessions that can be; the oldest gives way."

    cookie_secret_lifetime_s: float = 60.0
    "A cookie is good for this long at least and twice as long at most."

    hello_fragments_bytes: int = 65_536
    "One buffer for the ClientHello fragments of everybody; the oldest goes."

    hello_fragments_s: float = 5.0

    unconfirmed_factor: int = 3
    "Bytes sent per byte received, to an address that a session moved to and has not confirmed."

    def __post_init__(self) -> None:
        """Refuse what would fail later, on a peer's datagram."""
        if not 0 <= self.node <= 255:
            raise LocalProtocolError(f"node {self.node} is not one byte")
        if not 0 <= self.cid_length <= MAX_CID_BYTES:
            raise LocalProtocolError(f"connection IDs of {self.cid_length} bytes cannot be")
        if not self.suites or not SUITES.keys() >= set(self.suites):
            raise LocalProtocolError("no cipher suite, or one that the engine does not have")
        if min(self.max_handshakes, self.max_sessions) < 1:
            raise LocalProtocolError("an endpoint has room for one handshake and one session at least")

    @property
    def retransmit(self) -> RetransmitSettings:
        """The flight timer of this endpoint."""
        return RetransmitSettings(
            self.retransmit_initial_s, self.retransmit_factor, self.retransmit_max_s, self.retransmit_count
        )


@dataclass(frozen=True, slots=True)
class ClientConfig:
    """The client role."""

    identity: bytes = b""
    psk: bytes = b""
    suites: tuple[int, ...] = DEFAULT_SUITES
    "Offered in this order."

    credential: Credential | None = None
    "Shown when a server asks for a certificate or raw public key; None: nothing is shown."

    client_certificate_types: tuple[CertificateType, ...] = (CertificateType.X509,)
    "What we can show, in order of preference."

    server_certificate_types: tuple[CertificateType, ...] = (CertificateType.X509,)
    "What the server may show, in order of preference."

    is_trusted: Callable[[CertificateType, tuple[bytes, ...]], bool] | None = None
    "Judges what the server proved: certificates, its own first, or one raw public key. None: any will do."

    server_name: bytes | None = None
    resumable: ClientResumable | None = None
    "An earlier session to go on with (`Client.resumable`), if the server agrees."

    max_fragment_length: int | None = None
    "Offered where given: 512, 1024, 2048 or 4096 bytes in a record, both ways (RFC 6066 §4)."

    record_size_limit: int | None = None
    "Told where given: how many bytes a protected record towards us may hold (RFC 8449)."

    encrypt_then_mac: bool = True
    groups: tuple[NamedGroup, ...] = OFFERED_GROUPS
    "In order of preference; the curves of certificates that can be read belong to them."

    cid: bytes | None = b""
    "What records towards us carry; empty: none, but we can send the server's; None: not offered."

    return_routability: bool = True
    "Offered beside connection IDs: the server may check where we are (RFC 9853)."

    extended_master_secret: bool = True
    mtu_bytes: int = 1200
    retransmit_initial_s: float = 1.0
    retransmit_factor: float = 2.0
    retransmit_max_s: float = 60.0
    retransmit_count: int = 5
    "Repetitions of a flight; after one more wait the handshake has failed."

    @property
    def retransmit(self) -> RetransmitSettings:
        """The flight timer of this client."""
        return RetransmitSettings(
            self.retransmit_initial_s, self.retransmit_factor, self.retransmit_max_s, self.retransmit_count
        )
