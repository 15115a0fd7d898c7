"""Raw public keys (RFC 7250): a SubjectPublicKeyInfo in place of a certificate.

A key has exactly one encoding here, so that its SHA-256 names it: what would be written otherwise is
refused. Whose key it is, is the owner's to know.
"""

from __future__ import annotations

from hashlib import sha256
from typing import NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)

from gateway.dtls.errors import DecodeError
from gateway.dtls.refusal import CredentialFault, CredentialRefusal


class RawPublicKey(NamedTuple):
    """A key of P-256 that can be checked against, and is nobody's yet."""

    spki: bytes
    sha256: bytes
    public_key: ec.EllipticCurvePublicKey


def decode_spki(spki: bytes) -> RawPublicKey | CredentialRefusal:
    """Read a SubjectPublicKeyInfo in DER."""
    try:
        key = load_der_public_key(spki)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return CredentialRefusal(CredentialFault.RAW_KEY_MALFORMED)
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        return CredentialRefusal(CredentialFault.RAW_KEY_TYPE)
    if encode_spki(key) != spki:
        return CredentialRefusal(CredentialFault.RAW_KEY_ENCODING)
    return RawPublicKey(spki, sha256(spki).digest(), key)


def encode_spki(key: ec.EllipticCurvePublicKey) -> bytes:
    """The SubjectPublicKeyInfo of *key* in DER, with its point uncompressed."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def decode_spki_file(data: bytes) -> RawPublicKey | CredentialRefusal:
    """Read a file with one public key, in PEM or DER; its encoding in the file need not be ours.

    Raises:
        DecodeError: there is no public key in it.
    """
    try:
        key = load_pem_public_key(data) if b"-----BEGIN " in data else load_der_public_key(data)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise DecodeError("no public key, or one that cannot be read") from error
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return CredentialRefusal(CredentialFault.RAW_KEY_TYPE)
    return decode_spki(encode_spki(key))
