"""What a peer shows and how it proves it: Certificate, then a signature (RFC 5246 §7.4.6, §7.4.8).

Reads the certificate or raw public key as far as its key and its names, and checks the signature made
with that key. Whether its holder is welcome is the owner's to say.
"""

from __future__ import annotations

from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric import ec

from gateway.dtls import exchange
from gateway.dtls.certificates import LeafCertificate, decode_leaf
from gateway.dtls.errors import AlertError
from gateway.dtls.extensions import CertificateType
from gateway.dtls.handshake import Transcript
from gateway.dtls.rawkeys import RawPublicKey, decode_spki
from gateway.dtls.refusal import CredentialFault, CredentialRefusal
from gateway.dtls.signatures import SignatureScheme, verify_digest


class ShownCertificate(NamedTuple):
    """A chain: its key can be checked against, and is nobody's yet."""

    leaf: LeafCertificate
    issuers: tuple[bytes, ...]
    public_key: ec.EllipticCurvePublicKey


Shown = ShownCertificate | RawPublicKey


def read_certificate_message(body: bytes, kind: CertificateType) -> Shown | CredentialRefusal:
    """The body of a peer's Certificate, where *kind* was agreed on.

    Raises:
        DecodeError: any length that does not fit.
    """
    if kind is CertificateType.RAW_PUBLIC_KEY:
        spki = exchange.decode_raw_public_key(body)
        return decode_spki(spki) if spki else CredentialRefusal(CredentialFault.MISSING)
    chain = exchange.decode_certificate(body)
    if not chain:
        return CredentialRefusal(CredentialFault.MISSING)
    leaf = decode_leaf(chain[0])
    if isinstance(leaf, CredentialRefusal):
        return leaf
    if leaf.public_key is None:
        return CredentialRefusal(CredentialFault.KEY_TYPE, leaf.names)
    return ShownCertificate(leaf, chain[1:], leaf.public_key)


def check_proof(body: bytes, shown: Shown, transcript: Transcript) -> CredentialRefusal | None:
    """The body of a CertificateVerify over *transcript*, all messages before it; None: it is right.

    Raises:
        DecodeError: any length that does not fit.
    """
    signed = exchange.decode_certificate_verify(body)
    is_sha384 = signed.scheme == SignatureScheme.ECDSA_SHA384
    digest = transcript.digest_sha384() if is_sha384 else transcript.digest()
    try:
        verify_digest(shown.public_key, signed, digest)
    except AlertError:
        names = shown.leaf.names if isinstance(shown, ShownCertificate) else ()
        return CredentialRefusal(CredentialFault.NOT_PROVED, names)
    return None
