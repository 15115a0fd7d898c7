"""Both roles of the engine, in every suite, with every way to prove oneself."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from gateway.dtls.cbc import MAX_QUESTIONS
from gateway.dtls.certificates import CertificateName, NameKind
from gateway.dtls.credential import Credential, make_credential
from gateway.dtls.endpoint import EndpointConfig
from gateway.dtls.events import (
    CertificatePresented,
    ClientFailed,
    CredentialAccepted,
    HandshakeFailure,
    RawPublicKeyPresented,
    SessionEnd,
    SessionEnded,
)
from gateway.dtls.exchange import decode_ecdhe_psk_server_key_exchange, decode_ecdhe_server_key_exchange
from gateway.dtls.extensions import CertificateType
from gateway.dtls.groups import NamedGroup
from gateway.dtls.messages import HandshakeType, decode_fragments
from gateway.dtls.record import decode_records
from gateway.dtls.refusal import CredentialFault, CredentialRefusal
from gateway.dtls.settings import CbcPolicy, ClientConfig
from gateway.dtls.suites import PREFERRED_SUITES, SUITES, KeyExchange
from tests.support.certificates import authority, credential_of, make, new_key
from tests.support.dtls_pair import HANDSHAKE, IDENTITY, PSK, Pair, Server, drop, only

X509, RAW = CertificateType.X509, CertificateType.RAW_PUBLIC_KEY
CA = authority()
GATEWAY = CA.issue("gateway")
DEVICE = CA.issue("device-1")
OURS = credential_of(GATEWAY, CA)
ENDPOINT = EndpointConfig(credential=OURS)


def client(*suites: int, **changes: Any) -> ClientConfig:
    return replace(
        ClientConfig(IDENTITY, PSK, suites=suites, credential=credential_of(DEVICE, CA), cid=b"c"), **changes
    )


@pytest.mark.parametrize("cid", [None, b"", b"peer"], ids=["no cid", "empty cid", "cid"])
@pytest.mark.parametrize("suite", PREFERRED_SUITES, ids=lambda number: SUITES[number].name)
def test_every_suite_carries_data_both_ways(suite: int, cid: bytes | None) -> None:
    pair = Pair(client(suite, cid=cid), ENDPOINT)
    session = pair.handshake()
    pair.say(b"up")
    pair.server.send(session, b"down")
    pair.exchange()
    assert pair.server.received == [b"up"]
    assert pair.client_received == [b"down"]
    has_psk = SUITES[suite].key_exchange.has_psk
    assert session.identity == (IDENTITY if has_psk else b"device-1")


def server_key_exchange(pair: Pair) -> bytes:
    """The body of the message that the server sent, in one piece, under no protection."""
    records = [record for datagram in pair.sent_to_client for record in decode_records(datagram, 1)]
    clear = [record.fragment for record in records if (record.content_type, record.epoch) == (HANDSHAKE, 0)]
    fragments = [each for fragment in clear for each in decode_fragments(fragment)]
    (found,) = (each for each in fragments if each.message_type == HandshakeType.SERVER_KEY_EXCHANGE)
    return found.body


@pytest.mark.parametrize("group", [NamedGroup.SECP256R1, NamedGroup.X25519])
def test_shares_are_made_in_the_group_that_the_client_prefers(group: NamedGroup) -> None:
    groups = (group, *(other for other in NamedGroup if other is not group))
    pair = Pair(client(0xD003, groups=groups), ENDPOINT)
    pair.handshake()
    _, share = decode_ecdhe_psk_server_key_exchange(server_key_exchange(pair))
    assert share.group == group
    pair = Pair(client(0xC0AE, groups=groups), ENDPOINT)
    pair.handshake()
    share, _ = decode_ecdhe_server_key_exchange(server_key_exchange(pair))
    assert share.group == group


@pytest.mark.parametrize("etm", [True, False])
@pytest.mark.parametrize("suite", [0x00AE, 0xC037, 0xC023])
def test_cbc_encrypts_then_authenticates_where_offered(suite: int, etm: bool) -> None:
    session = Pair(client(suite, encrypt_then_mac=etm), ENDPOINT).handshake()
    assert session.opener.encrypt_then_mac is etm  # type: ignore[attr-defined]


def test_cbc_is_chosen_only_where_no_aead_can_be() -> None:
    endpoint = replace(ENDPOINT, suites=(0x00AE, 0xC0A8))
    aead = Pair(client(0x00AE, 0xC0A8), endpoint).handshake()
    assert not hasattr(aead.opener, "encrypt_then_mac")
    # The AEAD one cannot be: there is nothing to show.
    cbc = Pair(
        client(0xC0AE, 0x00AE), replace(endpoint, suites=(0x00AE, 0xC0AE), credential=None)
    ).handshake()
    assert hasattr(cbc.opener, "encrypt_then_mac")


@pytest.mark.parametrize(
    ("policy", "etm", "is_served"),
    [
        (CbcPolicy.ANY, False, True),
        (CbcPolicy.ETM, True, True),
        (CbcPolicy.ETM, False, False),
        (CbcPolicy.OFF, True, False),
    ],
)
def test_policy_says_who_is_served_with_cbc(policy: CbcPolicy, etm: bool, is_served: bool) -> None:
    pair = Pair(client(0x00AE, encrypt_then_mac=etm), replace(ENDPOINT, cbc=policy))
    pair.start()
    pair.exchange()
    assert pair.client.is_established is is_served
    if not is_served:
        assert pair.server.failures[0].reason is HandshakeFailure.NO_COMMON_SUITE


@pytest.mark.parametrize(
    ("shows", "prefers_raw", "is_shown"), [(X509, False, X509), (X509, True, RAW), (RAW, False, RAW)]
)
def test_bare_key_is_shown_to_those_who_show_one_and_where_it_is_preferred(
    shows: CertificateType, prefers_raw: bool, is_shown: CertificateType
) -> None:
    shown: list[CertificateType] = []

    def is_trusted(kind: CertificateType, chain: tuple[bytes, ...]) -> bool:
        shown.append(kind)
        return True

    ours = OURS._replace(prefers_raw=prefers_raw)
    Pair(
        client(
            0xC0AE,
            client_certificate_types=(shows,),
            server_certificate_types=(X509, RAW),
            is_trusted=is_trusted,
        ),
        replace(ENDPOINT, credential=ours),
    ).handshake()
    assert shown == [is_shown]


def test_certificate_is_presented_after_its_key_was_proved() -> None:
    pair = Pair(client(0xC0AE, server_name=b"gateway.example"), ENDPOINT)
    pair.server.is_answering = False
    pair.start()
    pair.exchange()
    (presented,) = only(CertificatePresented, pair.server.events)
    assert presented.leaf.der == DEVICE.der
    assert presented.issuers == (CA.der,)
    assert presented.server_name == b"gateway.example"
    assert not pair.client.is_established
    pair.server.provide_credential(presented, CredentialAccepted(b"device-1"))
    pair.exchange()
    assert pair.client.is_established
    assert pair.server.provide_credential(presented, CredentialAccepted(b"other")) == []
    assert pair.server.count("late_keys") == 1


@pytest.mark.parametrize("ours", [X509, RAW])
@pytest.mark.parametrize("theirs", [X509, RAW])
def test_raw_public_keys_in_either_direction(ours: CertificateType, theirs: CertificateType) -> None:
    seen: list[tuple[CertificateType, tuple[bytes, ...]]] = []

    def is_trusted(kind: CertificateType, chain: tuple[bytes, ...]) -> bool:
        seen.append((kind, chain))
        return True

    config = client(
        0xC0AE,
        client_certificate_types=(theirs,),
        server_certificate_types=(ours,),
        is_trusted=is_trusted,
    )
    pair = Pair(config, ENDPOINT)
    pair.handshake()
    credential = ENDPOINT.credential
    assert credential is not None
    assert seen == [(ours, credential.chain if ours is X509 else (credential.spki,))]
    presented = only(CertificatePresented if theirs is X509 else RawPublicKeyPresented, pair.server.events)
    assert len(presented) == 1


def test_server_without_certificate_shows_its_raw_public_key_to_those_who_can_read_it() -> None:
    endpoint = EndpointConfig(credential=make_credential(new_key()))
    Pair(client(0xC0AE, server_certificate_types=(X509, RAW)), endpoint).handshake()
    pair = Pair(client(0xC0AE), endpoint)
    pair.start()
    pair.exchange()
    assert pair.server.failures[0].reason is HandshakeFailure.NO_COMMON_SUITE


def test_server_that_prefers_its_raw_public_key_shows_it_also_to_those_who_name_certificates_first() -> None:
    seen: list[CertificateType] = []
    config = client(
        0xC0AE,
        server_certificate_types=(X509, RAW),
        is_trusted=lambda kind, chain: seen.append(kind) is None,
    )
    Pair(config, ENDPOINT).handshake()
    Pair(config, EndpointConfig(credential=OURS._replace(prefers_raw=True))).handshake()
    assert seen == [X509, RAW]


def test_another_credential_is_shown_in_handshakes_that_begin_later() -> None:
    seen: list[bytes] = []
    other = CA.issue("gateway-2")
    config = client(0xC0AE, is_trusted=lambda kind, chain: seen.append(chain[0]) is None)
    server = Server(ENDPOINT)
    Pair(config, server=server).handshake()
    server.endpoint.use_credential(credential_of(other, CA))
    Pair(config, server=server, seed="second").handshake()
    assert seen == [GATEWAY.der, other.der]


def failed(pair: Pair) -> tuple[HandshakeFailure, CredentialFault | None, int]:
    """Of the server, and the number of the alert that the client heard."""
    alerts: list[int] = []
    pair.start()
    pair.to_client = lambda datagram: alerts.append(datagram[-1] if datagram[0] == 21 else -1) or (datagram,)  # type: ignore[func-returns-value]
    pair.exchange()
    (failure,) = pair.server.failures
    assert only(ClientFailed, pair.client_events)[0].reason is HandshakeFailure.PEER_ALERT
    return failure.reason, failure.fault, alerts[-1]


@pytest.mark.parametrize("kind", [X509, RAW])
def test_client_that_shows_nothing_is_refused(kind: CertificateType) -> None:
    pair = Pair(client(0xC0AE, credential=None, client_certificate_types=(kind,)), ENDPOINT)
    assert failed(pair) == (HandshakeFailure.CREDENTIAL_REFUSED, CredentialFault.MISSING, 40)


def test_client_that_does_not_hold_the_key_is_refused() -> None:
    stolen = Credential(new_key(), b"", (DEVICE.der,))
    pair = Pair(client(0xC0AE, credential=stolen), ENDPOINT)
    assert failed(pair) == (HandshakeFailure.CREDENTIAL_REFUSED, CredentialFault.NOT_PROVED, 51)
    assert pair.server.failures[0].names == (CertificateName(NameKind.COMMON_NAME, "device-1"),)
    assert only(CertificatePresented, pair.server.events) == []


@pytest.mark.parametrize(
    "fault", [CredentialFault.UNKNOWN_CA, CredentialFault.EXPIRED, CredentialFault.NO_DEVICE]
)
def test_client_that_is_not_welcome_hears_why(fault: CredentialFault) -> None:
    pair = Pair(client(0xC0AE), ENDPOINT)
    pair.server.judge = lambda presented: CredentialRefusal(fault)
    assert failed(pair) == (HandshakeFailure.CREDENTIAL_REFUSED, fault, fault.alert)
    assert pair.server.endpoint.handshake_count == 0


def test_certificate_that_cannot_be_read_is_refused() -> None:
    broken = Credential(new_key(), b"", (b"\x30\x03no",))
    assert failed(Pair(client(0xC0AE, credential=broken), ENDPOINT)) == (
        HandshakeFailure.CREDENTIAL_REFUSED,
        CredentialFault.MALFORMED,
        42,
    )


def test_session_ends_when_its_certificate_does() -> None:
    pair = Pair(client(0xC0AE), ENDPOINT)
    pair.server.judge = lambda presented: CredentialAccepted(b"device-1", pair.now + 100.0)
    session = pair.handshake()
    pair.say(b"x")
    pair.pass_time(99.0)
    assert pair.server.sessions == [session]
    pair.pass_time(2.0)
    assert only(SessionEnded, pair.server.events)[-1].reason is SessionEnd.EXPIRED
    assert not pair.client.is_established


def test_session_that_ended_before_its_certificate_is_forgotten() -> None:
    pair = Pair(client(0xC0AE), ENDPOINT)
    pair.server.judge = lambda presented: CredentialAccepted(b"device-1", pair.now + 100.0)
    session = pair.handshake()
    pair.server.endpoint.end_session(session, pair.now)
    pair.pass_time(200.0)
    assert len(only(SessionEnded, pair.server.events)) <= 1


def test_flights_larger_than_a_datagram_are_cut_and_joined() -> None:
    chain = (DEVICE.der, *(authority(f"CA {index} " + "x" * 40).der for index in range(3)))
    config = client(0xC0AE, credential=make_credential(DEVICE.key, chain), mtu_bytes=256)
    pair = Pair(config, replace(ENDPOINT, mtu_bytes=256))
    pair.handshake()
    assert max(map(len, pair.sent_to_server + pair.sent_to_client)) <= 256


@pytest.mark.parametrize("exchange", KeyExchange)
def test_lost_datagrams_are_sent_again(exchange: KeyExchange) -> None:
    suites = [number for number in PREFERRED_SUITES if SUITES[number].key_exchange is exchange]
    for lost in range(4):
        pair = Pair(client(suites[0]), ENDPOINT)
        pair.to_server = drop(lost)
        pair.to_client = drop(lost)
        pair.start()
        pair.exchange()
        pair.pass_time(30.0)
        assert pair.client.is_established, (exchange, lost)
        assert len(pair.server.sessions) == 1


def test_server_that_the_client_does_not_trust_is_left() -> None:
    pair = Pair(client(0xC0AE, is_trusted=lambda kind, chain: False), ENDPOINT)
    pair.start()
    pair.exchange()
    assert [event.reason for event in only(ClientFailed, pair.client_events)] == [
        HandshakeFailure.PROTOCOL_ERROR
    ]
    assert pair.server.sessions == []


def test_client_with_a_key_of_p384_is_served() -> None:
    issued = make("device-1", issuer=CA, key=new_key(ec.SECP384R1()))
    credential = Credential(issued.key, b"", (issued.der,))
    session = Pair(client(0xC0AE, credential=credential), ENDPOINT).handshake()
    assert session.identity == b"device-1"


@pytest.mark.parametrize("etm", [True, False])
def test_session_without_encrypt_then_mac_bears_few_forged_records(etm: bool) -> None:
    pair = Pair(client(0x00AE, encrypt_then_mac=etm), replace(ENDPOINT, max_bad_records=5_000))
    pair.handshake()
    pair.client.send(b"x" * 40, pair.now)
    (record,) = pair.client.datagrams_to_send()
    for number in range(MAX_QUESTIONS):
        assert bool(pair.server.sessions)
        pair.server.give(record[:-2] + number.to_bytes(2, "big"))
    assert bool(pair.server.sessions) is etm
