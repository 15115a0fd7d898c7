"""Messages of key exchange and authentication: each as it stands in its RFC."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from gateway.dtls import exchange
from gateway.dtls.alerts import AlertDescription
from gateway.dtls.errors import AlertError, DecodeError, LocalProtocolError
from gateway.dtls.exchange import CertificateRequest
from gateway.dtls.signatures import DigitallySigned

SHARE = bytes.fromhex("03 0017 03 040506")
SIGNED = DigitallySigned(0x0403, b"signature")
SIGNED_BYTES = b"\4\3\0\x09signature"

WHOLE: dict[str, tuple[Callable[[bytes], Any], bytes]] = {
    "certificate": (exchange.decode_certificate, exchange.encode_certificate((b"leaf", b"issuer"))),
    "raw public key": (exchange.decode_raw_public_key, exchange.encode_raw_public_key(b"spki")),
    "ecdhe server": (exchange.decode_ecdhe_server_key_exchange, SHARE + SIGNED_BYTES),
    "ecdhe psk server": (exchange.decode_ecdhe_psk_server_key_exchange, b"\0\4hint" + SHARE),
    "certificate request": (
        exchange.decode_certificate_request,
        exchange.encode_certificate_request(CertificateRequest((64,), (0x0403,), (b"name",))),
    ),
    "certificate verify": (exchange.decode_certificate_verify, SIGNED_BYTES),
    "ecdhe client": (exchange.decode_ecdhe_client_key_exchange, b"\3\4\5\6"),
    "ecdhe psk client": (exchange.decode_ecdhe_psk_client_key_exchange, b"\0\2id\3\4\5\6"),
}


@pytest.mark.parametrize("name", WHOLE)
def test_b8_cut_off_anywhere_is_malformed(name: str) -> None:
    decode, body = WHOLE[name]
    decode(body)
    for kept in range(len(body)):
        with pytest.raises(DecodeError):
            decode(body[:kept])


@pytest.mark.parametrize("name", WHOLE)
def test_bytes_behind_are_malformed(name: str) -> None:
    decode, body = WHOLE[name]
    with pytest.raises(DecodeError):
        decode(body + b"\0")


def test_certificates_come_leaf_first() -> None:
    body = bytes.fromhex("000008 000001 61 000001 62")
    assert exchange.encode_certificate((b"a", b"b")) == body
    assert exchange.decode_certificate(body) == (b"a", b"b")


def test_no_certificate_at_all_is_well_formed() -> None:
    assert exchange.encode_certificate(()) == b"\0\0\0"
    assert exchange.decode_certificate(b"\0\0\0") == ()
    assert exchange.decode_raw_public_key(b"\0\0\0") == b""


def test_share_is_read_with_the_bytes_that_are_signed() -> None:
    parameters, signed = exchange.decode_ecdhe_server_key_exchange(SHARE + SIGNED_BYTES)
    assert parameters == (23, b"\4\5\6", SHARE)
    assert signed == SIGNED
    assert exchange.encode_share_parameters(23, b"\4\5\6") == SHARE
    assert exchange.encode_ecdhe_server_key_exchange(SHARE, SIGNED) == SHARE + SIGNED_BYTES
    assert exchange.signed_parameters(b"client", b"server", SHARE) == b"clientserver" + SHARE


def test_hint_comes_before_the_share() -> None:
    body = exchange.encode_ecdhe_psk_server_key_exchange(b"hint", SHARE)
    assert exchange.decode_ecdhe_psk_server_key_exchange(body) == (b"hint", (23, b"\4\5\6", SHARE))
    without = exchange.encode_ecdhe_psk_server_key_exchange(b"", SHARE)
    assert exchange.decode_ecdhe_psk_server_key_exchange(without)[0] == b""


@pytest.mark.parametrize("curve_type", [0, 1, 2, 4, 255])
def test_described_curves_are_refused(curve_type: int) -> None:
    described = bytes((curve_type,)) + SHARE[1:]
    for decode, body in (
        (exchange.decode_ecdhe_server_key_exchange, described + SIGNED_BYTES),
        (exchange.decode_ecdhe_psk_server_key_exchange, b"\0\0" + described),
    ):
        with pytest.raises(AlertError) as raised:
            decode(body)
        assert raised.value.description is AlertDescription.ILLEGAL_PARAMETER


def test_c10b_server_key_exchange_without_signature_is_malformed() -> None:
    for missing in (b"", b"\4\3", b"\4\3\0\1"):
        with pytest.raises(DecodeError):
            exchange.decode_ecdhe_server_key_exchange(SHARE + missing)


def test_request_names_types_schemes_and_authorities() -> None:
    request = CertificateRequest((64, 1), (0x0403, 0x0503), (b"one", b"two"))
    body = exchange.encode_certificate_request(request)
    assert body == bytes.fromhex("02 4001 0004 0403 0503 000a 0003 6f6e65 0003 74776f")
    assert exchange.decode_certificate_request(body) == request
    anybody = request._replace(authorities=())
    assert exchange.decode_certificate_request(exchange.encode_certificate_request(anybody)) == anybody


@pytest.mark.parametrize(
    "body",
    ["00 0002 0403 0000", "01 40 0000 0000", "01 40 0003 040305 0000", "01 40 0002 0403 0002 0000"],
    ids=["no type", "no scheme", "half a scheme", "empty name"],
)
def test_b15_request_that_asks_for_nothing_is_malformed(body: str) -> None:
    with pytest.raises(DecodeError):
        exchange.decode_certificate_request(bytes.fromhex(body))


def test_shares_of_clients_come_back() -> None:
    assert exchange.decode_ecdhe_client_key_exchange(exchange.encode_ecdhe_client_key_exchange(b"share")) == (
        b"share"
    )
    body = exchange.encode_ecdhe_psk_client_key_exchange(b"identity", b"share")
    assert exchange.decode_ecdhe_psk_client_key_exchange(body) == (b"identity", b"share")


def test_share_that_does_not_fit_its_length_is_our_mistake() -> None:
    with pytest.raises(LocalProtocolError):
        exchange.encode_ecdhe_client_key_exchange(bytes(256))


def test_signature_of_a_client_comes_back() -> None:
    assert exchange.decode_certificate_verify(exchange.encode_certificate_verify(SIGNED)) == SIGNED


def test_b7_empty_entry_is_malformed() -> None:
    for body in ("000003 000000", "000007 000001 61 000000", "000007 000000 000001 61"):
        with pytest.raises(DecodeError):
            exchange.decode_certificate(bytes.fromhex(body))


def test_b7_as_many_certificates_as_nobody_has_are_malformed() -> None:
    most = (b"c",) * exchange.MAX_CERTIFICATES
    assert exchange.decode_certificate(exchange.encode_certificate(most)) == most
    with pytest.raises(DecodeError):
        exchange.decode_certificate(exchange.encode_certificate((*most, b"c")))


@pytest.mark.parametrize("body", ["03 0017 00", "03 0017"])
def test_b5_share_without_a_public_value_is_malformed(body: str) -> None:
    with pytest.raises(DecodeError):
        exchange.decode_ecdhe_psk_server_key_exchange(b"\0\0" + bytes.fromhex(body))
