"""Negative catalogue, C: the order of a handshake, and what its Finished must be.

Pieces of messages are in `test_fragments_and_order`, repetitions and late answers in
`test_repeated_flights`.
"""

from __future__ import annotations

from itertools import permutations

import pytest

from gateway.address import Address
from gateway.dtls import handshake as handshake_module
from gateway.dtls.alerts import Alert, AlertDescription, AlertLevel
from gateway.dtls.events import HandshakeFailed, HandshakeFailure, PskRequested, SessionEstablished
from gateway.dtls.messages import HandshakeType, encode_message
from gateway.dtls.record import encode_record
from gateway.dtls.settings import EndpointConfig
from tests.support.dtls_attack import Bystander, dropped
from tests.support.dtls_cases import HELLOS, assert_works, begun
from tests.support.dtls_pair import (
    ADDRESS,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    PSK,
    Hello,
    Pair,
    RawClient,
    Server,
    only,
)

FINISHED = int(HandshakeType.FINISHED)
NO_RENEGOTIATION = Alert(AlertLevel.WARNING, AlertDescription.NO_RENEGOTIATION)

STEPS = ("exchange", "change", "finished")
ORDERS = [order for count in (1, 2, 3) for order in permutations(STEPS, count)]


def changed(hello: Hello | None = None, server: Server | None = None) -> RawClient:
    """A client of which only the Finished is missing; keys derived."""
    raw = begun(hello, server)
    raw.send(raw.key_exchange(), raw.change_cipher_spec())
    raw.derive()
    return raw


# --- C11: a ChangeCipherSpec at the wrong time


def test_C11_a_change_before_the_key_exchange_is_not_remembered() -> None:
    raw = begun()
    with dropped(raw.server, unexpected_messages=1):
        raw.send(raw.change_cipher_spec())
    raw.send(raw.key_exchange(), raw.finished())
    assert raw.server.endpoint.session_count == 0
    raw.send(raw.change_cipher_spec())
    assert_works(raw)


@pytest.mark.parametrize("hello", HELLOS)
def test_C11_a_finished_before_the_change_waits_for_it(hello: Hello) -> None:
    raw = begun(hello)
    raw.send(raw.key_exchange())
    with dropped(raw.server):
        raw.send(raw.finished())
        raw.say(b"too early")
    raw.send(raw.change_cipher_spec())
    assert raw.server.received == []
    assert_works(raw)


def test_C11_several_changes_count_once() -> None:
    raw = begun()
    raw.send(raw.key_exchange(), *[raw.change_cipher_spec() for _ in range(20)], raw.finished())
    assert raw.server.count("unexpected_messages") == 19
    assert len(only(SessionEstablished, raw.server.events)) == 1
    assert_works(raw)


@pytest.mark.parametrize("hello", HELLOS)
def test_C11_changes_without_a_handshake_do_nothing(hello: Hello) -> None:
    raw = RawClient(hello=hello)
    with dropped(raw.server, unknown_peer=10):
        raw.send(*[raw.change_cipher_spec() for _ in range(10)])
    raw.connect()
    with dropped(raw.server, unknown_peer=10):
        raw.send(*[raw.change_cipher_spec() for _ in range(10)])
    assert_works(raw)


@pytest.mark.parametrize("hello", HELLOS)
def test_C11_a_change_inside_epoch_1_does_not_lead_to_epoch_2(hello: Hello) -> None:
    raw = RawClient(hello=hello)
    raw.connect()
    with dropped(raw.server, unexpected_records=1, bad_epoch=1):
        raw.send(raw.sealed(CHANGE_CIPHER_SPEC, b"\1"))
        raw.send(raw.sealed(APPLICATION_DATA, b"epoch 2", sequence=0, epoch=2))
    assert_works(raw)


def test_C11_a_client_takes_no_change_before_its_time() -> None:
    pair = Pair()
    pair.start()
    change = encode_record(CHANGE_CIPHER_SPEC, 0, b"\1")
    assert not pair.client.receive_datagram(change, pair.now)
    pair.to_client = lambda datagram: (change, datagram)
    pair.exchange()
    assert pair.client.is_established
    pair.say(b"as ever")
    assert pair.server.received == [b"as ever"]


# --- C12: a Finished without protection


@pytest.mark.parametrize("is_changed", [False, True], ids=["before-change", "after-change"])
def test_C12_a_finished_in_clear_is_dropped(is_changed: bool) -> None:
    raw = begun()
    raw.send(raw.key_exchange(), *([raw.change_cipher_spec()] if is_changed else []))
    finished = raw.finished_message()
    with dropped(raw.server, unexpected_messages=1):
        raw.send(raw.record(HANDSHAKE, finished))
    raw.send(*([] if is_changed else [raw.change_cipher_spec()]), raw.sealed(HANDSHAKE, finished))
    assert_works(raw)


def test_C12_a_client_takes_no_finished_in_clear() -> None:
    pair = Pair()
    lost: list[bytes] = []

    def lose_last_flight(datagram: bytes) -> tuple[bytes, ...]:
        if datagram[0] != CHANGE_CIPHER_SPEC:
            return (datagram,)
        lost.append(datagram)
        return ()

    pair.to_client = lose_last_flight
    pair.start()
    pair.exchange()
    finished = encode_message(FINISHED, 3, bytes(12))
    for records in (
        encode_record(HANDSHAKE, 9, finished),
        encode_record(CHANGE_CIPHER_SPEC, 10, b"\1") + encode_record(HANDSHAKE, 11, finished),
    ):
        assert not pair.client.receive_datagram(records, pair.now)
    assert not pair.client.is_established
    pair.client.receive_datagram(lost[0], pair.now)
    assert pair.client.is_established


# --- C13: a Finished that is wrong


@pytest.mark.parametrize("hello", HELLOS)
@pytest.mark.parametrize("data", [b"", bytes(11), bytes(12), bytes(13), bytes(36)], ids=len)
def test_C13_a_wrong_finished_fails_without_a_word(data: bytes, hello: Hello) -> None:
    raw = changed(hello)
    wrong = raw.message(FINISHED, data)
    (failure,) = only(HandshakeFailed, raw.send(raw.sealed(HANDSHAKE, wrong)))
    assert raw.replies == []
    assert failure.reason is HandshakeFailure.PROTOCOL_ERROR
    assert raw.server.count("handshakes_failed") == raw.server.count("malformed_messages") == 1
    assert raw.server.endpoint.session_count == raw.server.endpoint.handshake_count == 0
    with dropped(raw.server, **{"unknown_connection_id" if hello != Hello() else "unknown_peer": 2}):
        raw.send(raw.sealed(HANDSHAKE, wrong))
        raw.say(b"nobody")


def test_C13_the_right_finished_with_one_bit_changed_is_wrong() -> None:
    for bit in range(12 * 8):
        raw = changed()
        finished = bytearray(raw.finished_message())
        finished[12 + bit // 8] ^= 1 << bit % 8
        raw.send(raw.sealed(HANDSHAKE, bytes(finished)))
        assert raw.server.endpoint.session_count == raw.server.endpoint.handshake_count == 0
        assert raw.replies == []


@pytest.mark.parametrize("hello", HELLOS)
def test_C13_a_wrong_finished_leaves_the_session_at_the_address_alone(hello: Hello) -> None:
    established = RawClient(hello=hello)
    established.connect()
    raw = changed(Hello(random=b"n" * 32), established.server)
    raw.send(raw.sealed(HANDSHAKE, raw.message(FINISHED, bytes(12))))
    assert len(raw.server.failures) == 1
    assert_works(established)


def test_C13_a_fault_while_ours_is_computed_never_establishes(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = changed()
    finished = raw.finished()

    def fault(*_: object) -> bytes:
        raise MemoryError

    with monkeypatch.context() as patch:
        patch.setattr(handshake_module.keys, "verify_data", fault)
        with pytest.raises(MemoryError):
            raw.send(finished)
    assert raw.server.endpoint.session_count == 0
    raw.say(b"too early")
    raw.server.pass_time(raw.server.config.handshake_timeout_s)
    assert raw.server.endpoint.handshake_count == raw.server.endpoint.session_count == 0
    assert only(SessionEstablished, raw.server.events) == []
    assert raw.server.received == []


def test_C13_failed_handshakes_leave_the_endpoint_open_for_others() -> None:
    server = Server(EndpointConfig(max_handshakes=4))
    bystander = Bystander(server)
    for i in range(20):
        raw = RawClient(server, Hello(random=bytes((i,)) * 32), address=Address(ADDRESS.host, 50_000 + i))
        raw.begin()
        raw.send(raw.key_exchange(), raw.change_cipher_spec())
        raw.derive()
        raw.send(raw.sealed(HANDSHAKE, raw.message(FINISHED, bytes(12))))
    assert server.count("handshakes_failed") == 20
    assert server.count("handshakes_evicted") == 0
    last = RawClient(server)
    last.connect()
    assert_works(last, count=2)
    bystander.check()


# --- C14: what completes


@pytest.mark.parametrize("hello", HELLOS)
@pytest.mark.parametrize("is_joined", [False, True], ids=["apart", "joined"])
@pytest.mark.parametrize("order", ORDERS, ids="-".join)
def test_C14_nothing_completes_without_key_exchange_then_change_and_finished(
    order: tuple[str, ...], is_joined: bool, hello: Hello
) -> None:
    raw = begun(hello)
    records = {
        "exchange": raw.key_exchange(),
        "change": raw.change_cipher_spec(),
        "finished": raw.finished(),
    }
    flight = [records[step] for step in order]
    for datagram in [b"".join(flight)] if is_joined else flight:
        raw.send(datagram)
    is_complete = len(order) == 3 and order.index("exchange") < order.index("change")
    assert raw.server.endpoint.session_count == is_complete
    if is_complete:
        assert_works(raw)
    else:
        assert raw.replies == []
        raw.say(b"too early")
        raw.server.pass_time(200)
        assert raw.server.received == []
        assert raw.server.endpoint.session_count == raw.server.endpoint.handshake_count == 0


# --- C15: another hello in the middle


@pytest.mark.parametrize("other", [Hello(random=b"o" * 32), Hello(suites=(0x00A8,)), Hello(suites=(1, 2, 3))])
def test_C15_another_hello_without_cookie_does_not_disturb_the_handshake(other: Hello) -> None:
    raw = begun()
    intruder = RawClient(raw.server, other)
    intruder.get_cookie()
    assert raw.server.endpoint.handshake_count == 1
    assert raw.server.count("handshakes_restarted") == 0
    raw.finish()
    assert_works(raw)


def test_C15_another_hello_with_the_cookie_of_the_first_does_not_disturb_the_handshake() -> None:
    raw = begun()
    intruder = RawClient(raw.server, Hello(random=b"o" * 32))
    intruder.cookie = raw.cookie
    intruder.send(intruder.client_hello())
    assert raw.server.count("cookies_refused") == 1
    assert raw.server.count("handshakes_begun") == 1
    raw.finish()
    assert_works(raw)


@pytest.mark.parametrize("hello", HELLOS)
def test_C15_another_hello_with_its_cookie_begins_anew(hello: Hello) -> None:
    first = begun(hello, Server(is_answering=False))
    (old,) = only(PskRequested, first.send(first.key_exchange()))
    second = begun(Hello(random=b"o" * 32, suites=(0x00A8,)), first.server)
    server = first.server
    assert server.endpoint.handshake_count == 1
    assert server.count("handshakes_restarted") == 1
    first.derive()
    with dropped(server, late_keys=1):
        server.provide(old, PSK)
    server.is_answering = True
    second.finish()
    assert second.server_hello is not None
    assert second.server_hello.cipher_suite == 0x00A8
    assert_works(second)


def test_C15_a_hello_with_unusable_suites_does_not_end_the_handshake() -> None:
    raw = begun()
    intruder = RawClient(raw.server, Hello(random=b"o" * 32, suites=(1, 2, 3)))
    intruder.get_cookie()
    events = intruder.send(intruder.client_hello())
    assert [event.reason for event in only(HandshakeFailed, events)] == [HandshakeFailure.NO_COMMON_SUITE]
    assert raw.server.endpoint.handshake_count == 1
    raw.finish()
    assert_works(raw)


# --- C16, C17: handshake messages in an established session


@pytest.mark.parametrize("hello", HELLOS)
@pytest.mark.parametrize("message_type", [0, 2, 3, 4, 11, 12, 13, 14, 15, 16, 20, 99, 255])
def test_C16_a_handshake_message_after_the_handshake_is_dropped(message_type: int, hello: Hello) -> None:
    raw = RawClient(hello=hello)
    raw.connect()
    raw.say(b"confirmed")
    with dropped(raw.server, unexpected_messages=1):
        raw.send(raw.sealed(HANDSHAKE, raw.message(message_type, b"\0\3\0\0\0\1\0")))
    assert_works(raw)


@pytest.mark.parametrize("content", [b"", b"\1", b"\x0b\0\0\5\0\2\0\0\0\0\0\5ab"], ids=len)
def test_C16_a_handshake_record_that_cannot_be_read_is_dropped(content: bytes) -> None:
    raw = RawClient()
    raw.connect()
    with dropped(raw.server, malformed_messages=1):
        raw.send(raw.sealed(HANDSHAKE, content))
    assert_works(raw)


@pytest.mark.parametrize("hello", HELLOS)
@pytest.mark.parametrize("is_confirmed", [False, True])
def test_C17_renegotiation_is_refused_by_a_warning_and_data_goes_on(is_confirmed: bool, hello: Hello) -> None:
    raw = RawClient(hello=hello)
    session = raw.connect()
    if is_confirmed:
        raw.say(b"confirmed")
    for count in (1, 2, 3):
        message = raw.message(HandshakeType.CLIENT_HELLO, Hello(random=b"o" * 32).body(raw.cookie), count)
        assert raw.send(raw.sealed(HANDSHAKE, message)) == []
        assert raw.protected_alerts() == [NO_RENEGOTIATION]
        assert raw.server.count("renegotiations_refused") == count
        assert raw.server.endpoint.handshake_count == 0
    assert raw.server.sessions == [session]
    assert_works(raw)


def test_C17_a_client_refuses_renegotiation_by_a_warning() -> None:
    pair = Pair()
    session = pair.handshake()
    request = session.seal(HANDSHAKE, encode_message(HandshakeType.HELLO_REQUEST, 4, b""))
    assert not pair.client.receive_datagram(request, pair.now)
    pair.exchange()
    assert pair.client.is_established
    assert pair.server.count("alerts_ignored") == 1
    pair.say(b"as ever")
    assert pair.server.received == [b"as ever"]
