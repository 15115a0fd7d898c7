"""Certificates made for tests: authorities, what they issue, and what no authority should."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID

from gateway.dtls.credential import Credential, make_credential

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
NOW_S = NOW.timestamp()
DAY_S = 86_400.0

Extensions = Sequence[tuple[x509.ExtensionType, bool]]
"With whether each is critical."

CA: Extensions = ((x509.BasicConstraints(True, None), True),)
UNKNOWN_EXTENSION = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.5555.1"), b"\x05\x00")

_ECDSA_SHA256 = bytes.fromhex("300a06082a8648ce3d040302")
_VERSION_3 = bytes.fromhex("a003020102")


def new_key(curve: ec.EllipticCurve | None = None) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(curve or ec.SECP256R1())


def key_usage(*names: str) -> x509.KeyUsage:
    """A key usage with these and nothing else."""
    every = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    assert set(names) <= set(every)
    return x509.KeyUsage(**{name: name in names for name in every})


def alternative_names(*names: x509.GeneralName) -> tuple[x509.ExtensionType, bool]:
    return x509.SubjectAlternativeName(names), False


def common_name(*values: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, value) for value in values])


@dataclass(frozen=True)
class Issued:
    """A certificate with its private key; issues others as if it were a CA's."""

    certificate: x509.Certificate
    key: Any

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def issue(self, name: str | x509.Name = "device-1", **options: Any) -> Issued:
        """A certificate below this one."""
        return make(name, issuer=self, **options)

    def as_version_1(self, issuer: Issued) -> bytes:
        """The same in version 1, signed anew by *issuer*. It must have no extensions."""
        tbs = self.certificate.tbs_certificate_bytes
        header_bytes = 2 if tbs[1] < 0x80 else 2 + (tbs[1] & 0x7F)
        content = tbs[header_bytes:]
        assert content.startswith(_VERSION_3)
        older = sequence(content.removeprefix(_VERSION_3))
        signature = issuer.key.sign(older, ec.ECDSA(hashes.SHA256()))
        return sequence(older + _ECDSA_SHA256 + tagged(0x03, b"\0" + signature))


def make(
    name: str | x509.Name = "device-1",
    *,
    issuer: Issued | None = None,
    key: Any = None,
    extensions: Extensions = (),
    not_before_s: float = -DAY_S,
    not_after_s: float = 10 * DAY_S,
    signer: Any = None,
) -> Issued:
    """A certificate, self-signed without *issuer*; its dates count from `NOW`. *signer*: another's key."""
    key = key or new_key()
    subject = common_name(name) if isinstance(name, str) else name
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW + timedelta(seconds=not_before_s))
        .not_valid_after(NOW + timedelta(seconds=not_after_s))
    )
    for extension, is_critical in extensions:
        builder = builder.add_extension(extension, is_critical)
    return Issued(builder.sign(signer or (issuer.key if issuer else key), hashes.SHA256()), key)


def authority(name: str = "Test CA", **options: Any) -> Issued:
    """A self-signed CA."""
    return make(name, **{"extensions": CA, **options})


def credential_of(issued: Issued, *issuers: Issued) -> Credential:
    """What a peer shows that has this certificate: it, and *issuers* behind it."""
    return make_credential(issued.key, (issued.der, *(issuer.der for issuer in issuers)))


def write_trust(folder: Path, *anchors: Issued) -> Path:
    """``trust`` in *folder*, with the certificates of *anchors*: ``0.pem`` and so on."""
    trust = folder / "trust"
    trust.mkdir()
    for number, anchor in enumerate(anchors):
        (trust / f"{number}.pem").write_bytes(anchor.pem)
    return trust


def write_pair(folder: Path, issued: Issued, name: str = "server") -> tuple[Path, Path]:
    """``NAME.pem`` with the certificate, ``NAME.key`` with its key, for its owner alone."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    certificate.write_bytes(issued.pem)
    key.touch(0o600)
    key.write_bytes(issued.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return certificate, key


def spki_of(issued: Issued) -> bytes:
    """The public key as a SubjectPublicKeyInfo in DER."""
    return issued.key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def tagged(tag: int, content: bytes) -> bytes:
    """One value in DER."""
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    length = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(length))) + length + content


def sequence(content: bytes) -> bytes:
    return tagged(0x30, content)
