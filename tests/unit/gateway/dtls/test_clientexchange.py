"""`gateway.dtls.clientexchange`: the client's half of the exchange of keys, message by message."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any

import pytest

from gateway.dtls import exchange
from gateway.dtls.alerts import AlertDescription
from gateway.dtls.clientexchange import ClientExchange
from gateway.dtls.credential import make_credential
from gateway.dtls.errors import AlertError, DecodeError
from gateway.dtls.exchange import CertificateRequest
from gateway.dtls.extensions import CertificateType, ExtensionType
from gateway.dtls.groups import KeyShare, NamedGroup, generate
from gateway.dtls.messages import HandshakeType, ServerHello, encode_psk_server_key_exchange
from gateway.dtls.record import DTLS_1_2
from gateway.dtls.settings import ClientConfig
from gateway.dtls.signatures import DigitallySigned, sign, verify
from gateway.dtls.suites import SUITES
from tests.support.certificates import authority, new_key, spki_of

CLIENT, SERVER = b"c" * 32, b"s" * 32
PSK, ECDHE_PSK, ECDSA = 0xC0A8, 0xD003, 0xC0AE
X509, RAW = CertificateType.X509, CertificateType.RAW_PUBLIC_KEY
CA = authority()
GATEWAY, DEVICE = CA.issue("gateway"), CA.issue("device-1")
OURS = make_credential(DEVICE.key, (DEVICE.der, CA.der))
CONFIG = ClientConfig(b"device-1", b"k" * 16, credential=OURS)
REQUEST = exchange.encode_certificate_request(CertificateRequest((exchange.ECDSA_SIGN,), (0x0403,)))
CHAIN = exchange.encode_certificate((GATEWAY.der, CA.der))


def begin(suite: int, extensions: dict[int, bytes] | None = None, **changes: Any) -> ClientExchange:
    hello = ServerHello(DTLS_1_2, SERVER, b"", suite, extensions or {})
    return ClientExchange(replace(CONFIG, **changes), SUITES[suite], CLIENT, hello, os.urandom)


def make_share(group: NamedGroup = NamedGroup.SECP256R1) -> KeyShare:
    return generate(group, os.urandom)


def signed_share(share: KeyShare, key: Any = GATEWAY.key, server_random: bytes = SERVER) -> bytes:
    encoded = exchange.encode_share_parameters(share.group, share.public)
    signed = sign(key, exchange.signed_parameters(CLIENT, server_random, encoded))
    return exchange.encode_ecdhe_server_key_exchange(encoded, signed)


def bare_share(share: KeyShare) -> bytes:
    encoded = exchange.encode_share_parameters(share.group, share.public)
    return exchange.encode_ecdhe_psk_server_key_exchange(b"", encoded)


def alert_of(error: pytest.ExceptionInfo[AlertError]) -> AlertDescription:
    return error.value.description


def test_plain_psk_says_its_identity_and_reads_a_hint() -> None:
    ours = begin(PSK)
    ours.take_key_exchange(encode_psk_server_key_exchange(b"hint"))
    assert ours.messages() == [(HandshakeType.CLIENT_KEY_EXCHANGE, b"\0\x08device-1")]
    assert (ours.psk, ours.shared, ours.proves) == (b"k" * 16, None, False)


@pytest.mark.parametrize("group", [NamedGroup.SECP256R1, NamedGroup.X25519])
def test_ecdhe_psk_shares_a_secret_beside_the_key(group: NamedGroup) -> None:
    ours, share = begin(ECDHE_PSK), make_share(group)
    ours.take_key_exchange(bare_share(share))
    ((_, body),) = ours.messages()
    identity, public = exchange.decode_ecdhe_psk_client_key_exchange(body)
    assert identity == b"device-1"
    assert share.agree(public) == ours.shared
    assert ours.psk == b"k" * 16


def test_certificates_are_shown_proved_and_shared_under() -> None:
    ours, share = begin(ECDSA), make_share()
    ours.take_certificate(CHAIN)
    ours.take_key_exchange(signed_share(share))
    ours.take_request(REQUEST)
    (_, certificate), (_, key_exchange) = ours.messages()
    assert exchange.decode_certificate(certificate) == (DEVICE.der, CA.der)
    assert share.agree(exchange.decode_ecdhe_client_key_exchange(key_exchange)) == ours.shared
    assert ours.proves
    assert ours.psk is None
    signed = exchange.decode_certificate_verify(ours.certificate_verify(b"messages"))
    verify(DEVICE.key.public_key(), signed, b"messages")


def test_who_is_not_asked_shows_nothing() -> None:
    ours = begin(ECDSA)
    ours.take_certificate(CHAIN)
    ours.take_key_exchange(signed_share(make_share()))
    assert [kind for kind, _ in ours.messages()] == [HandshakeType.CLIENT_KEY_EXCHANGE]
    assert not ours.proves


@pytest.mark.parametrize("kind", [X509, RAW])
def test_who_has_nothing_shows_an_empty_certificate(kind: CertificateType) -> None:
    extensions = {int(ExtensionType.CLIENT_CERTIFICATE_TYPE): bytes((kind,))}
    ours = begin(ECDSA, extensions, credential=None, client_certificate_types=(kind,))
    ours.take_certificate(CHAIN)
    ours.take_key_exchange(signed_share(make_share()))
    ours.take_request(REQUEST)
    assert ours.messages()[0] == (HandshakeType.CERTIFICATE, b"\0\0\0")
    assert not ours.proves


def test_bare_keys_are_shown_and_read_where_they_were_agreed_on() -> None:
    extensions = {
        int(ExtensionType.CLIENT_CERTIFICATE_TYPE): bytes((RAW,)),
        int(ExtensionType.SERVER_CERTIFICATE_TYPE): bytes((RAW,)),
    }
    shown: list[tuple[CertificateType, tuple[bytes, ...]]] = []

    def is_trusted(kind: CertificateType, chain: tuple[bytes, ...]) -> bool:
        shown.append((kind, chain))
        return True

    ours = begin(
        ECDSA,
        extensions,
        client_certificate_types=(RAW,),
        server_certificate_types=(RAW,),
        is_trusted=is_trusted,
    )
    ours.take_certificate(exchange.encode_raw_public_key(spki_of(GATEWAY)))
    ours.take_key_exchange(signed_share(make_share()))
    ours.take_request(REQUEST)
    assert shown == [(RAW, (spki_of(GATEWAY),))]
    assert exchange.decode_raw_public_key(ours.messages()[0][1]) == spki_of(DEVICE)


def test_certificate_type_that_was_not_offered_ends_it() -> None:
    with pytest.raises(AlertError) as error:
        begin(ECDSA, {int(ExtensionType.SERVER_CERTIFICATE_TYPE): bytes((RAW,))})
    assert alert_of(error) is AlertDescription.ILLEGAL_PARAMETER


def test_server_that_shows_nothing_ends_it() -> None:
    with pytest.raises(AlertError):
        begin(ECDSA).take_certificate(b"\0\0\0")


@pytest.mark.parametrize(
    "body",
    [
        signed_share(make_share(), new_key()),
        signed_share(make_share(), server_random=CLIENT),
        exchange.encode_ecdhe_server_key_exchange(
            exchange.encode_share_parameters(23, make_share().public), DigitallySigned(0x0201, b"x")
        ),
    ],
    ids=["another key", "another handshake", "a scheme with SHA-1"],
)
def test_share_that_the_shown_key_did_not_sign_ends_it(body: bytes) -> None:
    ours = begin(ECDSA)
    ours.take_certificate(CHAIN)
    with pytest.raises(AlertError) as error:
        ours.take_key_exchange(body)
    assert alert_of(error) is AlertDescription.DECRYPT_ERROR
    assert ours.shared is None


def test_server_that_is_not_trusted_ends_it() -> None:
    ours = begin(ECDSA, is_trusted=lambda kind, chain: False)
    ours.take_certificate(CHAIN)
    with pytest.raises(AlertError) as error:
        ours.take_key_exchange(signed_share(make_share()))
    assert alert_of(error) is AlertDescription.CERTIFICATE_UNKNOWN


def test_group_that_was_not_offered_ends_it() -> None:
    with pytest.raises(AlertError) as error:
        begin(ECDHE_PSK, groups=(NamedGroup.SECP256R1,)).take_key_exchange(
            bare_share(make_share(NamedGroup.X25519))
        )
    assert alert_of(error) is AlertDescription.ILLEGAL_PARAMETER


def test_second_share_ends_it() -> None:
    ours = begin(ECDHE_PSK)
    ours.take_key_exchange(bare_share(make_share()))
    with pytest.raises(AlertError) as error:
        ours.take_key_exchange(bare_share(make_share()))
    assert alert_of(error) is AlertDescription.UNEXPECTED_MESSAGE


@pytest.mark.parametrize(
    ("suite", "body", "alert"),
    [
        (PSK, REQUEST, AlertDescription.UNEXPECTED_MESSAGE),
        (
            ECDSA,
            exchange.encode_certificate_request(CertificateRequest((exchange.ECDSA_SIGN,), (0x0603,))),
            AlertDescription.HANDSHAKE_FAILURE,
        ),
    ],
    ids=["beside a key", "other signatures"],
)
def test_request_that_cannot_be_met_ends_it(suite: int, body: bytes, alert: AlertDescription) -> None:
    with pytest.raises(AlertError) as error:
        begin(suite).take_request(body)
    assert alert_of(error) is alert


def test_b8_messages_cut_off_anywhere_are_malformed() -> None:
    share = signed_share(make_share())
    for kept in range(len(share)):
        ours = begin(ECDSA)
        ours.take_certificate(CHAIN)
        with pytest.raises(DecodeError):
            ours.take_key_exchange(share[:kept])
