"""Certificates and public keys of devices: files in, what the registry keeps out.

Refuses what could never serve at a handshake, as far as that can be told beforehand.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from registry.errors import InvalidValue

MAX_FILE_BYTES = 1 << 20


def read_certificate(path: Path, node_id: str) -> bytes:
    """The certificate that *node_id* shall bring, in DER.

    Raises:
        InvalidValue: no file with one certificate, on a curve that the gateway has, which names the device.
    """
    from gateway.dtls.certificates import LeafCertificate, decode_certificates, decode_leaf
    from gateway.dtls.errors import DecodeError

    try:
        found = decode_certificates(_read(path))
    except DecodeError as error:
        raise InvalidValue(f"{path}: {error.what}; give an X.509 certificate in PEM or DER") from None
    if len(found) != 1:
        raise InvalidValue(f"{path}: {len(found)} certificates; give that of the device alone")
    leaf = decode_leaf(found[0])
    assert isinstance(leaf, LeafCertificate), "what decodes as one is readable"
    if leaf.public_key is None:
        raise InvalidValue(f"{path}: its key is neither P-256 nor P-384; no handshake could use it")
    if not any(name.matches(node_id) for name in leaf.names):
        names = ", ".join(name.value for name in leaf.names) or "nobody"
        raise InvalidValue(
            f"{path}: the certificate names {names}, not {node_id}; its CN or SAN must be the node ID"
        )
    return leaf.der


def read_public_key(path: Path) -> bytes:
    """The public key that a device shall bring: SubjectPublicKeyInfo in DER, in its one encoding.

    Raises:
        InvalidValue: no file with a public key of P-256.
    """
    from gateway.dtls.errors import DecodeError
    from gateway.dtls.rawkeys import RawPublicKey, decode_spki_file

    try:
        key = decode_spki_file(_read(path))
    except DecodeError as error:
        raise InvalidValue(
            f"{path}: {error.what}; `openssl pkey -in KEY.pem -pubout` makes one of a private key"
        ) from None
    if not isinstance(key, RawPublicKey):
        raise InvalidValue(f"{path}: {key.fault}; give a key of P-256")
    return key.spki


def fault_of_dates(certificate: bytes) -> str | None:
    """Why *certificate* (DER, readable) would be refused today for its dates."""
    from gateway.dtls.certificates import LeafCertificate, decode_leaf

    leaf = decode_leaf(certificate)
    assert isinstance(leaf, LeafCertificate)
    fault = leaf.dates_fault(datetime.now(UTC).timestamp())
    return None if fault is None else str(fault)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MAX_FILE_BYTES + 1)
    except OSError as error:
        raise InvalidValue(f"{path}: cannot be read: {error.strerror}") from None
    if len(data) > MAX_FILE_BYTES:
        raise InvalidValue(f"{path}: larger than {MAX_FILE_BYTES} bytes; that is no certificate and no key")
    return data
