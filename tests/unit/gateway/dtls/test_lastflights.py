"""`gateway.dtls.lastflights`: what it takes to bring our last flight again."""

from __future__ import annotations

from gateway.address import Address
from gateway.dtls.endpoint import EndpointConfig
from gateway.dtls.messages import encode_message
from gateway.dtls.session import Session
from tests.support.dtls_pair import HANDSHAKE, Hello, RawClient, Server

ELSEWHERE = Address("198.51.100.7", 5_000)


def connect(server: Server | None = None, **options: object) -> tuple[RawClient, Session]:
    hello = Hello(random=options.pop("hello_random", b"r" * 32)).with_cid()  # type: ignore[arg-type]
    client = RawClient(server or Server(), hello, **options)  # type: ignore[arg-type]
    return client, client.connect()


def test_finished_again_brings_the_last_flight_again_under_new_numbers() -> None:
    client, _ = connect()
    first = client.reply_records()
    finished = encode_message(20, 3, b"v" * 12)
    assert client.send(client.sealed(HANDSHAKE, finished)) == []
    again = client.reply_records()
    assert [record.content_type for record in again] == [record.content_type for record in first]
    assert {(record.epoch, record.sequence) for record in again}.isdisjoint(
        (record.epoch, record.sequence) for record in first
    )
    assert client.open_replies()[0][1][:4] == b"\x14\0\0\x0c"
    assert client.server.count("last_flights_repeated") == 1


def test_key_exchange_again_in_clear_brings_the_last_flight_again() -> None:
    client, _ = connect()
    client.send(client.record(HANDSHAKE, encode_message(16, 2, b"\0\0")))
    assert [record.content_type for record in client.reply_records()] == [20, 22]


def test_whole_flight_again_brings_the_last_flight_again_once() -> None:
    client, _ = connect()
    exchange = client.record(HANDSHAKE, encode_message(16, 2, b"\0\0"))
    client.send(exchange, client.sealed(HANDSHAKE, encode_message(20, 3, b"v" * 12)))
    assert len(client.replies) == 1


def test_last_flight_is_not_repeated_without_end() -> None:
    client, _ = connect()
    replies = 0
    for _ in range(30):
        client.send(client.record(HANDSHAKE, encode_message(16, 2, b"\0\0")))
        replies += len(client.replies)
    assert 0 < replies < 10


def test_last_flight_is_freed_by_the_first_data() -> None:
    client, session = connect()
    client.say(b"x")
    assert session.last_flight is None
    client.send(client.record(HANDSHAKE, encode_message(16, 2, b"\0\0")))
    client.send(client.sealed(HANDSHAKE, encode_message(20, 3, b"v" * 12)))
    assert client.server.count("last_flights_repeated") == 0
    assert client.server.endpoint.get_timer() is None


def test_last_flight_is_freed_when_its_time_is_up() -> None:
    server = Server(EndpointConfig(last_flight_s=120.0), {b"1": b"1" * 16, b"2": b"2" * 16})
    _, first = connect(server, identity=b"1", psk=b"1" * 16)
    server.pass_time(60.0)
    _, second = connect(server, identity=b"2", psk=b"2" * 16, address=ELSEWHERE)
    assert server.endpoint.get_timer() == first.established_at + 120.0
    server.pass_time(60.0)
    assert first.last_flight is None
    assert second.last_flight is not None
    server.pass_time(60.0)
    assert second.last_flight is None
    assert server.endpoint.get_timer() is None


def test_new_session_at_an_address_takes_over_its_last_flight() -> None:
    server = Server()
    _, first = connect(server)
    _, second = connect(server, hello_random=b"R" * 32)
    assert first.last_flight is None
    assert second.last_flight is not None


def test_late_copy_of_the_hello_of_a_fresh_session_begins_nothing() -> None:
    client, _ = connect()
    client.sequence, client.message_seq = 1, 1
    client.send(client.client_hello())
    assert client.replies == []
    assert client.server.endpoint.handshake_count == 0
