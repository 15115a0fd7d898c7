"""`gateway.dtls.handshakes`: how many handshakes there may be, and what becomes of them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.address import Address
from gateway.dtls.alerts import AlertDescription, fatal
from gateway.dtls.endpoint import Endpoint, EndpointConfig
from gateway.dtls.events import HandshakeFailed, HandshakeFailure, PskRequested
from gateway.dtls.messages import encode_message
from tests.support.dtls_pair import ADDRESS, HANDSHAKE, IDENTITY, PSK, Entropy, Hello, RawClient, Server, only


def at(port: int, host: str = "198.51.100.1") -> Address:
    return Address(host, port)


def test_beyond_the_limit_the_oldest_unfinished_goes() -> None:
    server = Server(EndpointConfig(max_handshakes=3))
    clients = [RawClient(server, address=at(port)) for port in range(4)]
    for client in clients:
        client.begin()
    assert server.failures == [HandshakeFailed(at(0), None, HandshakeFailure.LIMIT)]
    assert server.count("handshakes_evicted") == 1
    assert server.endpoint.handshake_count == 3
    clients[0].finish()
    assert server.sessions == []
    clients[1].finish()
    assert len(server.sessions) == 1


def test_flood_of_handshakes_leaves_sessions_alone_and_nothing_behind() -> None:
    server = Server(EndpointConfig(max_handshakes=5, handshakes_per_minute=0))
    peer = RawClient(server)
    peer.connect()
    for port in range(500):
        RawClient(server, address=at(port)).begin()
    assert server.endpoint.handshake_count == 5
    peer.say(b"here")
    assert server.received == [b"here"]
    server.pass_time(60.0)
    assert server.endpoint.handshake_count == 0


def test_one_host_begins_so_many_handshakes_a_minute() -> None:
    server = Server(EndpointConfig(handshakes_per_minute=3))
    for port in range(3):
        RawClient(server, address=at(port)).begin()
    late = RawClient(server, address=at(4))
    late.get_cookie()
    assert late.send(late.client_hello()) == [HandshakeFailed(at(4), None, HandshakeFailure.LIMIT)]
    assert late.replies == []
    assert server.count("handshakes_rate_limited") == 1
    RawClient(server, address=at(5, "203.0.113.5")).begin()
    server.pass_time(60.0)
    RawClient(server, address=at(6)).begin()


@pytest.mark.parametrize(
    ("hello", "alert", "reason"),
    [
        (Hello(suites=(0xC0AE,)), AlertDescription.HANDSHAKE_FAILURE, HandshakeFailure.NO_COMMON_SUITE),
        (Hello(version=0xFEFF), AlertDescription.PROTOCOL_VERSION, HandshakeFailure.PROTOCOL_VERSION),
        (
            Hello(extensions={0xFF01: b"\1x"}),
            AlertDescription.HANDSHAKE_FAILURE,
            HandshakeFailure.PROTOCOL_ERROR,
        ),
        (Hello(extensions={54: b"\5x"}), AlertDescription.DECODE_ERROR, HandshakeFailure.PROTOCOL_ERROR),
    ],
)
def test_hello_that_cannot_be_served_gets_an_alert_after_its_cookie(
    hello: Hello, alert: AlertDescription, reason: HandshakeFailure
) -> None:
    client = RawClient(Server(), hello)
    client.get_cookie()
    assert client.send(client.client_hello()) == [HandshakeFailed(ADDRESS, None, reason)]
    assert client.clear_alerts() == [fatal(alert)]
    assert client.server.endpoint.handshake_count == 0


def test_hello_without_null_compression_or_far_into_a_conversation_gets_an_alert() -> None:
    class Compressed(Hello):
        def body(self, cookie: bytes = b"") -> bytes:
            return super().body(cookie).replace(b"\1\0", b"\1\1", 1)

    client = RawClient(Server(), Compressed(random=b"r" * 32, extensions={}))
    client.get_cookie()
    client.send(client.client_hello())
    assert client.clear_alerts() == [fatal(AlertDescription.HANDSHAKE_FAILURE)]
    client = RawClient(Server())
    client.get_cookie()
    client.message_seq = 65_535
    client.send(client.client_hello())
    assert client.clear_alerts() == [fatal(AlertDescription.ILLEGAL_PARAMETER)]


def test_hello_of_another_kind_restarts_and_a_copy_does_not() -> None:
    client = RawClient(Server())
    client.begin()
    client.message_seq = 1
    client.send(client.client_hello())
    assert client.server.count("handshakes_begun") == 1
    again = RawClient(client.server, replace(Hello(), suites=(0xC0A4,)))
    again.begin()
    assert client.server.count("handshakes_restarted") == 1
    assert client.server.endpoint.handshake_count == 1
    again.finish()
    assert len(client.server.sessions) == 1


def test_legacy_connection_id_is_counted_and_passed_over() -> None:
    client = RawClient(Server(), Hello(extensions={254: b"\0"}))
    client.connect()
    assert client.server.count("legacy_connection_ids") == 1
    assert client.server.sessions[0].cid == b""


def test_connection_ids_begin_with_the_node_and_differ() -> None:
    server = Server(EndpointConfig(node=0x5A, cid_length=6, handshakes_per_minute=0))
    cids = set()
    for port in range(20):
        client = RawClient(server, Hello().with_cid(), address=at(port))
        client.begin()
        assert client.server_hello is not None
        cids.add(client.server_hello.connection_id)
    assert len(cids) == 20
    assert {(cid[0], len(cid)) for cid in cids if cid} == {(0x5A, 6)}


@pytest.mark.parametrize("entropy_gives", ["the same", "nothing"])
def test_without_a_free_connection_id_none_is_given(entropy_gives: str) -> None:
    server = Server(EndpointConfig(cid_length=2 if entropy_gives == "the same" else 0))
    good = Entropy("server")
    server.endpoint = Endpoint(server.config, lambda size: b"x" if size == 1 else good(size), 0.0)
    first = RawClient(server, Hello().with_cid(b"peer"), address=at(1))
    first.connect()
    second = RawClient(server, Hello().with_cid(b"peer"), address=at(2))
    second.connect()
    assert second.server_hello is not None
    assert second.server_hello.connection_id == b""
    second.say(b"without")
    assert server.received == [b"without"]


def test_failed_handshakes_give_their_place_back() -> None:
    server = Server(EndpointConfig(max_handshakes=10, handshakes_per_minute=0), psks={})
    for port in range(200):
        client = RawClient(server, address=at(port))
        client.begin()
        client.finish()
    assert server.endpoint.handshake_count == 0
    assert server.count("handshakes_evicted") == 0
    assert server.count("handshakes_failed") == 200


def test_end_of_an_identity_ends_its_handshakes() -> None:
    server = Server(is_answering=False)
    client = RawClient(server)
    client.begin()
    (request,) = only(PskRequested, client.finish())
    other = RawClient(server, identity=b"other", address=at(1))
    other.begin()
    other.send(other.key_exchange())
    failed = HandshakeFailed(ADDRESS, IDENTITY, HandshakeFailure.UNKNOWN_IDENTITY)
    assert server.endpoint.end_sessions(IDENTITY, server.now) == [failed]
    assert server.provide(request, PSK) == []
    assert server.endpoint.handshake_count == 1


def test_the_next_timer_is_that_of_the_nearest_handshake() -> None:
    server = Server(EndpointConfig(retransmit_initial_s=1.0))
    assert server.endpoint.get_timer() is None
    first = RawClient(server, address=at(1))
    first.begin()
    begun_at = server.now
    server.pass_time(0.5)
    RawClient(server, address=at(2)).begin()
    assert server.endpoint.get_timer() == begun_at + 1.0
    first.send(first.record(HANDSHAKE, encode_message(16, 2, b"\0\1x")))
    server.pass_time(1.0)
    assert len(server.take(at(1))) == 0
    assert len(server.take(at(2))) == 1
