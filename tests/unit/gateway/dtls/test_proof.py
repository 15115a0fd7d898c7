"""`gateway.dtls.proof`: what a peer shows, and the signature by which it proves the key."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.dtls import exchange
from gateway.dtls.errors import DecodeError
from gateway.dtls.extensions import CertificateType
from gateway.dtls.handshake import Transcript
from gateway.dtls.proof import Shown, ShownCertificate, check_proof, read_certificate_message
from gateway.dtls.rawkeys import RawPublicKey
from gateway.dtls.refusal import CredentialFault, CredentialRefusal
from gateway.dtls.signatures import DigitallySigned, SignatureScheme, sign
from tests.support.certificates import Issued, authority, make, new_key, spki_of

X509, RAW = CertificateType.X509, CertificateType.RAW_PUBLIC_KEY
CA = authority()
DEVICE = CA.issue("device-1")
MESSAGES = b"all the messages before"


def shown_of(issued: Issued) -> ShownCertificate:
    shown = read_certificate_message(exchange.encode_certificate((issued.der, CA.der)), X509)
    assert isinstance(shown, ShownCertificate)
    return shown


def proof_of(key: ec.EllipticCurvePrivateKey, messages: bytes = MESSAGES) -> bytes:
    return exchange.encode_certificate_verify(sign(key, messages))


def transcript(*more: bytes) -> Transcript:
    return Transcript(MESSAGES, *more, has_sha384=True)


def fault_of(verdict: Shown | CredentialRefusal | None) -> CredentialFault:
    assert isinstance(verdict, CredentialRefusal)
    return verdict.fault


def test_chain_is_read_leaf_first() -> None:
    shown = shown_of(DEVICE)
    assert shown.leaf.der == DEVICE.der
    assert shown.issuers == (CA.der,)
    assert shown.public_key == DEVICE.key.public_key()


def test_raw_public_key_is_read_where_it_was_agreed_on() -> None:
    shown = read_certificate_message(exchange.encode_raw_public_key(spki_of(DEVICE)), RAW)
    assert isinstance(shown, RawPublicKey)
    assert shown.public_key == DEVICE.key.public_key()


@pytest.mark.parametrize("kind", [X509, RAW])
def test_nothing_shown_is_told_apart_from_something_bad(kind: CertificateType) -> None:
    assert fault_of(read_certificate_message(b"\0\0\0", kind)) is CredentialFault.MISSING


def test_certificate_that_cannot_be_read_is_refused_and_a_message_that_cannot_is_malformed() -> None:
    body = exchange.encode_certificate((b"no certificate",))
    assert fault_of(read_certificate_message(body, X509)) is CredentialFault.MALFORMED
    with pytest.raises(DecodeError):
        read_certificate_message(body + b"\0", X509)


def test_key_that_proves_nothing_here_is_refused_with_the_names_beside_it() -> None:
    other = make("device-1", key=ec.generate_private_key(ec.SECP521R1()))
    verdict = read_certificate_message(exchange.encode_certificate((other.der,)), X509)
    assert fault_of(verdict) is CredentialFault.KEY_TYPE
    assert isinstance(verdict, CredentialRefusal)
    assert [name.value for name in verdict.names] == ["device-1"]


def test_signature_over_all_messages_before_it_proves_the_key() -> None:
    assert check_proof(proof_of(DEVICE.key), shown_of(DEVICE), transcript()) is None


def test_key_of_p384_signs_with_its_own_hash() -> None:
    device = CA.issue("device-1", key=ec.generate_private_key(ec.SECP384R1()))
    signature = device.key.sign(MESSAGES, ec.ECDSA(hashes.SHA384()))
    body = exchange.encode_certificate_verify(DigitallySigned(SignatureScheme.ECDSA_SHA384, signature))
    assert check_proof(body, shown_of(device), transcript()) is None
    refusal = check_proof(body, shown_of(device), transcript(b"more"))
    assert refusal is not None
    assert refusal.fault is CredentialFault.NOT_PROVED


@pytest.mark.parametrize(
    "body",
    [
        proof_of(new_key()),
        proof_of(DEVICE.key, b"other messages"),
        exchange.encode_certificate_verify(DigitallySigned(0x0403, b"no signature")),
        exchange.encode_certificate_verify(DigitallySigned(0x0201, sign(DEVICE.key, MESSAGES).signature)),
    ],
    ids=["another key", "other messages", "no signature", "a scheme with SHA-1"],
)
def test_anything_else_proves_nothing(body: bytes) -> None:
    verdict = check_proof(body, shown_of(DEVICE), transcript())
    assert fault_of(verdict) is CredentialFault.NOT_PROVED
    assert verdict is not None
    assert verdict.names == shown_of(DEVICE).leaf.names


def test_refusal_of_a_bare_key_names_nobody() -> None:
    shown = read_certificate_message(exchange.encode_raw_public_key(spki_of(DEVICE)), RAW)
    assert isinstance(shown, RawPublicKey)
    verdict = check_proof(proof_of(new_key()), shown, transcript())
    assert verdict == CredentialRefusal(CredentialFault.NOT_PROVED)
