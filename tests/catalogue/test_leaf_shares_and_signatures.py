"""Negative catalogue, B5 and B6: public values and signatures that are none."""

from __future__ import annotations

import os
from hashlib import sha256, sha384

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.dtls.alerts import AlertDescription
from gateway.dtls.errors import AlertError, DecodeError
from gateway.dtls.exchange import (
    decode_certificate_verify,
    decode_ecdhe_client_key_exchange,
    decode_ecdhe_psk_client_key_exchange,
    encode_ecdhe_client_key_exchange,
)
from gateway.dtls.groups import NamedGroup, generate
from gateway.dtls.signatures import DigitallySigned, sign, verify, verify_digest

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
CONTENT = b"all handshake messages so far"


def agree(group: NamedGroup, public: bytes) -> bytes:
    return generate(group, os.urandom).agree(public)


def assert_illegal(group: NamedGroup, public: bytes) -> None:
    with pytest.raises(AlertError) as raised:
        agree(group, public)
    assert raised.value.description is AlertDescription.ILLEGAL_PARAMETER


def point_of(key: ec.EllipticCurvePublicKey, form: PublicFormat = PublicFormat.UncompressedPoint) -> bytes:
    return key.public_bytes(Encoding.X962, form)


# --- B5


def test_B5_compressed_point_is_refused() -> None:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    assert_illegal(NamedGroup.SECP256R1, point_of(key, PublicFormat.CompressedPoint))


@pytest.mark.parametrize("form", [0, 1, 2, 3, 5, 6, 7, 0xFF])
def test_B5_other_forms_of_a_whole_point_are_refused(form: int) -> None:
    point = point_of(ec.generate_private_key(ec.SECP256R1()).public_key())
    assert_illegal(NamedGroup.SECP256R1, bytes((form,)) + point[1:])


def test_B5_point_not_on_the_curve_is_refused() -> None:
    point = bytearray(point_of(ec.generate_private_key(ec.SECP256R1()).public_key()))
    for at in (1, 32, 33, 64):
        changed = bytearray(point)
        changed[at] ^= 1
        assert_illegal(NamedGroup.SECP256R1, bytes(changed))


@pytest.mark.parametrize("curve", [ec.SECP256K1(), ec.BrainpoolP256R1()], ids=lambda curve: curve.name)
def test_B5_point_of_another_curve_is_refused(curve: ec.EllipticCurve) -> None:
    assert_illegal(NamedGroup.SECP256R1, point_of(ec.generate_private_key(curve).public_key()))


@pytest.mark.parametrize(
    "point",
    [b"\0", b"\0" * 65, b"\4" + bytes(64), b"\4" + b"\xff" * 64, b"\4" + P.to_bytes(32, "big") + bytes(32)],
    ids=["infinity", "infinity at full length", "zero", "beyond the field", "the field itself"],
)
def test_B5_infinity_and_what_is_beyond_the_field_is_refused(point: bytes) -> None:
    assert_illegal(NamedGroup.SECP256R1, point)


LOW_ORDER = (
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
)


@pytest.mark.parametrize("public", LOW_ORDER)
def test_B5_x25519_value_that_leads_to_zero_is_refused(public: str) -> None:
    assert_illegal(NamedGroup.X25519, bytes.fromhex(public))


@pytest.mark.parametrize("group", [NamedGroup.SECP256R1, NamedGroup.X25519])
def test_B5_value_of_the_other_group_is_refused(group: NamedGroup) -> None:
    other = NamedGroup.X25519 if group is NamedGroup.SECP256R1 else NamedGroup.SECP256R1
    assert_illegal(group, generate(other, os.urandom).public)


def test_B5_key_exchange_without_a_public_value_is_malformed() -> None:
    for body in (b"", b"\0", b"\5abcd", b"\1ab"):
        with pytest.raises(DecodeError):
            decode_ecdhe_client_key_exchange(body)
    for body in (b"", b"\0\0", b"\0\0\0", b"\0\1", b"\0\1i\0", b"\xff\xffi\1p", b"\0\1i\2p", b"\0\1i\1px"):
        with pytest.raises(DecodeError):
            decode_ecdhe_psk_client_key_exchange(body)


def test_B5_public_value_of_255_bytes_is_read_and_then_refused() -> None:
    public = decode_ecdhe_client_key_exchange(encode_ecdhe_client_key_exchange(b"\4" * 255))
    assert_illegal(NamedGroup.SECP256R1, public)


# --- B6


KEYS = {
    "P-256": ec.generate_private_key(ec.SECP256R1()),
    "P-384": ec.generate_private_key(ec.SECP384R1()),
}
ORDERS = {"P-256": ORDER, "P-384": (2**192 - 1) * 2**192 + 0xC7634D81F4372DDF581A0DB248B0A77AECEC196ACCC52973}

every_key = pytest.mark.parametrize("curve", KEYS)


def right(curve: str, scheme: int = 0x0403) -> DigitallySigned:
    algorithm = ec.ECDSA(hashes.SHA256() if scheme == 0x0403 else hashes.SHA384())
    return DigitallySigned(scheme, KEYS[curve].sign(CONTENT, algorithm))


def assert_refused(curve: str, signed: DigitallySigned) -> None:
    key = KEYS[curve].public_key()
    for check in (
        lambda: verify(key, signed, CONTENT),
        lambda: verify_digest(key, signed, sha256(CONTENT).digest()),
        lambda: verify_digest(key, signed, sha384(CONTENT).digest()),
    ):
        with pytest.raises(AlertError) as raised:
            check()
        assert raised.value.description is AlertDescription.DECRYPT_ERROR


@every_key
@pytest.mark.parametrize("scheme", [0x0403, 0x0503])
def test_B6_right_signature_is_otherwise_fine(curve: str, scheme: int) -> None:
    verify(KEYS[curve].public_key(), right(curve, scheme), CONTENT)


@every_key
def test_B6_r_or_s_of_zero_is_refused(curve: str) -> None:
    r, s = decode_dss_signature(right(curve).signature)
    order = ORDERS[curve]
    for forged in ((0, s), (r, 0), (0, 0), (order, s), (r, order), (order, order), (r + order, s)):
        assert_refused(curve, DigitallySigned(0x0403, encode_dss_signature(*forged)))


@every_key
def test_B6_negative_r_or_s_is_refused(curve: str) -> None:
    for numbers in ("0201ff0201ff", "02010102 01ff", "0201ff020101"):
        content = bytes.fromhex(numbers)
        assert_refused(curve, DigitallySigned(0x0403, bytes((0x30, len(content))) + content))


@every_key
def test_B6_der_that_is_too_long_or_not_the_shortest_is_refused(curve: str) -> None:
    signed = right(curve)
    der = signed.signature
    r, s = decode_dss_signature(der)
    wide = (max(r.bit_length(), s.bit_length()) // 8) + 3
    padded = b"".join(b"\x02" + bytes((wide,)) + number.to_bytes(wide, "big") for number in (r, s))
    for forged in (
        der + b"\0",
        der + bytes(200),
        der + bytes(0xFFFF - len(der)),
        b"\x30\x81" + der[1:],
        b"\x30\x80" + der[2:] + b"\0\0",
        bytes((0x30, len(padded))) + padded
        if len(padded) < 0x80
        else b"\x30\x81" + bytes((len(padded),)) + padded,
        b"\x31" + der[1:],
        der[:-1],
        b"",
    ):
        assert_refused(curve, signed._replace(signature=forged))


@every_key
def test_B6_every_truncation_is_refused(curve: str) -> None:
    signed = right(curve)
    for kept in range(len(signed.signature)):
        assert_refused(curve, signed._replace(signature=signed.signature[:kept]))


@every_key
@pytest.mark.parametrize("scheme", [0, 0x0203, 0x0303, 0x0401, 0x0603, 0x0807, 0x0804, 0xFFFF])
def test_B6_scheme_that_was_not_offered_is_refused(curve: str, scheme: int) -> None:
    assert_refused(curve, right(curve)._replace(scheme=scheme))


@every_key
def test_B6_signature_under_the_other_hash_is_refused(curve: str) -> None:
    signed = right(curve)._replace(scheme=0x0503)
    with pytest.raises(AlertError):
        verify(KEYS[curve].public_key(), signed, CONTENT)


def test_B6_signature_by_another_key_or_of_other_content_is_refused() -> None:
    signed = sign(KEYS["P-256"], CONTENT)
    key = KEYS["P-256"].public_key()
    verify(key, signed, CONTENT)
    for other_key, content in (
        (key, CONTENT + b"\0"),
        (key, b""),
        (ec.generate_private_key(ec.SECP256R1()).public_key(), CONTENT),
        (KEYS["P-384"].public_key(), CONTENT),
    ):
        with pytest.raises(AlertError):
            verify(other_key, signed, content)


def test_B6_certificate_verify_cut_off_anywhere_is_malformed() -> None:
    body = b"\4\3\0\4abcd"
    assert decode_certificate_verify(body) == (0x0403, b"abcd")
    for kept in range(len(body)):
        with pytest.raises(DecodeError):
            decode_certificate_verify(body[:kept])
    with pytest.raises(DecodeError):
        decode_certificate_verify(body + b"\0")
