"""What peers see of the gateway, as ``nodegate server-key show`` tells it, and as the registry keeps it."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from registry.serverkey import ShownServerKey


def to_pem(chain: Iterable[bytes]) -> bytes:
    """The certificates of *chain* (DER), one behind the other."""
    return b"".join(x509.load_der_x509_certificate(der).public_bytes(Encoding.PEM) for der in chain)


def describe_shown(shown: ShownServerKey) -> dict[str, str | None]:
    """``{"public_key", "sha256", "certificate"}``: SPKI in PEM, SHA-256 of its DER, chain in PEM.

    All None where the gateway has shown nothing yet.
    """
    pem = shown.chain
    if pem is None and shown.certificate is not None:
        pem = to_pem([shown.certificate])
    if pem is None:
        return {"public_key": None, "sha256": None, "certificate": None}
    key = x509.load_pem_x509_certificates(pem)[0].public_key()
    spki = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return {
        "public_key": key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode(),
        "sha256": sha256(spki).hexdigest(),
        "certificate": pem.decode(),
    }
