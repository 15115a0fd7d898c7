"""`gateway.dtls.endpoint`: which part of the engine a record is for, and the face towards the owner."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import pytest

from gateway.address import Address
from gateway.dtls.alerts import CLOSE_NOTIFY
from gateway.dtls.endpoint import EndpointConfig
from gateway.dtls.events import ApplicationData, SessionEnd, SessionEnded
from gateway.dtls.record import decode_records
from tests.support.dtls_pair import (
    ADDRESS,
    ALERT,
    APPLICATION_DATA,
    HANDSHAKE,
    Hello,
    Pair,
    RawClient,
    Server,
    drop,
)

ELSEWHERE = Address("198.51.100.7", 5_000)
CID = Hello().with_cid()


def test_client_and_endpoint_meet() -> None:
    pair = Pair()
    session = pair.handshake()
    pair.say(b"up")
    pair.server.send(session, b"down")
    pair.exchange()
    assert pair.server.received == [b"up"]
    assert pair.client_received == [b"down"]
    assert len(pair.sent_to_server) == 4
    assert len(pair.sent_to_client) == 4


def test_every_single_lost_datagram_is_made_good() -> None:
    for lost in range(8):
        for is_up in (True, False):
            pair = Pair()
            if is_up:
                pair.to_server = drop(lost)
            else:
                pair.to_client = drop(lost)
            pair.start()
            pair.exchange()
            pair.pass_time(10.0)
            assert pair.client.is_established
            assert len(pair.server.sessions) == 1


@pytest.mark.parametrize("size", [0, 1, 12, 13, 100, 1_500])
def test_noise_is_counted_and_not_answered(size: int) -> None:
    server = Server()
    noise = bytes((0xF0,)) + Random(size).randbytes(size) if size else b""
    assert server.give(noise) == []
    assert server.take() == []
    assert sum(server.endpoint.counters.as_dict().values()) == 1
    assert server.endpoint.get_timer() is None


@pytest.mark.parametrize(
    ("record", "counter"),
    [
        ("17fefd0000000000000000000461626364", "clear_application_data"),
        ("15fefd0000000000000000000202 28", "alerts_ignored"),
        ("16fefd00000000000000000000", "unknown_peer"),
        ("16fefd00000000000000000010 14000004000000000000000461626364", "unknown_peer"),
        ("16fefd00000000000000000010 10000004000000000000000461626364", "unknown_peer"),
        ("17fefd0001000000000000001861616161616161616161616161616161616161616161616161", "unknown_peer"),
        ("17fefd0002000000000000001861616161616161616161616161616161616161616161616161", "bad_epoch"),
        ("19fefd000100000000000000000000000000000000 001861616161616161616161616161616161616161616161", "x"),
        ("19fefd000000000000000000000000000000000000 0004 61626364", "bad_epoch"),
    ],
)
def test_records_of_strangers_are_dropped_by_reason(record: str, counter: str) -> None:
    server = Server()
    datagram = bytes.fromhex(record)
    if counter == "x":
        datagram, counter = datagram + bytes(2), "unknown_connection_id"
    assert server.give(datagram) == []
    assert server.take() == []
    assert {name for name, count in server.endpoint.counters.as_dict().items() if count} == {counter}


def test_hello_is_served_only_alone_in_its_datagram() -> None:
    client = RawClient(Server())
    hello = client.client_hello()
    client.send(hello, hello)
    assert client.replies == []
    assert client.server.count("hello_not_alone") == 2


def test_hello_that_cannot_be_read_gets_nothing() -> None:
    client = RawClient(Server())
    client.send(client.record(HANDSHAKE, b"\1\0\0\1\0\0\0\0\0\0\0\1x"))
    assert client.replies == []
    assert client.server.count("hello_malformed") == 1


def test_session_with_cid_is_found_from_anywhere_and_one_without_is_not() -> None:
    with_cid, without = RawClient(Server(), CID), RawClient(Server())
    with_cid.connect()
    without.connect()
    assert with_cid.say(b"x", address=ELSEWHERE) != []
    assert without.say(b"x", address=ELSEWHERE) == []
    assert without.server.count("unknown_peer") == 1


def test_record_without_cid_is_dropped_where_one_was_negotiated() -> None:
    client = RawClient(Server(), CID)
    client.connect()
    client.say(b"x")
    record = client.sealed(APPLICATION_DATA, b"x")
    assert client.send(bytes((APPLICATION_DATA,)) + record[1:11] + record[19:]) == []
    assert client.server.count("unknown_peer") == 1


def test_finished_with_cid_counts_only_from_the_address_of_its_handshake() -> None:
    client = RawClient(Server(), CID)
    client.begin()
    client.send(client.key_exchange(), client.change_cipher_spec())
    finished = client.finished()
    assert client.send(finished, address=ELSEWHERE) == []
    assert client.server.count("unknown_connection_id") == 1
    client.send(finished)
    assert len(client.server.sessions) == 1


def test_broken_second_record_spoils_only_itself() -> None:
    client = RawClient(Server(), CID)
    session = client.connect()
    first, second = client.sealed(APPLICATION_DATA, b"1"), client.sealed(APPLICATION_DATA, b"2")
    assert client.send(first, second[:-5]) == [ApplicationData(session, b"1")]
    assert client.send(client.sealed(APPLICATION_DATA, b"3"), second) == [
        ApplicationData(session, b"3"),
        ApplicationData(session, b"2"),
    ]


def test_records_of_a_second_session_in_a_datagram_are_dropped() -> None:
    server = Server()
    one = RawClient(server, CID)
    session = one.connect()
    two = RawClient(server, replace(CID, random=b"R" * 32), address=ELSEWHERE)
    two.connect()
    records = one.sealed(APPLICATION_DATA, b"1"), two.sealed(APPLICATION_DATA, b"2")
    assert one.send(*records) == [ApplicationData(session, b"1")]
    assert server.count("mixed_connection_ids") == 1


def test_live_session_goes_on_while_its_peer_makes_another() -> None:
    server = Server()
    old = RawClient(server)
    session = old.connect()
    new = RawClient(server, Hello(random=b"R" * 32))
    new.begin()
    new.send(new.key_exchange(), new.change_cipher_spec())
    assert old.say(b"alive") == [ApplicationData(session, b"alive")]
    assert len(new.send(new.finished())) == 2
    assert len(server.sessions) == 1


def test_alert_in_clear_does_nothing_to_a_session() -> None:
    client = RawClient(Server())
    client.connect()
    client.send(client.record(ALERT, b"\2\x28"))
    client.send(client.record(ALERT, b"\1\0"))
    assert client.replies == []
    assert client.say(b"alive")


def test_owner_ends_a_session_once() -> None:
    client = RawClient(Server())
    session = client.connect()
    server = client.server
    assert server.endpoint.end_session(session, server.now) == (SessionEnded(session, SessionEnd.ENDED),)
    assert server.endpoint.end_session(session, server.now) == ()
    ((datagram, address),) = server.endpoint.datagrams_to_send()
    assert address == ADDRESS
    client.replies = [datagram]
    assert client.protected_alerts() == [CLOSE_NOTIFY]


def test_owner_ends_a_session_silently() -> None:
    client = RawClient(Server())
    session = client.connect()
    client.server.endpoint.end_session(session, client.server.now, notify=False)
    assert client.server.endpoint.datagrams_to_send() == []


def test_end_of_an_identity_ends_all_its_sessions() -> None:
    server = Server()
    first = RawClient(server, CID).connect()
    second = RawClient(server, replace(CID, random=b"R" * 32), address=ELSEWHERE).connect()
    assert server.endpoint.sessions_of(first.identity) == (first, second)
    ended = server.endpoint.end_sessions(first.identity, server.now)
    assert server.endpoint.sessions_of(first.identity) == ()
    assert list(ended) == [SessionEnded(each, SessionEnd.ENDED) for each in (first, second)]
    assert len(server.endpoint.datagrams_to_send()) == 2
    assert server.endpoint.end_sessions(first.identity, server.now) == []


def test_closing_tells_those_used_latest_and_forgets_all() -> None:
    server = Server(EndpointConfig(), {b"%d" % i: b"%d" % i * 16 for i in range(4)})
    clients = [
        RawClient(server, CID, identity=b"%d" % i, psk=b"%d" % i * 16, address=Address("192.0.2.9", i))
        for i in range(4)
    ]
    for client in clients[:3]:
        client.connect()
    clients[0].say(b"latest")
    clients[3].begin()
    server.endpoint.close(server.now, limit=2)
    told = {address.port for _, address in server.endpoint.datagrams_to_send()}
    assert told == {0, 2}
    assert (server.endpoint.session_count, server.endpoint.handshake_count) == (0, 0)
    assert server.endpoint.get_timer() is None


def test_timer_is_harmless_when_nothing_is_due() -> None:
    server = Server()
    RawClient(server).begin()
    assert server.endpoint.handle_timer(server.now) == []
    assert server.endpoint.datagrams_to_send() == []


def test_replies_to_strangers_never_exceed_what_they_sent() -> None:
    server = Server()
    for hello in (Hello(), Hello(suites=(0xC0A8,)).without(23, 0xFF01), CID):
        client = RawClient(server, hello)
        record = client.client_hello()
        client.send(record)
        assert sum(map(len, client.replies)) <= len(record)
        assert [each.content_type for each in decode_records(client.replies[0], 8)] == [HANDSHAKE]
