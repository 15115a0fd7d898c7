"""What a side proves itself with: a private key, and its certificate chain or the bare public key (RFC 7250).

Made by the owner from files or from the registry; the engine keeps it and signs with it. Judges no
certificate: whether a chain is good is the peer's business.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from gateway.dtls.errors import LocalProtocolError

CURVES = {"secp256r1": 23, "secp384r1": 24}
"Of keys that may sign: name → number of the group (RFC 8422 §5.1.1)."


@dataclass(frozen=True, slots=True)
class Credential:
    """Raises `LocalProtocolError` when key and certificate do not belong together, or on another curve."""

    private_key: ec.EllipticCurvePrivateKey = field(repr=False)
    chain: tuple[bytes, ...] = ()
    "Certificates in DER, the one of the key first; none: nothing but the raw public key can be shown."

    prefers_raw: bool = False
    "Show the raw public key to whoever can read one, also to those who name certificates first."

    public_key: bytes = field(init=False)
    "SubjectPublicKeyInfo in DER."

    def __post_init__(self) -> None:
        """Refuse what would fail in every handshake."""
        if self.private_key.curve.name not in CURVES:
            raise LocalProtocolError(f"a key on {self.private_key.curve.name}")
        spki = self.private_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if self.chain and _key_of(self.chain[0]) != spki:
            raise LocalProtocolError("the private key does not belong to the certificate")
        object.__setattr__(self, "public_key", spki)

    @property
    def group(self) -> int:
        """The number of the key's curve."""
        return CURVES[self.private_key.curve.name]


def _key_of(certificate: bytes) -> bytes:
    try:
        key = x509.load_der_x509_certificate(certificate).public_key()
    except ValueError as error:
        raise LocalProtocolError("the certificate cannot be read") from error
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
