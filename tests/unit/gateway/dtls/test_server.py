"""`gateway.dtls.server`: one handshake, step by step."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.dtls.alerts import AlertDescription, encode_alert, fatal
from gateway.dtls.endpoint import EndpointConfig
from gateway.dtls.events import HandshakeFailed, HandshakeFailure, PskRequested, SessionEstablished
from gateway.dtls.fragments import fragment
from gateway.dtls.messages import HandshakeType, decode_fragments, encode_message
from gateway.dtls.record import HELD_RECORD_BYTES
from tests.support.dtls_pair import (
    ADDRESS,
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    IDENTITY,
    PSK,
    Hello,
    RawClient,
    Server,
    only,
)

CID = Hello().with_cid(b"peer")


def begun(config: EndpointConfig | None = None, hello: Hello | None = None, **options: object) -> RawClient:
    server = Server(config or EndpointConfig(), **options)  # type: ignore[arg-type]
    client = RawClient(server, hello)
    client.begin()
    return client


@pytest.mark.parametrize("suite", [0xC0A8, 0xC0A4, 0x00A8])
@pytest.mark.parametrize(
    "hello", [Hello(), CID, Hello().with_cid(b""), Hello().without(23), Hello().without(23, 0xFF01)]
)
def test_honest_client_gets_a_session(suite: int, hello: Hello) -> None:
    client = begun(hello=replace(hello, suites=(suite,)))
    client.finish()
    (session,) = client.server.sessions
    assert session.identity == IDENTITY
    assert len(session.cid) == (8 if 54 in hello.extensions else 0)
    (opened,) = client.open_replies()
    assert opened[0] == HANDSHAKE
    client.say(b"data")
    assert client.server.received == [b"data"]


def test_flight_4_is_one_datagram_that_goes_on_from_the_numbers_of_the_hello() -> None:
    client = RawClient(Server())
    client.get_cookie()
    client.sequence = 40
    client.begin()
    (datagram,) = client.replies
    assert [(record.epoch, record.sequence) for record in client.reply_records()] == [(0, 40), (0, 41)]
    messages = [decode_fragments(record.fragment)[0] for record in client.reply_records()]
    assert [message.message_type for message in messages] == [2, 14]
    assert [message.message_seq for message in messages] == [1, 2]
    assert len(datagram) < 1_200


def test_flight_4_goes_out_again_by_the_timer_and_in_small_datagrams_later() -> None:
    config = EndpointConfig(retransmit_initial_s=1.0, retransmit_factor=2.0, retransmit_count=4)
    client = begun(config)
    copies = []
    for wait in (1.0, 2.0, 4.0, 8.0):
        client.server.pass_time(wait - 0.01)
        assert client.server.take() == []
        client.server.pass_time(0.01)
        copies.append(len(client.server.take()))
    assert copies == [1, 1, 2, 2]
    client.server.pass_time(40.0)
    assert client.server.take() == []
    assert client.server.count("retransmissions") == 4


def test_repeated_hello_brings_flight_4_again_but_not_without_end() -> None:
    client = begun(EndpointConfig(retransmit_count=3))
    copies = 0
    for _ in range(10):
        client.message_seq = 1
        client.send(client.client_hello())
        copies += len(client.replies)
    assert 3 <= copies <= 6
    assert client.server.endpoint.handshake_count == 1


def test_flight_4_stops_when_the_answer_begins() -> None:
    client = begun()
    client.send(client.key_exchange())
    client.server.pass_time(50.0)
    assert client.server.take() == []


def test_no_session_before_both_key_change_and_finished() -> None:
    client = begun()
    exchange, change, finished = client.key_exchange(), client.change_cipher_spec(), client.finished()
    assert [type(event) for event in client.send(exchange)] == [PskRequested]
    assert client.send(change) == []
    assert [type(event) for event in client.send(finished)] == [SessionEstablished]


@pytest.mark.parametrize("order", [(0, 2, 1), (2, 0, 1)])
def test_finished_before_its_key_waits_for_it(order: tuple[int, ...]) -> None:
    client = begun()
    records = client.key_exchange(), client.change_cipher_spec(), client.finished()
    events = [event for number in order for event in client.send(records[number])]
    assert [event.session.identity for event in only(SessionEstablished, events)] == [IDENTITY]


def test_change_before_the_key_exchange_does_not_count() -> None:
    client = begun()
    change, exchange, finished = client.change_cipher_spec(), client.key_exchange(), client.finished()
    client.send(change)
    client.send(exchange)
    client.send(finished)
    assert client.server.sessions == []
    client.send(client.change_cipher_spec())
    assert len(client.server.sessions) == 1


def test_further_changes_do_not_count() -> None:
    client = begun()
    client.send(client.key_exchange(), client.change_cipher_spec(), client.change_cipher_spec())
    assert client.server.count("unexpected_messages") == 1
    client.send(client.finished())
    assert len(client.server.sessions) == 1


@pytest.mark.parametrize("content", [b"", b"\0", b"\1\1"])
def test_change_must_be_one_byte_of_one(content: bytes) -> None:
    client = begun()
    client.send(client.key_exchange(), client.change_cipher_spec(content), client.finished())
    assert client.server.count("malformed_messages") == 1
    assert client.server.sessions == []


def test_key_comes_late_and_what_came_meanwhile_is_not_lost() -> None:
    client = begun(is_answering=False)
    (request,) = only(PskRequested, client.finish())
    assert (request.identity, request.address) == (IDENTITY, ADDRESS)
    client.server.pass_time(30.0)
    (established,) = only(SessionEstablished, client.server.provide(request, PSK))
    assert established.session.identity == IDENTITY


def test_second_answer_and_answer_to_nothing_are_ignored() -> None:
    client = begun(is_answering=False)
    (request,) = only(PskRequested, client.send(client.key_exchange()))
    client.server.provide(request, PSK)
    assert client.server.provide(request, b"another") == []
    assert client.server.provide(request._replace(handshake=99), PSK) == []
    assert client.server.count("late_keys") == 2
    client.send(client.change_cipher_spec(), client.finished())
    assert len(client.server.sessions) == 1


def test_late_answer_does_not_revive_a_dead_handshake() -> None:
    client = begun(is_answering=False)
    (request,) = only(PskRequested, client.finish())
    assert client.server.pass_time(60.0) == [HandshakeFailed(ADDRESS, IDENTITY, HandshakeFailure.TIMEOUT)]
    assert client.server.provide(request, PSK) == []
    assert client.server.endpoint.handshake_count == 0


@pytest.mark.parametrize(
    ("psks", "reason"),
    [
        ({}, HandshakeFailure.UNKNOWN_IDENTITY),
        ({IDENTITY: b""}, HandshakeFailure.UNKNOWN_IDENTITY),
        ({IDENTITY: b"another key, wrong"}, HandshakeFailure.WRONG_KEY),
    ],
)
def test_unknown_identity_and_wrong_key_are_both_answered_by_silence(
    psks: dict[bytes, bytes], reason: HandshakeFailure
) -> None:
    client = begun(psks=psks)
    client.finish()
    assert client.replies == []
    assert client.server.failures == [HandshakeFailed(ADDRESS, IDENTITY, reason)]
    assert client.server.endpoint.handshake_count == 0
    client.server.pass_time(120.0)
    assert client.server.take() == []


@pytest.mark.parametrize(
    ("psks", "reason"),
    [({}, HandshakeFailure.UNKNOWN_IDENTITY), ({IDENTITY: b"wrong key"}, HandshakeFailure.WRONG_KEY)],
)
def test_wrong_finished_in_a_datagram_of_its_own_fails_a_little_later(
    psks: dict[bytes, bytes], reason: HandshakeFailure
) -> None:
    client = begun(psks=psks)
    client.send(client.key_exchange())
    client.send(client.change_cipher_spec())
    assert client.send(client.finished()) == []
    assert client.send(client.finished()) == []
    assert client.server.pass_time(5.0) == [HandshakeFailed(ADDRESS, IDENTITY, reason)]


def test_doubt_about_a_key_brings_the_timer_forward() -> None:
    client = begun(EndpointConfig(retransmit_count=0), psks={})
    client.send(client.key_exchange())
    assert client.server.endpoint.get_timer() == client.server.now + 60.0
    client.send(client.change_cipher_spec())
    client.send(client.finished())
    assert client.server.endpoint.get_timer() == client.server.now + 5.0


@pytest.mark.parametrize("when", ["before the key", "after the key", "after the change"])
def test_strangers_finished_does_not_end_the_handshake(when: str) -> None:
    client = begun()
    stray = bytes.fromhex("16fefd00010000000000050028") + bytes(40)
    records = client.key_exchange(), client.change_cipher_spec(), client.finished()
    if when == "before the key":
        client.send(stray)
    client.send(records[0])
    if when == "after the key":
        client.send(stray)
    client.send(records[1])
    if when == "after the change":
        client.send(stray)
    client.send(records[2])
    assert len(client.server.sessions) == 1
    assert client.server.count("handshake_bad_records") == 1


def test_finished_that_opens_and_is_wrong_fails_in_silence() -> None:
    client = begun()
    client.send(client.key_exchange(), client.change_cipher_spec())
    client.derive()
    client.send(client.sealed(HANDSHAKE, client.message(HandshakeType.FINISHED, b"v" * 12)))
    assert client.replies == []
    assert client.server.failures == [HandshakeFailed(ADDRESS, IDENTITY, HandshakeFailure.PROTOCOL_ERROR)]


def test_finished_in_clear_is_dropped() -> None:
    client = begun()
    client.send(client.key_exchange(), client.change_cipher_spec())
    message = client.finished_message()
    client.send(client.record(HANDSHAKE, message))
    assert client.server.sessions == []
    client.send(client.sealed(HANDSHAKE, message))
    assert len(client.server.sessions) == 1


def test_finished_may_come_in_pieces_under_protection_only() -> None:
    client = begun()
    client.send(client.key_exchange(), client.change_cipher_spec())
    first, second = fragment(client.finished_message(), 18)
    client.send(client.record(HANDSHAKE, first))
    client.send(client.sealed(HANDSHAKE, second))
    assert client.server.sessions == []
    client.send(client.sealed(HANDSHAKE, first))
    assert len(client.server.sessions) == 1


def test_key_exchange_may_come_in_pieces_in_any_order() -> None:
    client = begun()
    body = client.message(HandshakeType.CLIENT_KEY_EXCHANGE, len(IDENTITY).to_bytes(2, "big") + IDENTITY)
    client.note(body)
    for piece in fragment(body, 20)[::-1]:
        client.send(client.record(HANDSHAKE, piece))
    client.send(client.change_cipher_spec(), client.finished())
    assert len(client.server.sessions) == 1


def test_key_exchange_that_is_too_long_or_too_far_ahead_is_refused() -> None:
    client = begun(EndpointConfig(handshake_buffer_bytes=1_024))
    long = client.message(HandshakeType.CLIENT_KEY_EXCHANGE, b"\xff\xff" + bytes(65_535))
    client.send(client.record(HANDSHAKE, fragment(long, 1_000)[0]))
    client.send(client.record(HANDSHAKE, client.message(HandshakeType.CLIENT_KEY_EXCHANGE, b"\0\0", 5_000)))
    assert client.server.count("handshake_buffer_full") == 2
    client.finish()
    assert len(client.server.sessions) == 1


def test_key_exchange_that_cannot_be_read_ends_in_an_alert() -> None:
    client = begun()
    client.send(client.record(HANDSHAKE, client.message(HandshakeType.CLIENT_KEY_EXCHANGE, b"\0\5abc")))
    assert client.clear_alerts() == [fatal(AlertDescription.DECODE_ERROR)]
    assert client.server.failures == [HandshakeFailed(ADDRESS, None, HandshakeFailure.PROTOCOL_ERROR)]


def test_messages_out_of_turn_are_dropped_and_change_nothing() -> None:
    client = begun()
    for message_type in (HandshakeType.SERVER_HELLO, HandshakeType.CERTIFICATE, HandshakeType.FINISHED):
        client.send(client.record(HANDSHAKE, client.message(message_type, b"")))
    assert client.server.count("unexpected_messages") == 3
    client.send(client.record(HANDSHAKE, b""))
    client.send(client.record(HANDSHAKE, b"\x10\0"))
    assert client.server.count("malformed_messages") == 2
    assert client.replies == []
    client.finish()
    assert len(client.server.sessions) == 1


def test_records_of_another_version_and_data_in_clear_are_dropped() -> None:
    client = begun()
    exchange = client.key_exchange()
    client.send(exchange[:1] + b"\xfe\xff" + exchange[3:])
    client.send(client.record(APPLICATION_DATA, b"data"))
    assert (client.server.count("bad_version"), client.server.count("clear_application_data")) == (1, 1)
    client.send(exchange, client.change_cipher_spec(), client.finished())
    assert len(client.server.sessions) == 1


def test_data_before_finished_is_never_delivered() -> None:
    client = begun()
    client.send(client.key_exchange(), client.change_cipher_spec())
    client.derive()
    client.say(b"too soon")
    client.send(client.finished())
    assert len(client.server.sessions) == 1
    assert client.server.received == []
    assert client.server.count("unexpected_records") == 1


def test_data_held_behind_the_finished_is_not_delivered_either() -> None:
    client = begun(is_answering=False)
    records = client.key_exchange(), client.change_cipher_spec(), client.finished()
    events = client.send(*records, client.sealed(APPLICATION_DATA, b"too soon"))
    client.server.provide(only(PskRequested, events)[0], PSK)
    assert len(client.server.sessions) == 1
    assert client.server.received == []


def test_what_is_held_before_the_key_is_bounded() -> None:
    client = begun(EndpointConfig(handshake_buffer_bytes=1_024), is_answering=False)
    (request,) = only(PskRequested, client.send(client.key_exchange(), client.change_cipher_spec()))
    stray = bytes.fromhex("16fefd00010000000000050001") + bytes(1)
    for _ in range(100):
        client.send(stray)
    assert client.server.count("handshake_buffer_full") == 101 - 1_024 // (1 + HELD_RECORD_BYTES)
    client.server.provide(request, PSK)
    client.send(client.finished())
    assert len(client.server.sessions) == 1


def test_one_change_is_held_and_no_more() -> None:
    client = begun(is_answering=False)
    changes = [client.change_cipher_spec() for _ in range(100)]
    (request,) = only(PskRequested, client.send(client.key_exchange(), *changes, client.finished()))
    assert client.server.count("unexpected_messages") == 99
    client.server.provide(request, PSK)
    assert len(client.server.sessions) == 1


def test_repeated_record_is_opened_once() -> None:
    client = begun()
    client.send(client.key_exchange(), client.change_cipher_spec())
    client.derive()
    warning = client.sealed(ALERT, b"\1\x5a")
    client.send(warning)
    client.send(warning)
    assert (client.server.count("alerts_ignored"), client.server.count("replayed_records")) == (1, 1)


@pytest.mark.parametrize("alert", [fatal(AlertDescription.HANDSHAKE_FAILURE), b"\1\0"])
def test_fatal_alert_and_close_notify_end_the_handshake_unanswered(alert: object) -> None:
    client = begun()
    content = alert if isinstance(alert, bytes) else encode_alert(alert)  # type: ignore[arg-type]
    client.send(client.record(ALERT, content))
    assert client.replies == []
    assert client.server.failures == [HandshakeFailed(ADDRESS, None, HandshakeFailure.PEER_ALERT)]


def test_warnings_and_broken_alerts_do_not() -> None:
    client = begun()
    client.send(client.record(ALERT, b"\1\x5a"))
    client.send(client.record(ALERT, b"\2"))
    assert client.server.count("alerts_ignored") == 2
    client.finish()
    assert len(client.server.sessions) == 1


def test_alert_held_until_the_key_comes_ends_what_stands_behind_it() -> None:
    client = begun(is_answering=False)
    exchange, change = client.key_exchange(), client.change_cipher_spec()
    client.derive()
    alert = client.sealed(ALERT, encode_alert(fatal(AlertDescription.INTERNAL_ERROR)))
    (request,) = only(PskRequested, client.send(exchange, change, alert, client.finished()))
    client.server.provide(request, PSK)
    assert client.server.failures[0].reason is HandshakeFailure.PEER_ALERT
    assert client.server.sessions == []


def test_handshake_times_out_since_its_last_accepted_message() -> None:
    client = begun(EndpointConfig(handshake_timeout_s=60.0))
    client.server.pass_time(50.0)
    client.send(client.key_exchange())
    client.server.pass_time(59.0)
    assert client.server.failures == []
    client.server.pass_time(1.0)
    assert client.server.failures == [HandshakeFailed(ADDRESS, IDENTITY, HandshakeFailure.TIMEOUT)]


def test_small_datagrams_stay_small_to_the_end() -> None:
    client = begun(EndpointConfig(retransmit_initial_s=1.0, retransmit_count=2))
    client.server.pass_time(5.0)
    client.server.take()
    client.finish()
    assert len(client.replies) == 1
    assert len(client.server.sessions) == 1


def test_message_seq_of_both_sides_goes_on_from_the_hello() -> None:
    client = RawClient(Server())
    client.get_cookie()
    client.message_seq = 3
    client.begin()
    client.finish()
    (finished,) = client.open_replies()
    assert decode_fragments(finished[1])[0].message_seq == 5


def test_hello_request_to_the_server_is_dropped() -> None:
    client = begun()
    client.send(client.record(HANDSHAKE, encode_message(HandshakeType.HELLO_REQUEST, 2, b"")))
    assert client.replies == []
    assert client.server.count("unexpected_messages") == 1


def test_change_alone_is_nothing_to_a_server_without_handshake() -> None:
    client = RawClient(Server())
    client.send(client.record(CHANGE_CIPHER_SPEC, b"\1"))
    assert client.replies == []
    assert client.server.count("unknown_peer") == 1
