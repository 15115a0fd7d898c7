"""The key that the gateway makes for itself where no certificate was given to it."""

from __future__ import annotations

from datetime import UTC, datetime

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from gateway.dtls.credential import Credential, decode_private_key, make_credential
from registry.serverkey import ServerKey

COMMON_NAME = "Nodegate"

# What devices pin must not run out, and not hang on the clock of the machine's first minute:
# the end that says “none” (RFC 5280 §4.1.2.5), and a beginning that lies behind every device's clock.
NOT_BEFORE = datetime(2020, 1, 1, tzinfo=UTC)
NOT_AFTER = datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)

_SIGNING = x509.KeyUsage(
    digital_signature=True,
    content_commitment=False,
    key_encipherment=False,
    data_encipherment=False,
    key_agreement=False,
    key_cert_sign=False,
    crl_sign=False,
    encipher_only=False,
    decipher_only=False,
)


def make_server_key() -> ServerKey:
    """A new key of P-256, in PEM (PKCS #8), and a certificate that it signed for itself, in DER."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, COMMON_NAME)])
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOT_BEFORE)
        .not_valid_after(NOT_AFTER)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_SIGNING, critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(key, hashes.SHA256())
    )
    private_key = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return ServerKey(private_key, certificate.public_bytes(Encoding.DER))


def credential_of(key: ServerKey) -> Credential:
    """What the engine shows of it: the bare key to whoever can read one, to others the certificate."""
    credential = make_credential(decode_private_key(key.private_key), (key.certificate,))
    return credential._replace(prefers_raw=True)
