"""Which files are a device's certificate or public key, and what is said of the others."""

from __future__ import annotations

from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from registry.errors import InvalidValue
from tests.support.certificates import DAY_S, alternative_names, common_name, make, new_key, rsa_key, spki_of
from tools.admin.credentials import MAX_FILE_BYTES, fault_of_dates, read_certificate, read_public_key


@pytest.fixture
def write(tmp_path: Path):
    def write(content: bytes) -> Path:
        path = tmp_path / "file"
        path.write_bytes(content)
        return path

    return write


def fault(read, *arguments) -> str:
    with pytest.raises(InvalidValue) as caught:
        read(*arguments)
    return str(caught.value).partition(": ")[2]


def test_certificate_in_pem_or_der_is_kept_as_der(write) -> None:
    device = make("meter-1")
    assert read_certificate(write(device.pem), "meter-1") == device.der
    assert read_certificate(write(device.der), "meter-1") == device.der


def test_certificate_may_name_the_device_in_its_san(write) -> None:
    names = alternative_names(x509.DNSName("METER-1"), x509.UniformResourceIdentifier("urn:imei:1"))
    device = make("Acme", extensions=[names])
    for node_id in ("meter-1", "urn:imei:1", "Acme"):
        assert read_certificate(write(device.der), node_id) == device.der


def test_certificate_that_no_handshake_would_accept_is_refused(write) -> None:
    read = read_certificate
    assert fault(read, write(b"nonsense"), "n").startswith("no certificate, or one that cannot be read")
    assert fault(read, write(make("n").pem * 2), "n").startswith("2 certificates; give that of the device")
    assert fault(read, write(make("n", key=rsa_key()).der), "n").startswith("its key is neither P-256")
    assert "names a, not n" in fault(read, write(make("a").der), "n")
    assert "names nobody, not n" in fault(read, write(make(common_name()).der), "n")


def test_public_key_in_pem_or_der_is_kept_in_its_one_encoding(write) -> None:
    device = make("n")
    pem = device.key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert read_public_key(write(pem)) == spki_of(device)
    assert read_public_key(write(spki_of(device))) == spki_of(device)


def test_file_that_is_no_public_key_of_p256_is_refused(write) -> None:
    private = new_key().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert "openssl pkey -in KEY.pem -pubout" in fault(read_public_key, write(private))
    other = make("n", key=new_key(ec.SECP384R1()))
    assert fault(read_public_key, write(spki_of(other))) == (
        "raw public key is not of P-256; give a key of P-256"
    )


def test_file_that_cannot_be_read_is_named(tmp_path: Path, write) -> None:
    assert fault(read_public_key, tmp_path / "none") == "cannot be read: No such file or directory"
    assert fault(read_certificate, tmp_path, "n") == "cannot be read: Is a directory"
    large = write(bytes(MAX_FILE_BYTES + 1))
    assert fault(read_public_key, large).startswith(f"larger than {MAX_FILE_BYTES} bytes")


def test_certificate_out_of_its_dates_is_told_of() -> None:
    assert fault_of_dates(make(not_before_s=-20_000 * DAY_S, not_after_s=80_000 * DAY_S).der) is None
    assert fault_of_dates(make(not_before_s=-20_000 * DAY_S, not_after_s=-15_000 * DAY_S).der) == (
        "certificate has expired"
    )
