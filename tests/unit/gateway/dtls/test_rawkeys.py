"""Raw public keys: one encoding, one curve."""

from __future__ import annotations

from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from gateway.dtls.errors import DecodeError
from gateway.dtls.rawkeys import RawPublicKey, decode_spki, decode_spki_file, encode_spki
from gateway.dtls.refusal import CredentialFault, CredentialRefusal
from tests.support.certificates import make, new_key, rsa_key, sequence, tagged

KEY = new_key().public_key()
SPKI = encode_spki(KEY)
ALGORITHM = bytes.fromhex("301306072a8648ce3d020106082a8648ce3d030107")


def spki_with(point: bytes, algorithm: bytes = ALGORITHM) -> bytes:
    return sequence(algorithm + tagged(0x03, b"\0" + point))


def test_key_has_bytes_and_fingerprint() -> None:
    assert decode_spki(SPKI) == RawPublicKey(SPKI, sha256(SPKI).digest(), KEY)
    point = KEY.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    assert spki_with(point) == SPKI
    assert len(SPKI) == 91


def test_b5_compressed_point_is_another_encoding_and_refused() -> None:
    compressed = KEY.public_bytes(Encoding.X962, PublicFormat.CompressedPoint)
    assert decode_spki(spki_with(compressed)) == CredentialRefusal(CredentialFault.RAW_KEY_ENCODING)


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP256K1()),
        ec.generate_private_key(ec.BrainpoolP256R1()),
        ed25519.Ed25519PrivateKey.generate(),
        rsa_key(),
    ],
    ids=["P-384", "secp256k1", "brainpool", "Ed25519", "RSA"],
)
def test_other_keys_are_refused(key: ec.EllipticCurvePrivateKey) -> None:
    spki = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    assert decode_spki(spki) == CredentialRefusal(CredentialFault.RAW_KEY_TYPE)


def test_every_flipped_bit_is_refused_or_another_key() -> None:
    for position in range(8 * len(SPKI)):
        flipped = bytearray(SPKI)
        flipped[position // 8] ^= 1 << position % 8
        found = decode_spki(bytes(flipped))
        if isinstance(found, RawPublicKey):
            assert found.sha256 != sha256(SPKI).digest()
            assert encode_spki(found.public_key) == bytes(flipped)


@pytest.mark.parametrize(
    "spki",
    [
        b"",
        b"0",
        SPKI[:-1],
        SPKI + b"\0",
        b"\x30\x81" + SPKI[1:],
        spki_with(b"\0"),
        spki_with(b""),
        spki_with(b"\4" + bytes(64)),
        make().der,
    ],
    ids=["empty", "short", "cut", "longer", "long length", "infinity", "no point", "off the curve", "X.509"],
)
def test_b7_what_is_no_key_is_refused(spki: bytes) -> None:
    found = decode_spki(spki)
    assert isinstance(found, CredentialRefusal)
    assert found.fault in (CredentialFault.RAW_KEY_MALFORMED, CredentialFault.RAW_KEY_ENCODING)


def test_files_hold_the_key_in_pem_or_der() -> None:
    pem = KEY.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert decode_spki_file(pem) == decode_spki_file(SPKI) == decode_spki(SPKI)


def test_encoding_in_a_file_need_not_be_ours() -> None:
    compressed = spki_with(KEY.public_bytes(Encoding.X962, PublicFormat.CompressedPoint))
    assert decode_spki_file(compressed) == decode_spki(SPKI)


def test_other_keys_in_files_are_refused() -> None:
    for key in (rsa_key(), new_key(ec.SECP384R1())):
        pem = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        assert decode_spki_file(pem) == CredentialRefusal(CredentialFault.RAW_KEY_TYPE)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"junk",
        b"-----BEGIN PUBLIC KEY-----\n",
        new_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        make().pem,
    ],
    ids=["empty", "junk", "only a start", "a private key", "a certificate"],
)
def test_files_without_a_public_key_are_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_spki_file(data)
