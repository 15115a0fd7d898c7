"""What we prove ourselves by: a private key with its certificate chain, or with its public key alone."""

from __future__ import annotations

from typing import NamedTuple

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from gateway.dtls.certificates import UNREADABLE
from gateway.dtls.errors import DecodeError, LocalProtocolError
from gateway.dtls.rawkeys import encode_spki
from gateway.dtls.signatures import DigitallySigned, sign


class Credential(NamedTuple):
    """A key of P-256, and what tells peers of it."""

    key: ec.EllipticCurvePrivateKey
    spki: bytes
    "Sent to peers that want a raw public key."

    chain: tuple[bytes, ...] = ()
    "Sent to those that want X.509: leaf first, in DER. Empty: we have none."

    prefers_raw: bool = False
    "Show the raw public key to whoever can read one, also to those who name certificates first."

    def sign(self, content: bytes) -> DigitallySigned:
        """With ECDSA and SHA-256."""
        return sign(self.key, content)


def make_credential(key: ec.EllipticCurvePrivateKey, chain: tuple[bytes, ...] = ()) -> Credential:
    """Put *key* and *chain* together.

    Raises:
        LocalProtocolError: the key is not of P-256, or not that of the first certificate.
    """
    if not isinstance(key.curve, ec.SECP256R1):
        raise LocalProtocolError(f"a private key of {key.curve.name}, where P-256 is needed")
    public_key = key.public_key()
    if chain and _key_of(chain[0]) != public_key:
        raise LocalProtocolError("the private key does not fit the certificate")
    return Credential(key, encode_spki(public_key), chain)


def decode_private_key(pem: bytes) -> ec.EllipticCurvePrivateKey:
    """The key in an unencrypted PEM file: PKCS #8 or SEC 1.

    Raises:
        DecodeError: there is none, it is encrypted, or not one of an elliptic curve.
    """
    try:
        key = load_pem_private_key(pem, None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise DecodeError("no private key that can be read without a password") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise DecodeError("not a key of an elliptic curve")
    return key


def _key_of(der: bytes) -> object:
    try:
        return x509.load_der_x509_certificate(der).public_key()
    except UNREADABLE:
        return None
