"""Negative catalogue, A: rebooted devices, floods of hellos, failures without end, hellos in pieces."""

from __future__ import annotations

from hashlib import sha256

import pytest

from gateway.address import Address
from gateway.dtls.events import HandshakeFailed, HandshakeFailure, SessionEnd, SessionEnded
from gateway.dtls.fragments import fragment
from gateway.dtls.messages import HandshakeType, encode_message
from gateway.dtls.record import encode_record
from gateway.dtls.settings import EndpointConfig
from tests.fuzz.flood import in_memory
from tests.support.dtls_attack import (
    ELSEWHERE,
    Bystander,
    cookie_of,
    counted,
    dropped,
    memory_grows_less_than,
    silent,
)
from tests.support.dtls_pair import ADDRESS, ALERT, HANDSHAKE, Hello, RawClient, Server, only


def stranger(server: Server, number: int, **credentials: bytes) -> RawClient:
    """A client like no other: its own random, its own address."""
    hello = Hello(random=sha256(b"%d" % number).digest())
    address = Address(f"203.0.113.{number % 250}", 1_024 + number // 250)
    return RawClient(server, hello, address=address, **credentials)


# --- A9: the address of a live peer


@pytest.mark.parametrize("cid", [None, b"cid"])
def test_A9_rebooted_device_replaces_its_session_only_once_it_has_proved_its_key(
    server: Server, cid: bytes | None
) -> None:
    old = Bystander(server, cid)
    identity = b"bystander"
    hello = Hello() if cid is None else Hello().with_cid(cid)
    new = RawClient(server, hello, identity=identity, psk=server.psks[identity], address=old.pair.address)
    new.get_cookie()
    old.check()
    new.begin()
    old.check()
    new.send(new.key_exchange())
    old.check()
    new.send(new.change_cipher_spec())
    old.check()
    finished = new.finished()
    assert only(SessionEnded, server.events) == []
    new.send(finished)
    assert server.endpoint.session_count == (1 if cid is None else 2), (
        "one without a connection ID an address"
    )
    new.say(b"I am back")
    assert server.received[-1] == b"I am back"
    assert [(event.session, event.reason) for event in only(SessionEnded, server.events)] == [
        (old.session, SessionEnd.SUPERSEDED)
    ]
    assert server.endpoint.session_count == 1


def test_A9_another_device_at_the_address_of_one_that_left_takes_its_place(server: Server) -> None:
    old = Bystander(server)
    new = RawClient(server, address=old.pair.address)
    new.connect()
    assert [(event.session, event.reason) for event in only(SessionEnded, server.events)] == [
        (old.session, SessionEnd.SUPERSEDED)
    ]
    assert server.endpoint.session_count == 1
    new.say(b"new here")
    assert server.received[-1] == b"new here"


@pytest.mark.parametrize("cid", [None, b"cid"])
def test_A9_newcomer_without_the_key_replaces_nobody(server: Server, cid: bytes | None) -> None:
    bystander = Bystander(server, cid)
    for number in range(20):
        hello = Hello(random=sha256(b"%d" % number).digest())
        hello = hello if cid is None else hello.with_cid(cid)
        thief = RawClient(
            server, hello, identity=b"bystander", psk=b"guessed", address=bystander.pair.address
        )
        thief.begin()
        assert [event.reason for event in only(HandshakeFailed, thief.finish())] == [
            HandshakeFailure.WRONG_KEY
        ]
        bystander.check()
    assert only(SessionEnded, server.events) == []


# --- A10, A11: many handshakes


def test_A10_flood_of_right_cookies_is_capped_and_the_oldest_unfinished_goes() -> None:
    server = Server(EndpointConfig(max_handshakes=50))
    bystanders = [
        Bystander(server, None),
        Bystander(server, b"cid", Address("198.51.100.8", 5_684), b"another"),
    ]
    clients = [stranger(server, number) for number in range(500)]
    with counted(
        server,
        hello_verify_requests=500,
        handshakes_begun=500,
        handshakes_evicted=450,
        handshakes_failed=450,
    ):
        for client in clients:
            client.begin()
            assert server.endpoint.handshake_count <= 50
    assert [event.address for event in server.failures] == [client.address for client in clients[:450]]
    assert {event.reason for event in server.failures} == {HandshakeFailure.LIMIT}
    for bystander in bystanders:
        bystander.check()
    with silent(server):
        server.give(clients[0].key_exchange(), clients[0].address)
    for client in clients[450:]:
        client.finish()
        client.say(b"made it")
    assert server.received[-50:] == [b"made it"] * 50


def test_A10_one_host_may_begin_only_so_many_a_minute() -> None:
    server = Server(EndpointConfig(handshakes_per_minute=10))
    bystander = Bystander(server)
    clients = [RawClient(server, Hello(), address=Address("203.0.113.9", 1 + number)) for number in range(30)]
    with counted(server, hello_verify_requests=30, handshakes_begun=10, handshakes_rate_limited=20):
        for client in clients:
            client.get_cookie()
            client.send(client.client_hello())
            assert sum(map(len, client.replies)) == 0 or server.endpoint.handshake_count <= 10
    assert server.endpoint.handshake_count == 10
    RawClient(server).connect()
    bystander.check()
    server.pass_time(61.0)
    RawClient(server, address=clients[-1].address).connect()


@pytest.mark.parametrize("has_cookies", [False, True], ids=["without cookies", "with cookies"])
def test_A10_flood_of_hellos_leaves_memory_as_it_is_and_sessions_served(has_cookies: bool) -> None:
    # The exchanges of the sessions in between are checked as they are made.
    flood = in_memory(5_000, EndpointConfig(max_handshakes=200), has_cookies=has_cookies)
    assert len(flood.flooded_us) == 2_500
    assert flood.memory_after_bytes - flood.memory_early_bytes < 4 << 20


def test_A11_failed_handshakes_give_their_place_back() -> None:
    config = EndpointConfig(max_handshakes=4, handshakes_per_minute=0)
    server = Server(config)
    client = RawClient(server)
    client.get_cookie()
    hello, alert = client.client_hello(), encode_record(ALERT, 9, b"\2\x28")
    endpoint = server.endpoint
    for _ in range(100_000):
        endpoint.receive_datagram(hello, ADDRESS, server.now)
        (failed,) = endpoint.receive_datagram(alert, ADDRESS, server.now)
    assert isinstance(failed, HandshakeFailed)
    endpoint.datagrams_to_send()
    assert endpoint.handshake_count == 0
    assert endpoint.get_timer() is None
    assert server.count("handshakes_begun") == server.count("handshakes_failed") == 100_000
    assert server.count("handshakes_evicted") == 0
    RawClient(server, Hello(random=b"!" * 32)).connect()


def fail_by_alert(client: RawClient) -> None:
    client.begin()
    client.send(client.record(ALERT, b"\2\x28"))


def fail_by_unreadable_exchange(client: RawClient) -> None:
    client.begin()
    client.send(client.record(HANDSHAKE, client.message(HandshakeType.CLIENT_KEY_EXCHANGE, b"\0\1")))


def fail_by_wrong_key(client: RawClient) -> None:
    client.psk = b"wrong"
    client.begin()
    client.finish()


def fail_by_unknown_identity(client: RawClient) -> None:
    client.identity = b"nobody"
    client.begin()
    client.finish()


def fail_by_wrong_finished(client: RawClient) -> None:
    client.begin()
    exchange, change = client.key_exchange(), client.change_cipher_spec()
    client.derive()
    client.send(exchange, change, client.sealed(HANDSHAKE, client.message(HandshakeType.FINISHED, bytes(12))))


def fail_by_silence(client: RawClient) -> None:
    client.begin()
    client.server.pass_time(client.server.config.handshake_timeout_s + 1)


def fail_by_suites(client: RawClient) -> None:
    client.hello = Hello(suites=(0x1301,))
    client.get_cookie()
    client.send(client.client_hello())


FAILURES = [
    fail_by_alert,
    fail_by_unreadable_exchange,
    fail_by_wrong_key,
    fail_by_unknown_identity,
    fail_by_wrong_finished,
    fail_by_silence,
    fail_by_suites,
]


def test_A11_however_a_handshake_fails_nothing_of_it_stays() -> None:
    server = Server(EndpointConfig(max_handshakes=2))
    bystander = Bystander(server)
    server.pass_time(server.config.last_flight_s)
    for number in range(30 * len(FAILURES)):
        FAILURES[number % len(FAILURES)](stranger(server, number))
        assert server.endpoint.handshake_count == 0
        assert server.endpoint.get_timer() is None
        assert len(server.failures) == number + 1
    assert server.count("handshakes_evicted") == 0
    bystander.check()
    RawClient(server).connect()


# --- A13: hellos in pieces


def pieces_of_hello(
    size: int, cookie: bytes = b"", message_seq: int = 0, hello: Hello | None = None
) -> list[bytes]:
    """Datagrams with a ClientHello cut into pieces of at most *size* bytes, headers included."""
    message = encode_message(HandshakeType.CLIENT_HELLO, message_seq, (hello or Hello()).body(cookie))
    return [
        encode_record(HANDSHAKE, 10 * message_seq + number, piece)
        for number, piece in enumerate(fragment(message, size))
    ]


def test_A13_pieces_of_a_hello_are_joined_in_any_order(server: Server) -> None:
    first = pieces_of_hello(30)
    assert len(first) > 2
    for datagram in reversed(first):
        assert server.take() == []
        server.give(datagram)
    (reply,) = server.take()
    for datagram in pieces_of_hello(30, cookie_of(reply), message_seq=1):
        assert server.endpoint.handshake_count == 0
        server.give(datagram)
    assert server.endpoint.handshake_count == 1


@pytest.mark.parametrize("missing", [0, 1, -1])
def test_A13_hello_that_lacks_a_piece_gets_nothing_and_begins_nothing(server: Server, missing: int) -> None:
    pieces = pieces_of_hello(30)
    del pieces[missing]
    with dropped(server):
        for _ in range(3):
            for datagram in pieces:
                server.give(datagram)
    assert server.endpoint.get_timer() is None


def test_A13_pieces_older_than_five_seconds_are_of_no_use(server: Server) -> None:
    first, *others = pieces_of_hello(30)
    server.give(first)
    server.pass_time(5.1)
    with silent(server):
        for datagram in others:
            server.give(datagram)
    assert server.count("hello_fragments_dropped") == 1


def test_A13_pieces_of_all_strangers_share_one_small_buffer(server: Server) -> None:
    piece = pieces_of_hello(30)[0]
    with memory_grows_less_than(4 * 65_536), silent(server):
        for number in range(20_000):
            server.endpoint.receive_datagram(piece, Address("203.0.113.1", number), server.now)
    assert server.count("hello_fragments_dropped") > 19_000


def test_A13_largest_pieces_share_it_too(server: Server) -> None:
    hello = Hello(extensions={0xFADE: bytes(8_000)})
    pieces = pieces_of_hello(4_000, hello=hello)[:2]
    with memory_grows_less_than(4 * 65_536), silent(server):
        for number in range(500):
            for piece in pieces:
                server.endpoint.receive_datagram(piece, Address("203.0.113.1", number), server.now)
    assert server.count("hello_fragments_dropped") > 480


def test_A13_smallest_pieces_share_it_too(server: Server) -> None:
    message = encode_message(HandshakeType.CLIENT_HELLO, 0, Hello(extensions={0xFADE: bytes(4_000)}).body())
    every_other = [encode_record(HANDSHAKE, 0, piece) for piece in fragment(message, 13)[::2]]
    with memory_grows_less_than(8 * 65_536), silent(server):
        for number in range(150):
            for piece in every_other[:100]:
                server.endpoint.receive_datagram(piece, Address("203.0.113.1", number), server.now)


def test_A13_oldest_hello_in_pieces_goes_first_and_the_newest_is_served(server: Server) -> None:
    first, *others = pieces_of_hello(30)
    server.give(first, ADDRESS)
    for number in range(200):
        server.give(first, Address("203.0.113.1", number))
    for datagram in others:
        server.give(datagram, ELSEWHERE)
    server.give(first, ELSEWHERE)
    assert len(server.take(ELSEWHERE)) == 1
    for datagram in others:
        server.give(datagram, ADDRESS)
    assert server.take(ADDRESS) == []


def test_A13_pieces_of_two_addresses_are_never_joined(server: Server) -> None:
    first, *others = pieces_of_hello(30)
    with dropped(server):
        server.give(first, ADDRESS)
        for datagram in others:
            server.give(datagram, ELSEWHERE)


def test_A13_strangers_piece_does_not_stand_in_the_way(server: Server) -> None:
    foreign = pieces_of_hello(30, hello=Hello(random=b"X" * 32, suites=(0xC0A8,)))
    server.give(foreign[0])
    server.give(foreign[1])
    pieces = pieces_of_hello(30)
    for _ in range(2):
        for datagram in pieces:
            server.give(datagram)
    assert server.take()


def test_A13_hello_longer_than_can_be_is_dropped(server: Server) -> None:
    # Announced by its first piece: nothing is set aside for it.
    piece = b"\1\xff\xff\xff\0\0\0\0\0\0\0\x10" + bytes(16)
    with dropped(server, hello_fragments_dropped=1), memory_grows_less_than(16_384):
        server.give(encode_record(HANDSHAKE, 0, piece))
