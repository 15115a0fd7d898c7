"""X.509 certificates as values: the leaf that a peer shows, its names, its dates, its key.

Knows how certificates are read. Whether one is trusted is `trust`'s; who it names, the owner's. All
times are Unix seconds.
"""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from hashlib import sha256
from typing import Final, NamedTuple
from warnings import catch_warnings

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from gateway.dtls.errors import DecodeError
from gateway.dtls.refusal import CredentialFault, CredentialRefusal

UNREADABLE: Final = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)
"What reading a certificate, or a part of it, raises."

_PEM_START: Final = b"-----BEGIN "


class NameKind(Enum):
    """Where in the certificate a name stands."""

    COMMON_NAME = "CN"
    DNS = "DNS"
    URI = "URI"


class CertificateName(NamedTuple):
    """A name that a certificate claims."""

    kind: NameKind
    value: str

    def matches(self, node_id: str) -> bool:
        """Byte for byte; a DNS name without regard to the case of its letters."""
        if self.kind is NameKind.DNS:
            return fold_case(self.value) == fold_case(node_id)
        return self.value == node_id


class LeafCertificate(NamedTuple):
    """The certificate of a peer, read and not trusted yet."""

    der: bytes
    sha256: bytes
    names: tuple[CertificateName, ...]
    "CN, then DNS and URI of the subjectAltName, each once."

    not_before_s: float
    not_after_s: float
    "The last second in which it is valid."

    public_key: ec.EllipticCurvePublicKey | None
    "None: not of P-256 or P-384; such a certificate is never accepted."

    parsed: x509.Certificate

    def dates_fault(self, now_s: float) -> CredentialFault | None:
        """Whether *now_s* is too early or too late for it."""
        return dates_fault(self.not_before_s, self.not_after_s, now_s)


def fold_case(name: str) -> str:
    """*name* for comparing DNS names: only the letters A to Z have another case (RFC 4343)."""
    return name.translate(_LOWER)


_LOWER: Final = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}


def decode_leaf(der: bytes) -> LeafCertificate | CredentialRefusal:
    """Read the first certificate of a chain, as far as it can be told whom it names."""
    with unwarned():
        try:
            parsed = x509.load_der_x509_certificate(der)
            # Whatever is read later must be readable now; the name of its issuer only explains a refusal.
            _ = parsed.version
            names = tuple(dict.fromkeys(_names_of(parsed)))
            dates = dates_of(parsed)
        except UNREADABLE:
            return CredentialRefusal(CredentialFault.MALFORMED)
        return LeafCertificate(der, sha256(der).digest(), names, *dates, _public_key_of(parsed), parsed)


def read_certificate(der: bytes) -> x509.Certificate | None:
    """The certificate, every part of it readable but perhaps its key; None: it is not."""
    with unwarned():
        try:
            certificate = x509.load_der_x509_certificate(der)
            # Parsed when first asked for: what is in here no longer raises later.
            _ = certificate.version, certificate.extensions, certificate.subject, certificate.issuer
            dates_of(certificate)
        except UNREADABLE:
            return None
    return certificate


def unwarned() -> catch_warnings[None]:
    """Wrap this around whatever looks into a peer's certificate.

    The library warns of small faults (a serial number of zero, a country of three letters). They are no
    reason to refuse a device, and nothing that a peer sends may write to the log by itself.
    """
    return catch_warnings(action="ignore")


def decode_certificates(data: bytes) -> tuple[bytes, ...]:
    """All certificates of a file, in DER: PEM with one or more of them, or one in DER.

    Raises:
        DecodeError: there is none, or one cannot be read.
    """
    found = _decode_pem(data) if _PEM_START in data else (data,)
    if not all(read_certificate(der) for der in found):
        raise DecodeError("no certificate, or one that cannot be read")
    return found


def _decode_pem(data: bytes) -> tuple[bytes, ...]:
    try:
        certificates = x509.load_pem_x509_certificates(data)
    except UNREADABLE as error:
        raise DecodeError("no certificate, or one that cannot be read") from error
    return tuple(certificate.public_bytes(Encoding.DER) for certificate in certificates)


def dates_of(certificate: x509.Certificate) -> tuple[float, float]:
    """First and last second of its validity."""
    return certificate.not_valid_before_utc.timestamp(), certificate.not_valid_after_utc.timestamp()


def dates_fault(not_before_s: float, not_after_s: float, now_s: float) -> CredentialFault | None:
    """Whether *now_s* lies before or after the dates of a certificate."""
    if now_s < not_before_s:
        return CredentialFault.NOT_YET_VALID
    return CredentialFault.EXPIRED if now_s > not_after_s else None


def is_ca(certificate: x509.Certificate) -> bool:
    """Whether it says of itself, in the way of version 3, that it may issue others."""
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _names_of(certificate: x509.Certificate) -> Iterator[CertificateName]:
    for attribute in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME):
        yield CertificateName(NameKind.COMMON_NAME, str(attribute.value))
    for extension in certificate.extensions:
        alternatives = extension.value
        if isinstance(alternatives, x509.SubjectAlternativeName):
            for name in alternatives.get_values_for_type(x509.DNSName):
                yield CertificateName(NameKind.DNS, name)
            for name in alternatives.get_values_for_type(x509.UniformResourceIdentifier):
                yield CertificateName(NameKind.URI, name)


def _public_key_of(certificate: x509.Certificate) -> ec.EllipticCurvePublicKey | None:
    try:
        key = certificate.public_key()
    except UNREADABLE:
        return None
    if isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1 | ec.SECP384R1):
        return key
    return None
