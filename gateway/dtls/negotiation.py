"""What a server makes of a ClientHello: version, suite, extensions (RFC 5246 §7.4.1, RFC 7925 §4).

Pure choice: knows no keys and no peer.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from gateway.dtls.alerts import AlertDescription
from gateway.dtls.errors import DecodeError
from gateway.dtls.events import HandshakeFailure
from gateway.dtls.extensions import (
    ExtensionType,
    decode_rrc,
    encode_connection_id,
    encode_renegotiation_info,
)
from gateway.dtls.messages import decode_client_hello
from gateway.dtls.record import DTLS_1_2
from gateway.dtls.suites import SUITES, Suite

_MAJOR: Final = 0xFE
_EMS: Final = int(ExtensionType.EXTENDED_MASTER_SECRET)
_RENEGOTIATION_INFO: Final = int(ExtensionType.RENEGOTIATION_INFO)
_CONNECTION_ID: Final = int(ExtensionType.CONNECTION_ID)
_RRC: Final = int(ExtensionType.RRC)
_NO_RENEGOTIATION: Final = encode_renegotiation_info()


class Choice(NamedTuple):
    """What both sides will use."""

    suite: Suite
    has_extended_master_secret: bool
    indicates_renegotiation: bool
    peer_cid: bytes | None
    "What records towards the client carry; None: connection IDs are not used in either direction."

    has_legacy_cid: bool
    "The client speaks of connection IDs as a draft did, which is passed over."

    has_rrc: bool
    "Return routability checks; only beside connection IDs (RFC 9853 §3)."

    def extensions(self, own_cid: bytes) -> dict[int, bytes]:
        """Those of the ServerHello: only what the client offered."""
        extensions: dict[int, bytes] = {}
        if self.indicates_renegotiation:
            extensions[_RENEGOTIATION_INFO] = _NO_RENEGOTIATION
        if self.has_extended_master_secret:
            extensions[_EMS] = b""
        if self.peer_cid is not None:
            extensions[_CONNECTION_ID] = encode_connection_id(own_cid)
        if self.has_rrc:
            extensions[_RRC] = b""
        return extensions


class Refusal(NamedTuple):
    """Nothing in common."""

    alert: AlertDescription
    reason: HandshakeFailure


def choose(body: bytes, suites: Sequence[int]) -> Choice | Refusal:
    """Answer the ClientHello that has shown its cookie. *suites*: ours, in our order of preference."""
    try:
        hello = decode_client_hello(body)
        has_rrc = _RRC in hello.extensions and decode_rrc(hello.extensions[_RRC])
    except DecodeError:
        return Refusal(AlertDescription.DECODE_ERROR, HandshakeFailure.PROTOCOL_ERROR)
    # Minor versions of DTLS count downwards: a client of DTLS 1.3 is served with 1.2.
    if hello.version >> 8 != _MAJOR or hello.version > DTLS_1_2:
        return Refusal(AlertDescription.PROTOCOL_VERSION, HandshakeFailure.PROTOCOL_VERSION)
    if hello.renegotiation_info:
        return Refusal(AlertDescription.HANDSHAKE_FAILURE, HandshakeFailure.PROTOCOL_ERROR)
    offered = hello.cipher_suites
    for suite in suites:
        if suite in offered:
            return Choice(
                SUITES[suite],
                hello.has_extended_master_secret,
                hello.indicates_renegotiation,
                hello.connection_id,
                hello.has_legacy_connection_id,
                has_rrc and hello.connection_id is not None,
            )
    return Refusal(AlertDescription.HANDSHAKE_FAILURE, HandshakeFailure.NO_COMMON_SUITE)
