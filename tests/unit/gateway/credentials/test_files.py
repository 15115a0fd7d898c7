"""The gateway's own certificate and key: what is taken, and the one line about each that is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from gateway.credentials.errors import CredentialError
from gateway.credentials.files import MAX_FILE_BYTES, load_server_files, read_file
from tests.support.certificates import Issued, authority, make, new_key, rsa_key

CA = authority()


class Files:
    """A certificate and its key, to be spoilt by a test."""

    def __init__(self, folder: Path) -> None:
        self.certificate, self.key = folder / "server.pem", folder / "server.key"
        self.server = CA.issue("gateway.example")
        self.certificate.write_bytes(self.server.pem + CA.pem)
        self.write_key(self.server)

    def write_key(
        self, owner: Issued, form: PrivateFormat = PrivateFormat.PKCS8, password: bytes = b""
    ) -> None:
        encryption = BestAvailableEncryption(password) if password else NoEncryption()
        self.key.write_bytes(owner.key.private_bytes(Encoding.PEM, form, encryption))
        self.key.chmod(0o600)

    def fault(self) -> str:
        with pytest.raises(CredentialError) as caught:
            load_server_files(self.certificate, self.key)
        text = str(caught.value)
        assert "\n" not in text
        return text


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_chain_and_key_are_taken(files: Files, form: PrivateFormat) -> None:
    files.write_key(files.server, form)
    credential = load_server_files(files.certificate, files.key)
    assert credential is not None
    assert credential.chain == (files.server.der, CA.der)
    assert credential.key.public_key() == files.server.key.public_key()


def test_without_files_there_is_none() -> None:
    assert load_server_files(None, None) is None


def test_one_file_without_the_other_is_refused(files: Files) -> None:
    with pytest.raises(CredentialError, match=r"certificate_file is set and dtls\.private_key_file is not"):
        load_server_files(files.certificate, None)
    with pytest.raises(CredentialError, match=r"private_key_file is set and dtls\.certificate_file is not"):
        load_server_files(None, files.key)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_key_that_others_can_read_is_refused(files: Files, mode: int) -> None:
    files.key.chmod(mode)
    assert f"group or others can read it (mode {mode:04o}): chmod 600" in files.fault()


def test_missing_file_is_named(files: Files) -> None:
    files.certificate.unlink()
    assert files.fault() == (
        f"dtls.certificate_file {files.certificate}: cannot be used: No such file or directory; "
        "name a file that the gateway may read"
    )
    files.certificate.write_bytes(files.server.pem)
    files.key.unlink()
    assert files.fault().startswith(f"dtls.private_key_file {files.key}: cannot be used: No such file")


def test_files_that_are_not_what_they_should_be_are_named(files: Files) -> None:
    pem = files.certificate.read_bytes()
    files.certificate.write_bytes(b"nonsense")
    assert "give a PEM chain, the gateway's own first" in files.fault()
    files.certificate.write_bytes(pem)
    files.key.write_bytes(pem)
    assert "give an unencrypted PEM key" in files.fault()
    files.write_key(make("x", key=rsa_key()))
    assert "not a key of an elliptic curve; give an unencrypted PEM key on P-256" in files.fault()
    files.write_key(files.server, password=b"secret")
    assert "without a password" in files.fault()


def test_key_must_fit_the_first_certificate(files: Files) -> None:
    files.write_key(make())
    assert "the private key does not fit the certificate" in files.fault()
    files.write_key(files.server)
    files.certificate.write_bytes(CA.pem + files.server.pem)
    assert "the private key does not fit the certificate" in files.fault()


def test_key_must_be_of_p256(files: Files) -> None:
    server = CA.issue("gateway.example", key=new_key(ec.SECP384R1()))
    files.certificate.write_bytes(server.pem)
    files.write_key(server)
    assert "a private key of secp384r1, where P-256 is needed" in files.fault()


def test_only_ordinary_files_of_ordinary_size_are_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path, reason in ((tmp_path / "pipe", "not a file"), (tmp_path, "Is a directory")):
        with pytest.raises(OSError, match=reason):
            read_file(path)
    large = tmp_path / "large"
    large.write_bytes(b"")
    os.truncate(large, MAX_FILE_BYTES + 1)
    with pytest.raises(OSError, match="larger than"):
        read_file(large)
