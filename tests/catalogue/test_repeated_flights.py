"""Negative catalogue, C: repetitions without end or effect, and keys that come too late."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import pytest

from gateway.address import Address
from gateway.dtls.events import (
    ClientEstablished,
    ClientFailed,
    HandshakeFailed,
    HandshakeFailure,
    PskRequested,
    SessionEstablished,
)
from gateway.dtls.messages import HandshakeType
from gateway.dtls.record import decode_records
from gateway.dtls.settings import ClientConfig, EndpointConfig
from tests.support.dtls_attack import Bystander, dropped
from tests.support.dtls_cases import CIDS, HELLOS, begun
from tests.support.dtls_pair import (
    ADDRESS,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    IDENTITY,
    PSK,
    Hello,
    Pair,
    RawClient,
    Server,
    drop,
    only,
)

SERVER_HELLO = int(HandshakeType.SERVER_HELLO)
CLIENT_KEY_EXCHANGE = int(HandshakeType.CLIENT_KEY_EXCHANGE)
COUNT = EndpointConfig().retransmit_count
LAST_FLIGHT_REPEATS = 8


def flights(datagrams: Iterable[bytes], message_type: int) -> list[bytes]:
    """The datagrams that begin with a message of this type: one of each flight, however it was divided."""
    return [each for each in datagrams if each[0] == HANDSHAKE and each[13] == message_type]


def client_config(cid: bytes | None = None) -> ClientConfig:
    return ClientConfig(IDENTITY, PSK, cid=cid)


# --- C18: our last flight was lost


@pytest.mark.parametrize("cid", CIDS)
def test_C18_a_lost_last_flight_is_sent_again_under_new_numbers(cid: bytes | None) -> None:
    pair = Pair(client_config(cid))
    pair.to_client = drop(2, 3)
    pair.start()
    pair.exchange()
    assert not pair.client.is_established
    pair.pass_time(10)
    assert pair.client.is_established
    assert len(only(SessionEstablished, pair.server.events)) == 1
    assert len(only(ClientEstablished, pair.client_events)) == 1
    assert pair.server.count("last_flights_repeated") == 2
    assert pair.server.endpoint.session_count == 1
    sent = [decode_records(each, len(cid or b"")) for each in pair.sent_to_client[2:]]
    assert [[record.epoch for record in flight] for flight in sent] == [[0, 1]] * 3
    numbers = [record.number for flight in sent for record in flight]
    assert len(set(numbers)) == len(numbers)
    pair.say(b"at last")
    assert pair.server.received == [b"at last"]


@pytest.mark.parametrize("hello", HELLOS)
def test_C18_the_last_flight_is_repeated_so_often_and_no_more(hello: Hello) -> None:
    raw = begun(hello)
    raw.send(raw.key_exchange(), raw.change_cipher_spec())
    finished = raw.finished_message()
    raw.send(raw.sealed(HANDSHAKE, finished))
    answered = 0
    for _ in range(50):
        assert raw.send(raw.sealed(HANDSHAKE, finished)) == []
        answered += len(raw.replies)
    assert answered == raw.server.count("last_flights_repeated") == LAST_FLIGHT_REPEATS
    raw.say(b"data")
    assert raw.server.received == [b"data"]
    assert len(only(SessionEstablished, raw.server.events)) == 1


def test_C18_a_key_exchange_in_clear_makes_us_repeat_so_often_and_no_more() -> None:
    raw = begun()
    exchange = raw.key_exchange()
    raw.send(exchange, raw.change_cipher_spec(), raw.finished())
    answers = 0
    for _ in range(50):
        assert raw.send(exchange) == []
        answers += len(raw.replies)
    assert answers == LAST_FLIGHT_REPEATS
    assert raw.server.endpoint.handshake_count == 0
    raw.say(b"data")
    assert raw.server.received == [b"data"]


@pytest.mark.parametrize("hello", HELLOS)
def test_C18_an_exact_copy_of_the_finished_is_a_replay(hello: Hello) -> None:
    raw = begun(hello)
    exchange, change, finished = raw.key_exchange(), raw.change_cipher_spec(), raw.finished()
    raw.send(exchange, change, finished)
    with dropped(raw.server, replayed_records=1):
        raw.send(finished)


@pytest.mark.parametrize("hello", HELLOS)
@pytest.mark.parametrize("is_confirmed", [True, False], ids=["confirmed", "expired"])
def test_C18_the_last_flight_is_forgotten_when_it_arrived_or_is_old(is_confirmed: bool, hello: Hello) -> None:
    raw = begun(hello)
    exchange = raw.key_exchange()
    raw.send(exchange, raw.change_cipher_spec())
    finished = raw.finished_message()
    raw.send(raw.sealed(HANDSHAKE, finished))
    if is_confirmed:
        raw.say(b"it arrived")
    else:
        raw.server.pass_time(raw.server.config.last_flight_s)
    assert raw.server.endpoint.get_timer() is None
    with dropped(raw.server, unexpected_messages=1, unknown_peer=1):
        raw.send(raw.sealed(HANDSHAKE, finished))
        raw.send(exchange)


# --- C19: repetitions end


def test_C19_a_server_without_answer_repeats_so_often_and_gives_up() -> None:
    server = Server()
    bystander = Bystander(server)
    raw = begun(server=server)
    server.pass_time(1_000)
    assert len(flights(server.take(), SERVER_HELLO)) == server.count("retransmissions") == COUNT
    assert [failure.reason for failure in server.failures] == [HandshakeFailure.TIMEOUT]
    assert server.endpoint.handshake_count == 0
    with dropped(server, unknown_peer=1):
        raw.send(raw.key_exchange())
    bystander.check()


def test_C19_the_timer_of_a_server_backs_off() -> None:
    raw = begun(server=Server(EndpointConfig(retransmit_initial_s=1, retransmit_max_s=4)))
    server = raw.server
    sent_at = []
    while (due := server.endpoint.get_timer()) is not None:
        server.pass_time(due - server.now)
        sent_at += [due for _ in flights(server.take(), SERVER_HELLO)]
    assert [later - earlier for earlier, later in pairwise(sent_at)] == [2, 4, 4, 4]


def test_C19_a_hello_repeated_a_thousand_times_is_answered_so_often_and_no_more() -> None:
    raw = RawClient()
    raw.get_cookie()
    hello = raw.client_hello()
    answers = 0
    for _ in range(1_000):
        raw.send(hello)
        answers += len(flights(raw.replies, SERVER_HELLO))
    assert answers == 1 + COUNT
    assert raw.server.endpoint.handshake_count == 1
    raw.server.pass_time(30)
    assert raw.server.take() == []


def test_C19_repetitions_do_not_keep_a_handshake_alive() -> None:
    raw = begun(server=Server(is_answering=False))
    exchange = raw.key_exchange()
    raw.send(exchange)
    for _ in range(60):
        raw.send(exchange)
        raw.server.pass_time(1)
    assert raw.server.endpoint.handshake_count == 0
    assert [failure.reason for failure in raw.server.failures] == [HandshakeFailure.TIMEOUT]


@pytest.mark.parametrize("hello", HELLOS)
def test_C19_a_server_does_not_answer_its_own_messages(hello: Hello) -> None:
    raw = RawClient(hello=hello)
    raw.get_cookie()
    echoes = list(raw.replies)
    raw.begin()
    echoes += raw.replies
    for _ in range(100):
        for echo in echoes:
            assert raw.send(echo) == []
            assert raw.replies == []
    raw.finish()
    last_flight = list(raw.replies)
    for _ in range(100):
        for echo in echoes + last_flight:
            assert raw.send(echo) == []
            assert raw.replies == []
    raw.say(b"data")
    assert raw.server.received == [b"data"]


def test_C19_a_client_without_answer_repeats_so_often_and_gives_up() -> None:
    pair = Pair()
    pair.to_server = lambda datagram: ()
    pair.start()
    pair.pass_time(1_000)
    assert len(pair.sent_to_server) == 1 + COUNT
    assert pair.client_events == [ClientFailed(HandshakeFailure.TIMEOUT)]
    assert pair.client.get_timer() is None


def test_C19_a_client_whose_last_flight_stays_unanswered_gives_up() -> None:
    pair = Pair()
    pair.to_client = lambda datagram: () if datagram[0] == CHANGE_CIPHER_SPEC else (datagram,)
    pair.start()
    pair.exchange()
    pair.pass_time(1_000)
    assert len(flights(pair.sent_to_server, CLIENT_KEY_EXCHANGE)) == 1 + COUNT
    assert pair.client_events == [ClientFailed(HandshakeFailure.TIMEOUT)]
    assert pair.server.count("last_flights_repeated") <= LAST_FLIGHT_REPEATS
    assert len(only(SessionEstablished, pair.server.events)) == 1


def test_C19_a_client_does_not_answer_old_messages() -> None:
    pair = Pair()
    pair.to_client = lambda datagram: () if datagram[0] == CHANGE_CIPHER_SPEC else (datagram,)
    pair.start()
    pair.exchange()
    sent = len(pair.sent_to_server)
    old = [each for each in pair.sent_to_client if each[0] != CHANGE_CIPHER_SPEC] + pair.sent_to_server
    for _ in range(200):
        for datagram in old:
            assert not pair.client.receive_datagram(datagram, pair.now)
    pair.exchange()
    assert len(pair.sent_to_server) == sent


def test_C19_two_peers_that_get_everything_twice_come_to_rest() -> None:
    pair = Pair(client_config(b""))
    pair.to_client = pair.to_server = lambda datagram: (datagram, datagram)
    pair.start()
    pair.exchange()
    assert pair.client.is_established
    assert len(pair.sent_to_server) + len(pair.sent_to_client) <= 12
    assert len(only(SessionEstablished, pair.server.events)) == 1


# --- C20: keys that come late


def waiting(server: Server | None = None, address: Address = ADDRESS) -> tuple[RawClient, PskRequested]:
    """A client whose whole flight has come before the key for it."""
    server = server or Server()
    server.is_answering = False
    raw = RawClient(server, address=address)
    raw.begin()
    events = raw.finish()
    return raw, only(PskRequested, events)[0]


def test_C20_a_key_after_the_timeout_is_ignored() -> None:
    raw, request = waiting()
    raw.server.pass_time(raw.server.config.handshake_timeout_s)
    assert len(raw.server.failures) == 1
    with dropped(raw.server, late_keys=1):
        raw.server.provide(request, PSK)


@pytest.mark.parametrize("psk", [PSK, None])
def test_C20_a_key_for_a_handshake_that_was_begun_anew_is_ignored(psk: bytes | None) -> None:
    old, request = waiting()
    server = old.server
    new = RawClient(server, Hello(random=b"n" * 32))
    new.begin()
    with dropped(server, late_keys=1):
        server.provide(request, psk)
    (later,) = only(PskRequested, new.finish())
    assert later.handshake != request.handshake
    with dropped(server, late_keys=1):
        server.provide(request, psk)
    server.provide(later, PSK)
    new.say(b"data")
    assert server.received == [b"data"]


def test_C20_a_key_for_a_handshake_that_gave_way_is_ignored() -> None:
    server = Server(EndpointConfig(max_handshakes=1))
    _, request = waiting(server)
    RawClient(server, Hello(random=b"n" * 32), address=Address(ADDRESS.host, 5)).begin()
    assert [failure.reason for failure in server.failures] == [HandshakeFailure.LIMIT]
    with dropped(server, late_keys=1):
        server.provide(request, PSK)


def test_C20_a_key_after_its_identity_was_ended_is_ignored() -> None:
    raw, request = waiting()
    ended = raw.server.endpoint.end_sessions(IDENTITY, raw.server.now)
    assert [event.identity for event in only(HandshakeFailed, ended)] == [IDENTITY]
    with dropped(raw.server, late_keys=1):
        raw.server.provide(request, PSK)


@pytest.mark.parametrize("second", [PSK, b"another key", None])
def test_C20_a_second_key_changes_nothing(second: bytes | None) -> None:
    raw, request = waiting()
    raw.server.provide(request, PSK)
    with dropped(raw.server, late_keys=1):
        raw.server.provide(request, second)
    raw.say(b"data")
    assert raw.server.received == [b"data"]


def test_C20_a_second_key_changes_nothing_before_the_finished_either() -> None:
    server = Server(is_answering=False)
    raw = begun(server=server)
    (request,) = only(PskRequested, raw.send(raw.key_exchange()))
    server.provide(request, PSK)
    with dropped(server, late_keys=1):
        server.provide(request, b"another key")
    raw.send(raw.change_cipher_spec(), raw.finished())
    raw.say(b"data")
    assert server.received == [b"data"]


def test_C20_keys_nobody_asked_for_are_ignored() -> None:
    server = Server()
    bystander = Bystander(server)
    with dropped(server, late_keys=4):
        for number in (-1, 0, 1, 1 << 40):
            server.provide(PskRequested(number, IDENTITY, ADDRESS), PSK)
    bystander.check()


def test_C20_while_a_key_is_awaited_repetitions_ask_no_second_time() -> None:
    raw, request = waiting()
    for _ in range(20):
        raw.send(
            raw.record(HANDSHAKE, raw.message(CLIENT_KEY_EXCHANGE, b"\0\4evil", 2)), raw.change_cipher_spec()
        )
        raw.send(raw.sealed(HANDSHAKE, b"j" * 24))
    assert only(PskRequested, raw.server.events) == [request]
    raw.server.provide(request, PSK)
    assert raw.server.endpoint.session_count == 1
