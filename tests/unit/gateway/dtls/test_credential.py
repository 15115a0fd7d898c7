"""Our own key and its certificate."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)

from gateway.dtls.credential import decode_private_key, make_credential
from gateway.dtls.errors import DecodeError, LocalProtocolError
from gateway.dtls.rawkeys import encode_spki
from gateway.dtls.signatures import verify
from tests.support.certificates import authority, make, new_key, rsa_key

CA = authority()
SERVER = CA.issue("gateway.example")


def pem_of(
    key: object, form: PrivateFormat = PrivateFormat.PKCS8, lock: KeySerializationEncryption | None = None
) -> bytes:
    return key.private_bytes(Encoding.PEM, form, lock or NoEncryption())  # type: ignore[attr-defined, no-any-return]


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
def test_credential_is_made_of_a_key_and_its_chain(form: PrivateFormat) -> None:
    credential = make_credential(decode_private_key(pem_of(SERVER.key, form)), (SERVER.der, CA.der))
    assert credential.chain == (SERVER.der, CA.der)
    assert credential.spki == encode_spki(SERVER.key.public_key())


def test_credential_signs_with_its_key() -> None:
    signed = make_credential(SERVER.key).sign(b"content")
    verify(SERVER.key.public_key(), signed, b"content")


def test_key_alone_is_a_credential() -> None:
    assert make_credential(SERVER.key).chain == ()


def test_key_must_fit_the_first_certificate() -> None:
    for chain in ((CA.der, SERVER.der), (make().der,), (b"no certificate",)):
        with pytest.raises(LocalProtocolError, match="does not fit"):
            make_credential(SERVER.key, chain)


def test_key_must_be_of_p_256() -> None:
    with pytest.raises(LocalProtocolError, match="secp384r1"):
        make_credential(new_key(ec.SECP384R1()))


@pytest.mark.parametrize(
    "pem",
    [
        b"",
        b"junk",
        b"-----BEGIN EC PRIVATE KEY-----\n",
        SERVER.pem,
        pem_of(SERVER.key, lock=BestAvailableEncryption(b"password")),
        pem_of(rsa_key()),
        pem_of(ed25519.Ed25519PrivateKey.generate()),
    ],
    ids=["empty", "junk", "only a start", "a certificate", "encrypted", "RSA", "Ed25519"],
)
def test_files_without_a_usable_key_are_refused(pem: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_private_key(pem)
