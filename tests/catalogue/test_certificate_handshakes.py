"""Negative catalogue: certificates at the endpoint, their proof and order (A12, B6, B7, C8 to C10, E11)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway.dtls import exchange
from gateway.dtls.alerts import AlertDescription
from gateway.dtls.events import (
    ApplicationData,
    CertificatePresented,
    CredentialAccepted,
    HandshakeFailed,
    RawPublicKeyPresented,
)
from gateway.dtls.rawkeys import encode_spki
from gateway.dtls.refusal import CredentialFault, CredentialRefusal
from gateway.dtls.signatures import DigitallySigned, SignatureScheme
from gateway.dtls.trust import TrustAnchors, TrustedCertificate, verify_chain
from tests.support.certificates import (
    CA as CA_EXTENSIONS,
)
from tests.support.certificates import (
    DAY_S,
    NOW_S,
    UNKNOWN_EXTENSION,
    Issued,
    authority,
    key_usage,
    make,
    new_key,
    rsa_key,
)
from tests.support.dtls_attack import ELSEWHERE, Bystander, silent
from tests.support.dtls_certificates import CA, DEVICE, ENDPOINT, CertificateClient
from tests.support.dtls_pair import Presented, RawClient, Server, only

ANCHORS = TrustAnchors([CA.der])


@pytest.fixture
def server() -> Server:
    return Server(ENDPOINT)


def refused(client: CertificateClient, alert: AlertDescription) -> HandshakeFailed:
    """The handshake has ended with this fatal alert, nothing was asked about and nothing is left of it."""
    server = client.server
    assert [each.description for each in client.clear_alerts()] == [alert]
    assert only(CertificatePresented, server.events) == only(RawPublicKeyPresented, server.events) == []
    assert (server.sessions, server.endpoint.handshake_count) == ([], 0)
    return server.failures[-1]


# --- A12: a handshake that failed leaves nothing that the next would stumble over


def steal(client: CertificateClient) -> None:
    client.send(client.certificate(), client.key_exchange(), client.certificate_verify(key=new_key()))


def show_rubbish(client: CertificateClient) -> None:
    client.send(client.certificate(exchange.encode_certificate((b"\x30\x03no",))))


def show_nothing(client: CertificateClient) -> None:
    client.send(client.certificate(b"\0\0\0"))


def fall_silent(client: CertificateClient) -> None:
    client.send(client.certificate(), client.key_exchange())


@pytest.mark.parametrize("fail", [steal, show_rubbish, show_nothing, fall_silent])
def test_A12_failed_certificate_handshakes_do_not_harm_later_ones(
    server: Server, fail: Callable[[CertificateClient], None]
) -> None:
    bystander = Bystander(server)
    for _ in range(20):
        client = CertificateClient(server)
        client.begin()
        fail(client)
        server.pass_time(61.0)
        assert server.endpoint.handshake_count == 0
    assert only(CertificatePresented, server.events) == []
    bystander.check()
    good = CertificateClient(server)
    good.connect()
    assert [event.data for event in only(ApplicationData, good.say(b"mine"))] == [b"mine"]
    RawClient(server, address=ELSEWHERE).connect()


def test_A12_a_refusal_of_the_owner_does_not_harm_the_next(server: Server) -> None:
    server.judge = lambda presented: CredentialRefusal(CredentialFault.UNKNOWN_CA)
    client = CertificateClient(server)
    client.begin()
    client.finish()
    assert [each.description for each in client.clear_alerts()] == [AlertDescription.UNKNOWN_CA]
    server.judge = lambda presented: CredentialAccepted(b"device-1")
    CertificateClient(server).connect()


# --- B6: signatures that prove nothing


def ecdsa(r: int, s: int) -> DigitallySigned:
    return DigitallySigned(SignatureScheme.ECDSA_SHA256, encode_dss_signature(r, s))


@pytest.mark.parametrize(
    "signed",
    [
        ecdsa(0, 0),
        ecdsa(0, 1),
        ecdsa(1, 0),
        DigitallySigned(SignatureScheme.ECDSA_SHA256, b"\x30\x81\x06\x02\x01\x01\x02\x01\x01"),
        DigitallySigned(SignatureScheme.ECDSA_SHA256, b"\x30" * 2_000),
        DigitallySigned(SignatureScheme.ECDSA_SHA256, b""),
        DigitallySigned(0x0401, b"\x30\x06\x02\x01\x01\x02\x01\x01"),
        DigitallySigned(0, b""),
        DigitallySigned(0x0203, b"\x30\x06\x02\x01\x01\x02\x01\x01"),
    ],
    ids=["r and s 0", "r 0", "s 0", "long form", "2,000 bytes", "empty", "RSA", "none", "SHA-1"],
)
def test_B6_certificate_verify_that_proves_nothing_ends_the_handshake(
    server: Server, signed: DigitallySigned
) -> None:
    client = CertificateClient(server)
    client.begin()
    client.send(client.certificate(), client.key_exchange(), client.certificate_verify(signed))
    failure = refused(client, AlertDescription.DECRYPT_ERROR)
    assert failure.fault is CredentialFault.NOT_PROVED


# --- B7: Certificate messages


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0\0\3\0\0\0",
        b"\0\0\4\0\0\2x",
        b"\0\0\0\0",
        b"\xff\xff\xff\0\0\1x",
        exchange.encode_certificate([b"c"] * 1_000),
    ],
    ids=["nothing", "entry of length 0", "entry too long", "byte behind", "list of 16 MB", "a thousand"],
)
def test_B7_malformed_certificate_message_ends_the_handshake(server: Server, body: bytes) -> None:
    client = CertificateClient(server)
    client.begin()
    client.send(client.certificate(body))
    refused(client, AlertDescription.DECODE_ERROR)


def test_B7_ten_thousand_tiny_certificates_end_in_a_full_buffer(server: Server) -> None:
    client = CertificateClient(server)
    client.begin()
    body = exchange.encode_certificate([b"c"] * 10_000)[:16_000]
    with silent(server):
        client.send(client.certificate(body))
    assert server.count("handshake_buffer_full") == 1


@pytest.mark.parametrize("is_raw", [False, True], ids=["key for certificate", "certificate for key"])
def test_B7_the_other_kind_than_agreed_is_refused(server: Server, is_raw: bool) -> None:
    client = CertificateClient(server, is_raw=is_raw)
    client.begin()
    spki = encode_spki(DEVICE.key.public_key())
    body = exchange.encode_certificate((DEVICE.der,)) if is_raw else exchange.encode_raw_public_key(spki)
    client.send(client.certificate(body))
    failure = server.failures[-1]
    alerts = [each.description for each in client.clear_alerts()]
    assert alerts in ([AlertDescription.BAD_CERTIFICATE], [AlertDescription.DECODE_ERROR])
    assert failure.fault in (CredentialFault.RAW_KEY_MALFORMED, CredentialFault.MALFORMED, None)
    assert only(CertificatePresented, server.events) == only(RawPublicKeyPresented, server.events) == []


# --- C8: out of order


def test_C8_key_exchange_before_the_certificate_waits_for_nothing(server: Server) -> None:
    client = CertificateClient(server)
    client.begin()
    client.send(client.key_exchange())
    client.send(client.certificate(), client.certificate_verify(), client.change_cipher_spec())
    client.send(client.finished())
    assert server.sessions == []
    assert only(CertificatePresented, server.events) == []


def test_C8_second_certificate_changes_nothing(server: Server) -> None:
    other = CA.issue("device-2")
    client = CertificateClient(server)
    client.begin()
    client.send(client.certificate())
    again = client.message(11, exchange.encode_certificate((other.der,)))
    with silent(server):
        client.send(client.record(22, again))
    client.send(client.key_exchange(), client.certificate_verify(), client.change_cipher_spec())
    client.send(client.finished())
    (presented,) = only(CertificatePresented, server.events)
    assert presented.leaf.der == DEVICE.der
    assert len(server.sessions) == 1


def test_C8_certificate_verify_before_the_key_exchange_is_not_taken(server: Server) -> None:
    client = CertificateClient(server)
    client.begin()
    client.send(client.certificate())
    with silent(server):
        client.send(client.certificate_verify())
    assert server.endpoint.handshake_count == 1


def test_C8_without_certificate_verify_nothing_is_established(server: Server) -> None:
    client = CertificateClient(server)
    client.begin()
    client.send(client.certificate(), client.key_exchange())
    with silent(server):
        client.send(client.change_cipher_spec(), client.finished())
    assert server.sessions == []
    assert only(CertificatePresented, server.events) == []


def test_C8_finished_while_the_owner_is_asked_waits_for_the_answer(server: Server) -> None:
    server.is_answering = False
    client = CertificateClient(server)
    client.begin()
    client.finish()
    (presented,) = only(CertificatePresented, server.events)
    assert server.sessions == []
    server.provide_credential(presented, CredentialAccepted(b"device-1"))
    assert len(server.sessions) == 1


# --- C9: no certificate


def test_C9_empty_certificate_is_refused(server: Server) -> None:
    client = CertificateClient(server)
    client.begin()
    client.send(client.certificate(b"\0\0\0"))
    assert refused(client, AlertDescription.HANDSHAKE_FAILURE).fault is CredentialFault.MISSING


def test_C9_empty_raw_public_key_is_refused(server: Server) -> None:
    client = CertificateClient(server, is_raw=True)
    client.begin()
    client.send(client.certificate(b"\0\0\0"))
    assert refused(client, AlertDescription.HANDSHAKE_FAILURE).fault is CredentialFault.MISSING


def test_C9_client_that_leaves_the_certificate_out_is_never_established(server: Server) -> None:
    client = CertificateClient(server)
    client.begin()
    with silent(server):
        client.send(client.key_exchange(), client.change_cipher_spec(), client.finished())
    server.pass_time(61.0)
    assert server.sessions == []
    assert server.endpoint.handshake_count == 0


# --- C10: whose key is it


@pytest.mark.parametrize("is_raw", [False, True], ids=["certificate", "raw public key"])
def test_C10_who_does_not_hold_the_key_is_refused(server: Server, is_raw: bool) -> None:
    client = CertificateClient(server, is_raw=is_raw)
    client.begin()
    client.send(client.certificate(), client.key_exchange(), client.certificate_verify(key=new_key()))
    assert refused(client, AlertDescription.DECRYPT_ERROR).fault is CredentialFault.NOT_PROVED


def test_C10_proof_made_in_another_handshake_proves_nothing(server: Server) -> None:
    first = CertificateClient(server)
    first.begin()
    first.certificate()
    first.key_exchange()
    replayed = first.certificate_verify()[25:]
    client = CertificateClient(server, address=first.address)
    client.hello = replace(client.hello, random=b"R" * 32)
    client.begin()
    client.send(client.certificate(), client.key_exchange(), client.record(22, client.message(15, replayed)))
    refused(client, AlertDescription.DECRYPT_ERROR)


# --- E11: certificates that no device may come with


def judge(presented: Presented) -> CredentialAccepted | CredentialRefusal:
    assert isinstance(presented, CertificatePresented)
    verdict = verify_chain(presented.leaf, presented.issuers, ANCHORS, NOW_S)
    return CredentialAccepted(b"device-1") if isinstance(verdict, TrustedCertificate) else verdict


USAGE = (key_usage("digital_signature"), True)


def usage_for(purpose: Any) -> tuple[x509.ExtensionType, bool]:
    return x509.ExtendedKeyUsage([purpose]), False


@pytest.mark.parametrize(
    ("device", "fault", "alert"),
    [
        (CA.issue(not_before_s=-2 * DAY_S, not_after_s=-DAY_S), CredentialFault.EXPIRED, 45),
        (CA.issue(not_before_s=DAY_S), CredentialFault.NOT_YET_VALID, 45),
        (
            CA.issue(extensions=(USAGE, usage_for(ExtendedKeyUsageOID.SERVER_AUTH))),
            CredentialFault.EXTENDED_KEY_USAGE,
            43,
        ),
        (CA.issue(extensions=((key_usage("key_agreement"), True),)), CredentialFault.KEY_USAGE, 43),
        (CA.issue(extensions=CA_EXTENSIONS), CredentialFault.IS_CA, 43),
        (CA.issue(extensions=((UNKNOWN_EXTENSION, True),)), CredentialFault.CRITICAL_EXTENSION, 43),
        (authority("Other CA").issue(), CredentialFault.UNKNOWN_CA, 48),
        (make(), CredentialFault.UNKNOWN_CA, 48),
        (CA.issue(signer=new_key()), CredentialFault.NOT_FROM_CA, 48),
    ],
    ids=lambda value: value.name if isinstance(value, CredentialFault) else "",
)
def test_E11_certificate_that_is_not_good_is_refused_for_its_reason(
    server: Server, device: Issued, fault: CredentialFault, alert: int
) -> None:
    server.judge = judge
    client = CertificateClient(server, device)
    client.begin()
    client.finish()
    assert [each.description for each in client.clear_alerts()] == [alert]
    assert server.failures[-1].fault is fault
    assert server.sessions == []


def test_E11_certificate_of_an_rsa_key_is_refused_before_anybody_is_asked(server: Server) -> None:
    client = CertificateClient(server)
    client.begin()
    client.send(client.certificate(exchange.encode_certificate((CA.issue(key=rsa_key()).der,))))
    assert refused(client, AlertDescription.UNSUPPORTED_CERTIFICATE).fault is CredentialFault.KEY_TYPE


def test_E11_right_certificate_is_welcome_and_bystanders_notice_nothing_of_the_others(server: Server) -> None:
    bystander = Bystander(server)
    server.judge = judge
    CertificateClient(server).connect()
    bystander.check()
