"""Signatures in handshakes (RFC 5246 §4.7, §7.4.1.4.1): ECDSA with SHA-256 or SHA-384.

Knows how they are written, made and checked; what is signed is the caller's. In TLS 1.2 a scheme
names hash and algorithm only: a key of P-256 may sign with SHA-384, and real clients do.
"""

from __future__ import annotations

from enum import IntEnum
from hashlib import sha256, sha384
from typing import Final, NamedTuple

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

from gateway.dtls.alerts import AlertDescription
from gateway.dtls.errors import AlertError
from gateway.dtls.wire import Reader, encode_vector


class SignatureScheme(IntEnum):
    """SignatureAndHashAlgorithm as one number: hash, then signature."""

    ECDSA_SHA256 = 0x0403
    ECDSA_SHA384 = 0x0503


SCHEMES: Final = (SignatureScheme.ECDSA_SHA256, SignatureScheme.ECDSA_SHA384)
"Those we can check, in the order in which we offer them. We sign with the first."

_MAX_SIGNATURE_BYTES: Final = 104
"Of P-384: two integers of 49 bytes in DER."

_ALGORITHMS: Final = {
    SignatureScheme.ECDSA_SHA256: ec.ECDSA(Prehashed(hashes.SHA256())),
    SignatureScheme.ECDSA_SHA384: ec.ECDSA(Prehashed(hashes.SHA384())),
}
_HASHES: Final = {SignatureScheme.ECDSA_SHA256: sha256, SignatureScheme.ECDSA_SHA384: sha384}


class DigitallySigned(NamedTuple):
    """A signature and how it was made. The scheme is a plain number: a peer may use any."""

    scheme: int
    signature: bytes


def take_digitally_signed(reader: Reader) -> DigitallySigned:
    """The structure where *reader* stands; whether it can be checked is not judged.

    Raises:
        DecodeError: it does not fit.
    """
    return DigitallySigned(reader.u16(), reader.vector16())


def encode_digitally_signed(signed: DigitallySigned) -> bytes:
    """Scheme, length, signature."""
    return signed.scheme.to_bytes(2, "big") + encode_vector(signed.signature, 2)


def sign(key: ec.EllipticCurvePrivateKey, content: bytes) -> DigitallySigned:
    """Sign *content* with ECDSA and SHA-256."""
    scheme = SignatureScheme.ECDSA_SHA256
    return DigitallySigned(scheme, key.sign(sha256(content).digest(), _ALGORITHMS[scheme]))


def verify(key: ec.EllipticCurvePublicKey, signed: DigitallySigned, content: bytes) -> None:
    """Return if *signed* is the signature of *content* by *key*.

    Raises:
        AlertError: it is not, or its scheme is none of ours.
    """
    scheme = _known(signed.scheme)
    verify_digest(key, signed, _HASHES[scheme](content).digest())


def verify_digest(key: ec.EllipticCurvePublicKey, signed: DigitallySigned, digest: bytes) -> None:
    """As `verify`, for content that was hashed already, with the hash of *signed*'s scheme.

    Raises:
        AlertError: as for `verify`; also a digest of another length.
    """
    algorithm = _ALGORITHMS[_known(signed.scheme)]
    if len(signed.signature) > _MAX_SIGNATURE_BYTES:
        raise _refused("longer than any")
    try:
        key.verify(signed.signature, digest, algorithm)
    except (InvalidSignature, ValueError) as error:
        raise _refused("wrong") from error


def _known(scheme: int) -> SignatureScheme:
    try:
        return SignatureScheme(scheme)
    except ValueError as error:
        raise _refused(f"of scheme {scheme:#06x}") from error


def _refused(what: str) -> AlertError:
    return AlertError(AlertDescription.DECRYPT_ERROR, f"a signature {what}")
