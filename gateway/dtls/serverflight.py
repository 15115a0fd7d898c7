"""The server's first flight after the cookie: all its messages, and our share in the exchange of keys.

    ServerHello
    Certificate*             ECDHE_ECDSA: our chain, or our raw public key
    ServerKeyExchange*       ECDHE: our share; signed where we show a certificate or raw public key
    CertificateRequest*      ECDHE_ECDSA: who comes without proving a key is not served
    ServerHelloDone

Knows what is said, not when: order of states and repetition are `server`'s (RFC 5246 §7.3, RFC 8422 §2,
RFC 5489 §2).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from gateway.dtls import exchange
from gateway.dtls.credential import Credential
from gateway.dtls.extensions import CertificateType
from gateway.dtls.groups import KeyShare, NamedGroup
from gateway.dtls.messages import HandshakeType, encode_message, encode_server_hello
from gateway.dtls.negotiation import Choice
from gateway.dtls.record import DTLS_1_2
from gateway.dtls.signatures import SCHEMES

_REQUEST: Final = exchange.encode_certificate_request(
    exchange.CertificateRequest((exchange.ECDSA_SIGN,), tuple(SCHEMES))
)
"Of any issuer: a fleet may have many, and the list would not fit a constrained client's buffers."

_SERVER_HELLO: Final = int(HandshakeType.SERVER_HELLO)
_CERTIFICATE: Final = int(HandshakeType.CERTIFICATE)
_SERVER_KEY_EXCHANGE: Final = int(HandshakeType.SERVER_KEY_EXCHANGE)
_CERTIFICATE_REQUEST: Final = int(HandshakeType.CERTIFICATE_REQUEST)
_SERVER_HELLO_DONE: Final = int(HandshakeType.SERVER_HELLO_DONE)


class FirstFlight(NamedTuple):
    """The messages, headers included, and what must be remembered of them."""

    messages: list[bytes]
    share: KeyShare | None
    "None: the suite has no ephemeral exchange."


def make_first_flight(
    choice: Choice,
    own_cid: bytes,
    client_random: bytes,
    server_random: bytes,
    session_id: bytes,
    message_seq: int,
    credential: Credential | None,
    make_share: Callable[[NamedGroup], KeyShare],
) -> FirstFlight:
    """The flight that answers a hello; *message_seq* is that of its first message.

    *session_id*: by which the client may resume the session; empty: it may not.
    """
    hello = encode_server_hello(
        DTLS_1_2, server_random, session_id, choice.suite.id, choice.encode_extensions(own_cid)
    )
    group = choice.terms.group
    bodies = [(_SERVER_HELLO, hello)]
    share = None
    if group is not None:
        share = make_share(group)
        encoded = exchange.encode_share_parameters(group, share.public)
        if choice.terms.server_certificate is None:
            body = exchange.encode_ecdhe_psk_server_key_exchange(b"", encoded)
            bodies.append((_SERVER_KEY_EXCHANGE, body))
        else:
            assert credential is not None, "chosen only with a credential"
            signed = credential.sign(exchange.signed_parameters(client_random, server_random, encoded))
            bodies += (
                (_CERTIFICATE, _certificate(credential, choice.terms.server_certificate)),
                (_SERVER_KEY_EXCHANGE, exchange.encode_ecdhe_server_key_exchange(encoded, signed)),
                (_CERTIFICATE_REQUEST, _REQUEST),
            )
    bodies.append((_SERVER_HELLO_DONE, b""))
    messages = [
        encode_message(message_type, message_seq + index, body)
        for index, (message_type, body) in enumerate(bodies)
    ]
    return FirstFlight(messages, share)


def _certificate(credential: Credential, kind: CertificateType) -> bytes:
    if kind is CertificateType.RAW_PUBLIC_KEY:
        return exchange.encode_raw_public_key(credential.spki)
    return exchange.encode_certificate(credential.chain)
