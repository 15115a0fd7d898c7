"""Negative catalogue: shares, names, groups, schemes in handshakes; CBC records (B5, B8, B14, B15, D16)."""

from __future__ import annotations

import hmac
from collections.abc import Iterable
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from gateway.dtls import exchange
from gateway.dtls.alerts import AlertDescription
from gateway.dtls.cbc import MAX_QUESTIONS, CbcOpener
from gateway.dtls.client import Client
from gateway.dtls.events import ClientFailed, HandshakeFailure, PskRequested
from gateway.dtls.extensions import ExtensionType, encode_supported_groups
from gateway.dtls.groups import NamedGroup, generate
from gateway.dtls.messages import HANDSHAKE_HEADER_BYTES, HandshakeType, encode_message
from gateway.dtls.record import decode_records, encode_record
from gateway.dtls.settings import ClientConfig
from tests.support.dtls_attack import Bystander, dropped
from tests.support.dtls_certificates import (
    CERTIFICATE_SUITE,
    DEVICE_CREDENTIAL,
    ECDHE_PSK_SUITE,
    ENDPOINT,
    CertificateClient,
    EphemeralClient,
    hello_for,
)
from tests.support.dtls_pair import (
    HANDSHAKE,
    IDENTITY,
    PSK,
    Entropy,
    Pair,
    RawClient,
    Server,
    only,
)

RIGHT = generate(NamedGroup.SECP256R1, Entropy("another")).public
BAD_POINTS = {
    "short": RIGHT[:-1],
    "long": RIGHT + b"\0",
    "compressed": bytes((2 + (RIGHT[-1] & 1),)) + RIGHT[1:33],
    "hybrid": b"\6" + RIGHT[1:],
    "not on the curve": RIGHT[:-1] + bytes((RIGHT[-1] ^ 1,)),
    "infinity": b"\0",
    "zeros": b"\4" + bytes(64),
    "beyond the field": b"\4" + b"\xff" * 64,
    "of X25519": bytes(32),
}


@pytest.fixture
def server() -> Server:
    return Server(ENDPOINT)


# --- B5: points


@pytest.mark.parametrize("public", BAD_POINTS.values(), ids=BAD_POINTS)
def test_B5_bad_share_of_a_client_with_a_key_ends_its_handshake_before_anybody_is_asked(
    server: Server, public: bytes
) -> None:
    bystander = Bystander(server)
    client = EphemeralClient(server)
    client.begin()
    client.send(client.key_exchange(public))
    assert [each.description for each in client.clear_alerts()] == [AlertDescription.ILLEGAL_PARAMETER]
    assert [event.identity for event in only(PskRequested, server.events)] == [b"bystander"]
    assert server.endpoint.handshake_count == 0
    bystander.check()


@pytest.mark.parametrize("public", BAD_POINTS.values(), ids=BAD_POINTS)
def test_B5_bad_share_of_a_client_with_a_certificate_ends_its_handshake(
    server: Server, public: bytes
) -> None:
    client = CertificateClient(server)
    client.begin()
    client.send(client.certificate(), client.key_exchange(public))
    assert [each.description for each in client.clear_alerts()] == [AlertDescription.ILLEGAL_PARAMETER]
    assert server.endpoint.handshake_count == 0


def test_B5_x25519_share_that_leads_to_zero_ends_the_handshake(server: Server) -> None:
    groups = encode_supported_groups((NamedGroup.X25519,))
    client = EphemeralClient(server, hello_for(ECDHE_PSK_SUITE, SUPPORTED_GROUPS=groups))
    client.share = generate(NamedGroup.X25519, Entropy("share"))
    client.begin()
    client.send(client.key_exchange(bytes(32)))
    assert [each.description for each in client.clear_alerts()] == [AlertDescription.ILLEGAL_PARAMETER]


# --- B8 and B5, the client role


def answered(suite: int, change: dict[int, bytes]) -> tuple[Client, list[object]]:
    """A client whose server's messages, by type, have these bodies instead of theirs."""
    config = ClientConfig(IDENTITY, PSK, suites=(suite,), credential=DEVICE_CREDENTIAL)
    pair = Pair(config, ENDPOINT)

    def spoil(datagram: bytes) -> Iterable[bytes]:
        spoilt = b""
        for record in decode_records(datagram, 0):
            fragment = record.fragment
            body = change.get(fragment[0]) if record.content_type == HANDSHAKE and not record.epoch else None
            if body is not None:
                fragment = encode_message(fragment[0], int.from_bytes(fragment[4:6], "big"), body)
            if not record.epoch:
                spoilt += encode_record(record.content_type, record.sequence, fragment)
        return (spoilt,) if spoilt else ()

    pair.to_client = spoil
    pair.start()
    pair.exchange()
    return pair.client, list(pair.client_events)


def bodies_of(suite: int) -> dict[int, bytes]:
    """What the server says in a handshake that nobody disturbs, by type of message."""
    pair = Pair(ClientConfig(IDENTITY, PSK, suites=(suite,), credential=DEVICE_CREDENTIAL), ENDPOINT)
    pair.handshake()
    return {
        record.fragment[0]: record.fragment[HANDSHAKE_HEADER_BYTES:]
        for datagram in pair.sent_to_client
        for record in decode_records(datagram, 0)
        if record.content_type == HANDSHAKE and not record.epoch
    }


@pytest.mark.parametrize(
    ("suite", "message_type"),
    [
        (ECDHE_PSK_SUITE, HandshakeType.HELLO_VERIFY_REQUEST),
        (ECDHE_PSK_SUITE, HandshakeType.SERVER_HELLO),
        (ECDHE_PSK_SUITE, HandshakeType.SERVER_KEY_EXCHANGE),
        (CERTIFICATE_SUITE, HandshakeType.SERVER_KEY_EXCHANGE),
        (CERTIFICATE_SUITE, HandshakeType.CERTIFICATE_REQUEST),
    ],
    ids=lambda value: value.name if isinstance(value, HandshakeType) else f"{value:04x}",
)
def test_B8_servers_message_cut_off_anywhere_ends_the_clients_handshake(
    suite: int, message_type: HandshakeType
) -> None:
    whole = bodies_of(suite)[message_type]
    # A ServerHello may end where its extensions would begin.
    well_formed = {38 + whole[34]} if message_type is HandshakeType.SERVER_HELLO else set()
    for length in range(len(whole)):
        client, events = answered(suite, {message_type: whole[:length]})
        assert not client.is_established, length
        reasons = [event.reason for event in only(ClientFailed, events)]
        assert length in well_formed or reasons == [HandshakeFailure.PROTOCOL_ERROR], length


def test_B8_servers_certificate_cut_off_at_its_lengths_ends_the_clients_handshake() -> None:
    whole = bodies_of(CERTIFICATE_SUITE)[HandshakeType.CERTIFICATE]
    for length in (*range(10), len(whole) // 2, len(whole) - 1):
        client, events = answered(CERTIFICATE_SUITE, {HandshakeType.CERTIFICATE: whole[:length]})
        assert not client.is_established
        reasons = [event.reason for event in only(ClientFailed, events)]
        assert reasons == [HandshakeFailure.PROTOCOL_ERROR], length


@pytest.mark.parametrize("public", BAD_POINTS.values(), ids=BAD_POINTS)
def test_B5_bad_share_of_a_server_ends_the_clients_handshake(public: bytes) -> None:
    encoded = exchange.encode_share_parameters(NamedGroup.SECP256R1, public)
    body = exchange.encode_ecdhe_psk_server_key_exchange(b"", encoded)
    client, events = answered(ECDHE_PSK_SUITE, {HandshakeType.SERVER_KEY_EXCHANGE: body})
    assert not client.is_established
    assert [event.reason for event in only(ClientFailed, events)] == [HandshakeFailure.PROTOCOL_ERROR]


def test_C10_share_of_a_server_without_its_signature_ends_the_clients_handshake() -> None:
    whole = bodies_of(CERTIFICATE_SUITE)[HandshakeType.SERVER_KEY_EXCHANGE]
    parameters = whole[: 4 + whole[3]]
    for body in (parameters, parameters + b"\4\3\0\0", whole[:-1] + bytes((whole[-1] ^ 1,))):
        client, events = answered(CERTIFICATE_SUITE, {HandshakeType.SERVER_KEY_EXCHANGE: body})
        assert not client.is_established
        assert [event.reason for event in only(ClientFailed, events)] == [HandshakeFailure.PROTOCOL_ERROR]


def offer(client: RawClient) -> list[AlertDescription]:
    """Both hellos; gives the alerts that came back. The server's flight is not read."""
    client.get_cookie()
    client.send(client.client_hello())
    return [alert.description for alert in client.clear_alerts()]


# --- B14: server_name


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0\0",
        b"\0\3\0\0\0",
        b"\0\x0a\0\0\2ab\0\0\2cd",
        b"\0\5\1\0\2ab",
        b"\1\3\0\1\0" + b"a" * 256,
        b"\0\6\0\0\3a\0b",
        b"\0\5\0\0\2ab!",
        b"\xff\xff\0\0\2ab",
    ],
    ids=["nothing", "no name", "empty name", "two", "no host", "256 bytes", "NUL", "byte behind", "cut off"],
)
def test_B14_server_name_that_cannot_be_ends_the_handshake_after_the_cookie(
    server: Server, body: bytes
) -> None:
    for hello in (hello_for(ECDHE_PSK_SUITE, SERVER_NAME=body), hello_for(0xC0A8, SERVER_NAME=body)):
        assert offer(RawClient(server, hello)) == [AlertDescription.DECODE_ERROR]
        assert server.endpoint.handshake_count == 0


# --- B15: signature_algorithms, supported_groups, point formats


@pytest.mark.parametrize(
    ("changes", "is_served"),
    [
        ({"SUPPORTED_GROUPS": None, "SIGNATURE_ALGORITHMS": None}, True),
        ({"EC_POINT_FORMATS": b"\3\2\1\0"}, True),
        ({"SIGNATURE_ALGORITHMS": b"\0\4\0\0\4\3"}, True),
        ({"SIGNATURE_ALGORITHMS": b"\0\2\0\0"}, False),
        ({"SIGNATURE_ALGORITHMS": b"\0\4\4\1\2\3"}, False),
        ({"SUPPORTED_GROUPS": b"\0\2\0\x19"}, False),
        ({"SUPPORTED_GROUPS": b"\0\2\0\x1d"}, False),
    ],
    ids=["absent", "formats", "null scheme too", "null scheme alone", "RSA, SHA-1", "P-521", "X25519 alone"],
)
def test_B15_certificate_is_shown_only_to_clients_that_can_check_it(
    server: Server, changes: dict[str, bytes | None], is_served: bool
) -> None:
    given = {name: body for name, body in changes.items() if body is not None}
    hello = hello_for(CERTIFICATE_SUITE, **given)
    hello = hello.without(*(int(ExtensionType[name]) for name, body in changes.items() if body is None))
    client = CertificateClient(server, hello=hello)
    alerts = offer(client)
    if is_served:
        client.read_server_hello()
        client.finish()
        assert len(server.sessions) == 1
    else:
        assert alerts == [AlertDescription.HANDSHAKE_FAILURE]
        assert server.failures[-1].reason is HandshakeFailure.NO_COMMON_SUITE


@pytest.mark.parametrize("kind", ["SUPPORTED_GROUPS", "SIGNATURE_ALGORITHMS", "EC_POINT_FORMATS"])
@pytest.mark.parametrize("body", [b"", b"\0", b"\0\0", b"\0\1\0", b"\0\3\0\x17\0", b"\xff\xff\0\x17"])
def test_B15_malformed_lists_end_the_handshake(server: Server, kind: str, body: bytes) -> None:
    if (kind, body) == ("EC_POINT_FORMATS", b"\0\0"):
        body = b"\0\0\0"
    client = CertificateClient(server, hello=hello_for(CERTIFICATE_SUITE, **{kind: body}))
    alerts = offer(client)
    assert alerts in ([AlertDescription.DECODE_ERROR], [AlertDescription.ILLEGAL_PARAMETER])
    assert server.endpoint.handshake_count == 0


# --- D16: CBC records; what each costs in compressions is counted in the unit tests of `cbc`


def wrong_records(pair: Pair) -> dict[str, bytes]:
    """Records of one length under the client's keys, each wrong in another way."""
    opener = pair.server.sessions[-1].opener
    assert isinstance(opener, CbcOpener)
    number = bytes.fromhex("0001") + (1_000).to_bytes(6, "big")
    content = b"c" * 100
    start = number + b"\x17\xfe\xfd" + len(content).to_bytes(2, "big")
    mac = hmac.digest(opener._mac_key, start + content, "sha256")
    bad_mac = bytes((mac[0] ^ 1,)) + mac[1:]
    plaintexts = {
        "MAC": content + bad_mac + bytes((11,)) * 12,
        "padding": content + mac + bytes(11) + b"\x0b",
        "padding beyond the record": content + mac + b"\xff" * 12,
        "everything": bytes(144),
    }
    wrong = {}
    for what, plaintext in plaintexts.items():
        encryptor = Cipher(algorithms.AES(opener._key), modes.CBC(b"i" * 16)).encryptor()
        fragment = b"i" * 16 + encryptor.update(plaintext)
        wrong[what] = b"\x17\xfe\xfd" + number + len(fragment).to_bytes(2, "big") + fragment
    return wrong


def cbc_pair(*, encrypt_then_mac: bool) -> Pair:
    config = ClientConfig(IDENTITY, PSK, (0x00AE,), cid=None, encrypt_then_mac=encrypt_then_mac)
    pair = Pair(config, ENDPOINT)
    pair.handshake()
    pair.say(b"first")
    return pair


@pytest.mark.parametrize("encrypt_then_mac", [False, True])
def test_D16_nothing_tells_one_wrong_record_from_another(encrypt_then_mac: bool) -> None:
    pair = cbc_pair(encrypt_then_mac=encrypt_then_mac)
    for what, wrong in wrong_records(pair).items():
        with dropped(pair.server, bad_records=1):
            pair.server.give(wrong, pair.address)
        pair.say(what.encode())
        assert pair.server.received[-1] == what.encode()


def test_D16_who_asks_too_often_loses_the_session() -> None:
    pair = cbc_pair(encrypt_then_mac=False)
    (session,) = pair.server.sessions
    wrong = list(wrong_records(pair).values())
    for number in range(MAX_QUESTIONS):
        assert not session.is_over
        pair.server.give(wrong[number % len(wrong)], pair.address)
    assert session.is_over


def test_D16_cbc_is_not_chosen_where_an_aead_suite_can_be(server: Server) -> None:
    client = RawClient(server, hello_for(0x00AE))
    client.hello = replace(client.hello, suites=(0x00AE, 0xC037, 0xC0A8))
    client.begin()
    assert client.server_hello is not None
    assert client.server_hello.cipher_suite == 0xC0A8
