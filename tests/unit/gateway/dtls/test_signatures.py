"""Signatures: made and checked. What must not pass: tests/catalogue."""

from __future__ import annotations

from hashlib import sha256, sha384

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.dtls.alerts import AlertDescription
from gateway.dtls.errors import AlertError, DecodeError
from gateway.dtls.signatures import (
    SCHEMES,
    DigitallySigned,
    SignatureScheme,
    encode_digitally_signed,
    sign,
    take_digitally_signed,
    verify,
    verify_digest,
)
from gateway.dtls.wire import Reader

KEY = ec.generate_private_key(ec.SECP256R1())
LONG_KEY = ec.generate_private_key(ec.SECP384R1())


@pytest.mark.parametrize("key", [KEY, LONG_KEY], ids=["P-256", "P-384"])
def test_what_was_signed_verifies(key: ec.EllipticCurvePrivateKey) -> None:
    signed = sign(key, b"content")
    assert signed.scheme == SignatureScheme.ECDSA_SHA256 == 0x0403
    verify(key.public_key(), signed, b"content")
    verify_digest(key.public_key(), signed, sha256(b"content").digest())


@pytest.mark.parametrize("key", [KEY, LONG_KEY], ids=["P-256", "P-384"])
def test_sha_384_verifies_with_either_curve(key: ec.EllipticCurvePrivateKey) -> None:
    signed = DigitallySigned(0x0503, key.sign(b"content", ec.ECDSA(hashes.SHA384())))
    verify(key.public_key(), signed, b"content")
    verify_digest(key.public_key(), signed, sha384(b"content").digest())


def test_we_offer_what_we_check_and_our_own_first() -> None:
    assert SCHEMES == (0x0403, 0x0503)


@pytest.mark.parametrize(
    ("signed", "digest"),
    [
        (sign(KEY, b"content"), sha384(b"content").digest()),
        (sign(KEY, b"content"), b""),
        (sign(KEY, b"other"), sha256(b"content").digest()),
        (DigitallySigned(0x0403, bytes(105)), sha256(b"content").digest()),
        (DigitallySigned(0x0401, b"rsa"), sha256(b"content").digest()),
    ],
    ids=["digest of another hash", "no digest", "other content", "too long", "other scheme"],
)
def test_b6_what_does_not_verify_is_a_decrypt_error(signed: DigitallySigned, digest: bytes) -> None:
    with pytest.raises(AlertError) as raised:
        verify_digest(KEY.public_key(), signed, digest)
    assert raised.value.description is AlertDescription.DECRYPT_ERROR


def test_structure_is_scheme_length_signature() -> None:
    encoded = encode_digitally_signed(DigitallySigned(0x0403, b"abc"))
    assert encoded == b"\4\3\0\3abc"
    reader = Reader(encoded + b"more")
    assert take_digitally_signed(reader) == (0x0403, b"abc")
    assert reader.rest() == b"more"


@pytest.mark.parametrize("data", [b"", b"\4", b"\4\3", b"\4\3\0", b"\4\3\0\4abc"])
def test_structure_cut_off_is_malformed(data: bytes) -> None:
    with pytest.raises(DecodeError):
        take_digitally_signed(Reader(data))
