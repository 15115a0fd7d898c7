"""Negative catalogue, E: randomness, connection IDs that collide or are guessed, memory under attack."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable
from hashlib import sha256

import pytest

from gateway.address import Address
from gateway.dtls.endpoint import Endpoint
from gateway.dtls.messages import HandshakeType
from gateway.dtls.record import encode_record
from gateway.dtls.settings import EndpointConfig
from gateway.wiring import Gateway
from tests.support.dtls_attack import (
    ELSEWHERE,
    Bystander,
    cookie_of,
    dropped,
    established,
    hello_record,
    record_operations,
    silent,
    traced,
)
from tests.support.dtls_cases import CID_BYTES
from tests.support.dtls_pair import (
    APPLICATION_DATA,
    HANDSHAKE,
    IDENTITY,
    PSK,
    TLS12_CID,
    Hello,
    RawClient,
    Server,
)


def with_entropy(entropy: Callable[[int], bytes], config: EndpointConfig | None = None) -> Server:
    """A server whose endpoint draws from *entropy*."""
    server = Server(config or EndpointConfig())
    server.endpoint = Endpoint(server.config, entropy, server.now)
    return server


def begun(server: Server, number: int) -> RawClient:
    """A client that has got a ServerHello; its own random is always the same."""
    client = RawClient(server, Hello().with_cid(b""), address=Address("192.0.2.1", number))
    client.begin()
    return client


# --- E8: randomness


def test_E8_gateway_draws_from_the_system() -> None:
    assert inspect.signature(Gateway).parameters["entropy"].default is os.urandom


def test_E8_randoms_connection_ids_and_cookies_are_drawn_and_never_the_same() -> None:
    drawn: list[bytes] = []

    def entropy(length: int) -> bytes:
        drawn.append(os.urandom(length))
        return drawn[-1]

    server = with_entropy(entropy, EndpointConfig(node=7))
    secret = drawn[0]
    assert len(secret) >= 32, "the secret behind the cookies"
    hellos = [client.server_hello for client in (begun(server, number) for number in range(200))]
    randoms = {hello.random for hello in hellos if hello is not None}
    cids = {hello.connection_id for hello in hellos if hello is not None}
    assert len(randoms) == len(cids) == 200
    assert randoms <= set(drawn), "all 32 bytes, nothing of a clock"
    assert {cid[0] for cid in cids if cid} == {7}
    assert {cid[1:] for cid in cids if cid} <= set(drawn)


def test_E8_two_servers_share_nothing_but_their_code() -> None:
    servers = [with_entropy(os.urandom) for _ in range(2)]
    clients = [begun(server, 1) for server in servers]
    first, second = (client.server_hello for client in clients)
    assert first is not None
    assert second is not None
    assert first.random != second.random
    assert first.connection_id != second.connection_id
    assert clients[0].cookie != clients[1].cookie


def test_E8_unknown_identity_gets_another_random_key_each_time() -> None:
    drawn: list[bytes] = []

    def entropy(length: int) -> bytes:
        drawn.append(os.urandom(length))
        return drawn[-1]

    server = with_entropy(entropy)
    for number in range(20):
        client = begun(server, number)
        client.identity = b"nobody"
        drawn.clear()
        client.finish()
        assert [len(key) >= 16 for key in drawn] == [True]


# --- E13: connection IDs


@pytest.mark.parametrize("cid_length", [1, 2, 8, 32])
def test_E13_connection_id_that_is_taken_is_given_to_nobody_else(cid_length: int) -> None:
    server = with_entropy(bytes, EndpointConfig(cid_length=cid_length))
    clients = []
    for number in range(4):
        identity = b"device %d" % number
        server.psks[identity] = sha256(identity).digest()
        clients.append(established(server, cid=b"", number=number, identity=identity))
    assert [len(session.cid) for session in server.sessions] == [cid_length, 0, 0, 0]
    for client in clients:
        client.say(client.identity)
    assert server.received == [client.identity for client in clients]
    assert [session.identity for session in server.sessions] == server.received


def test_E13_connection_id_of_a_handshake_is_taken_too() -> None:
    server = with_entropy(bytes)
    clients = [begun(server, number) for number in range(3)]
    given = [client.server_hello.connection_id for client in clients if client.server_hello]
    assert given == [bytes(CID_BYTES), b"", b""]
    for client in reversed(clients):
        client.finish()
        client.say(b"well")
    assert server.received == [b"well"] * 3


def test_E13_repeated_entropy_costs_a_bounded_number_of_draws() -> None:
    draws = 0

    def entropy(length: int) -> bytes:
        nonlocal draws
        draws += 1
        return bytes(length)

    server = with_entropy(entropy)
    begun(server, 1)
    before = draws
    begun(server, 2)
    assert draws - before <= 12


def cid_record(cid: bytes, sequence: int = 1 << 20, size: int = 40) -> bytes:
    """A record of epoch 1 with a connection ID and noise."""
    number = (1 << 48 | sequence).to_bytes(8, "big")
    return bytes((TLS12_CID,)) + b"\xfe\xfd" + number + cid + size.to_bytes(2, "big") + bytes(size)


def test_E13_guessed_connection_ids_are_counted_and_cost_no_decryption(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    operations = record_operations(monkeypatch)
    bystander = Bystander(server, b"cid")
    operations.take()
    with dropped(server, unknown_connection_id=10_000):
        for number in range(10_000):
            cid = b"\0" + sha256(b"%d" % number).digest()[: CID_BYTES - 1]
            server.give(cid_record(cid), ELSEWHERE)
    assert operations.take() == []
    bystander.check()


def test_E13_connection_id_of_another_node_is_unknown(server: Server) -> None:
    bystander = Bystander(server, b"cid")
    own = bystander.session.cid
    with dropped(server, unknown_connection_id=255):
        for node in range(1, 256):
            server.give(cid_record(bytes((node,)) + own[1:]), bystander.pair.address)
    bystander.check()


def test_E13_guessed_right_a_stranger_costs_few_decryptions_and_the_peer_nothing(
    server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    operations = record_operations(monkeypatch)
    bystander = Bystander(server, b"cid")
    operations.take()
    config = server.config
    with silent(server):
        for number in range(10_000):
            address = Address("203.0.113.1", 1 + number)
            server.give(cid_record(bystander.session.cid, number + 1_000), address)
    assert operations.count("decrypt") == config.max_bad_records
    assert server.count("muted_records") == 10_000 - config.max_bad_records
    assert bystander.session.address == bystander.pair.address
    bystander.check()
    bystander.pair.address = ELSEWHERE
    server.pass_time(config.bad_record_mute_s + 0.1)
    bystander.check()


def test_E13_connection_id_of_a_handshake_helps_no_stranger(server: Server) -> None:
    client = begun(server, 1)
    assert client.server_hello is not None
    assert client.server_hello.connection_id
    with dropped(server, unknown_connection_id=1):
        server.give(cid_record(client.server_hello.connection_id), ELSEWHERE)
    client.finish()
    client.say(b"well")
    assert server.received == [b"well"]


# --- E14: memory


ATTEMPTS = 100_000
MAX_HANDSHAKES = 500
MAX_HALF_OPEN_BYTES = 3_072
MAX_SESSION_BYTES = 2_048
"""Of Python's memory. The two ciphers of a session and the hash of a handshake have more, outside of it."""


def attempt(server: Server, number: int, *, has_cookie: bool) -> None:
    """Both hellos of one client, or only the first, from an address that is never used again."""
    endpoint = server.endpoint
    address = Address(f"203.0.113.{number & 15}", number >> 4)
    random = number.to_bytes(32, "big")
    body = b"\xfe\xfd" + random + b"\0\0\0\2\xc0\xa8\1\0"
    endpoint.receive_datagram(hello_record(body), address, server.now)
    ((reply, _),) = endpoint.datagrams_to_send()
    if has_cookie:
        body = b"\xfe\xfd" + random + b"\0\x10" + cookie_of(reply) + b"\0\2\xc0\xa8\1\0"
        endpoint.receive_datagram(hello_record(body, message_seq=1, sequence=1), address, server.now)
        assert endpoint.datagrams_to_send()


@pytest.mark.parametrize("has_cookie", [False, True])
def test_E14_half_open_attempts_reach_a_plateau(has_cookie: bool) -> None:
    server = Server(EndpointConfig(max_handshakes=MAX_HANDSHAKES, handshakes_per_minute=0))
    bystander = Bystander(server)
    for number in range(3 * MAX_HANDSHAKES):
        attempt(server, number, has_cookie=has_cookie)
    assert server.endpoint.handshake_count == (MAX_HANDSHAKES if has_cookie else 0)
    before = sys.getallocatedblocks()
    for number in range(3 * MAX_HANDSHAKES, ATTEMPTS):
        attempt(server, number, has_cookie=has_cookie)
    assert sys.getallocatedblocks() - before < 2_000
    assert server.endpoint.handshake_count == (MAX_HANDSHAKES if has_cookie else 0)
    bystander.check()
    server.pass_time(server.config.handshake_timeout_s + 1)
    assert server.endpoint.handshake_count == 0


def test_E14_half_open_handshake_takes_little(server: Server) -> None:
    for number in range(100):
        attempt(server, number, has_cookie=True)
    with traced() as grown:
        for number in range(100, 1_100):
            attempt(server, number, has_cookie=True)
        taken = grown() / 1_000
    assert server.endpoint.handshake_count == 1_100
    assert taken < MAX_HALF_OPEN_BYTES


@pytest.mark.parametrize("piece", [0, 1, 16, 200])
def test_E14_handshake_is_filled_up_to_its_buffer_and_not_beyond(server: Server, piece: int) -> None:
    """With records ahead of their key and with pieces of a message, both small enough to cost the most."""
    clients = [begun(server, number) for number in range(10)]
    head = bytes((APPLICATION_DATA,)) + b"\xfe\xfd\0\1\0\0\0\0"
    tail = piece.to_bytes(2, "big") + bytes(piece)
    message = b"\x10\0\x0f\0\0\2"
    with traced() as grown:
        for client in clients:
            for number in range(300, 600):
                server.give(head + number.to_bytes(2, "big") + tail, client.address)
            for number in range(300):
                part = message + (2 * number * (piece + 1)).to_bytes(3, "big") + piece.to_bytes(3, "big")
                if 2 * number * (piece + 1) + piece <= 0x0F00:
                    server.give(encode_record(HANDSHAKE, number, part + bytes(piece)), client.address)
        taken = grown() / len(clients)
    assert server.count("handshake_buffer_full") > 0
    assert taken < 4 * server.config.handshake_buffer_bytes
    assert message[0] == HandshakeType.CLIENT_KEY_EXCHANGE


@pytest.mark.parametrize("cid", [None, b"", b"12345678"])
@pytest.mark.parametrize("has_spoken", [False, True])
def test_E14_idle_session_takes_little(cid: bytes | None, has_spoken: bool) -> None:
    server = Server(EndpointConfig(handshakes_per_minute=0))

    def connect(number: int) -> None:
        identity = b"urn:imei:%015d" % number
        server.psks = {identity: PSK}
        client = established(server, cid=cid, number=number, identity=identity)
        if has_spoken:
            client.say(b"well")
        server.events.clear()
        server.outbox.clear()

    for number in range(50):
        connect(number)
    with traced() as grown:
        for number in range(50, 450):
            connect(number)
        taken = grown() / 400
    assert server.endpoint.session_count == 450
    assert taken < MAX_SESSION_BYTES


def test_E14_sessions_that_come_and_go_leave_nothing(server: Server) -> None:
    def come_and_go(number: int) -> None:
        client = established(server, cid=b"", number=number, identity=IDENTITY)
        client.say(b"well")
        client.send(client.sealed(21, b"\1\0"))
        server.events.clear()
        server.outbox.clear()

    # Once around all hosts: begun handshakes are counted by host for a minute.
    for number in range(250):
        come_and_go(number)
    with traced() as grown:
        for number in range(250, 750):
            come_and_go(number)
        left = grown()
    assert server.endpoint.session_count == 0
    assert server.endpoint.get_timer() is None
    assert left < 16_384
