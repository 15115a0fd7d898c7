"""Devices with certificates for the benchmark, and the CA that issued them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from gateway.dtls.credential import make_credential
from gateway.dtls.settings import ClientConfig

SUITE = 0xC0AE
"TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8, which every LwM2M device with certificates has."

_LASTING = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class CertifiedDevice:
    """What a device with a certificate has."""

    node_id: str
    config: ClientConfig


@dataclass(frozen=True, slots=True)
class CertifiedFleet:
    """Devices whose certificates one CA issued."""

    ca: x509.Certificate
    ca_key: ec.EllipticCurvePrivateKey
    devices: Sequence[CertifiedDevice]

    def renewed(self) -> CertifiedFleet:
        """The same devices with keys and certificates that nobody has seen yet."""
        devices = [_make_device(device.node_id, self.ca_key) for device in self.devices]
        return replace(self, devices=devices)

    def write_trust_folder(self, folder: Path) -> Path:
        """A new folder below *folder* with the CA's certificate, for ``dtls.trust_dir``."""
        trust = folder / "trust"
        trust.mkdir()
        (trust / "ca.pem").write_bytes(self.ca.public_bytes(Encoding.PEM))
        return trust


def make_fleet(prefix: str, count: int) -> CertifiedFleet:
    """*count* devices with keys of P-256."""
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca = _issue("Benchmark CA", ca_key, "Benchmark CA", ca_key, is_ca=True)
    devices = [_make_device(f"{prefix}-{index:06}", ca_key) for index in range(count)]
    return CertifiedFleet(ca, ca_key, devices)


def _make_device(node_id: str, ca_key: ec.EllipticCurvePrivateKey) -> CertifiedDevice:
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = _issue(node_id, key, "Benchmark CA", ca_key, is_ca=False)
    credential = make_credential(key, (certificate.public_bytes(Encoding.DER),))
    return CertifiedDevice(node_id, ClientConfig(suites=(SUITE,), credential=credential, cid=b""))


def _issue(
    name: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: str,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    is_ca: bool,
) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _LASTING)
        .not_valid_after(now + _LASTING)
        .add_extension(x509.BasicConstraints(is_ca, None), critical=True)
        .sign(issuer_key, hashes.SHA256())
    )
