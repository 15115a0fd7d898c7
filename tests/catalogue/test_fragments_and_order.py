"""Negative catalogue, C: handshake messages in pieces, too early, or across the change of keys.

What the order of whole messages may not do is in `test_handshake_order`.
"""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from gateway.address import Address
from gateway.dtls.events import PskRequested, SessionEstablished
from gateway.dtls.fragments import MAX_PIECES, fragment
from gateway.dtls.messages import HandshakeType, encode_psk_client_key_exchange
from gateway.dtls.record import HELD_RECORD_BYTES, encode_record
from gateway.dtls.settings import ClientConfig
from tests.support.dtls_attack import dropped
from tests.support.dtls_cases import HELLOS, assert_works, begun
from tests.support.dtls_pair import HANDSHAKE, IDENTITY, PSK, TLS12_CID, Hello, Pair, RawClient, Server, only

CLIENT_HELLO = int(HandshakeType.CLIENT_HELLO)
CERTIFICATE = int(HandshakeType.CERTIFICATE)
CLIENT_KEY_EXCHANGE = int(HandshakeType.CLIENT_KEY_EXCHANGE)
FINISHED = int(HandshakeType.FINISHED)

EXCHANGE = encode_psk_client_key_exchange(IDENTITY)
HUGE = (1 << 24) - 1


def piece(message_type: int, length: int, message_seq: int, offset: int, body: bytes) -> bytes:
    """A handshake fragment that says what it is told to say."""
    numbers = length.to_bytes(3, "big") + message_seq.to_bytes(2, "big") + offset.to_bytes(3, "big")
    return bytes((message_type,)) + numbers + len(body).to_bytes(3, "big") + body


def exchange_in_pieces(raw: RawClient, size_bytes: int) -> list[bytes]:
    """The fragments of the ClientKeyExchange, which is noted."""
    return fragment(raw.note(raw.message(CLIENT_KEY_EXCHANGE, EXCHANGE)), 12 + size_bytes)


def protected_junk(raw: RawClient, number: int) -> bytes:
    """A record of epoch 1 that nobody could open, as long as a Finished."""
    assert raw.server_hello is not None
    cid = raw.server_hello.connection_id or b""
    content_type = bytes((TLS12_CID if cid else HANDSHAKE,))
    return content_type + b"\xfe\xfd\0\1" + number.to_bytes(6, "big") + cid + b"\0\x28" + b"j" * 40


@contextmanager
def no_growth(limit_bytes: int) -> Iterator[None]:
    """What happens inside takes no more than so much memory, not even for a moment."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        tracemalloc.reset_peak()
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak - before < limit_bytes


# --- C1: pieces of nothing


def test_C1_a_hundred_thousand_pieces_without_content_leave_nothing() -> None:
    raw = begun()
    empty = piece(CLIENT_KEY_EXCHANGE, len(EXCHANGE), raw.message_seq, 0, b"")
    datagrams = [raw.record(HANDSHAKE, empty * 250) for _ in range(400)]
    with dropped(raw.server), no_growth(256 * 1024):
        for datagram in datagrams:
            raw.send(datagram)
    raw.finish()
    assert_works(raw)


def test_C1_pieces_of_a_hello_without_content_are_bounded_over_all_strangers() -> None:
    server = Server()
    datagram = encode_record(HANDSHAKE, 0, piece(CLIENT_HELLO, 100, 0, 0, b""))
    strangers = [Address(f"198.51.{i // 250}.{i % 250}", 40_000) for i in range(2_000)]
    kept = server.config.hello_fragments_bytes // 512
    with dropped(server, hello_fragments_dropped=2_000 - kept), no_growth(512 * 1024):
        for stranger in strangers:
            server.give(datagram, stranger)
    raw = begun(server=server)
    raw.finish()
    assert_works(raw)


def test_C1_pieces_of_a_hello_without_content_do_not_stop_the_hello() -> None:
    server = Server()
    datagram = encode_record(HANDSHAKE, 0, piece(CLIENT_HELLO, 100, 0, 0, b""))
    with dropped(server), no_growth(256 * 1024):
        for _ in range(10_000):
            server.give(datagram)
    raw = begun(server=server)
    raw.finish()
    assert_works(raw)


# --- C2: announced sizes


def test_C2_an_announced_size_takes_no_memory_in_a_handshake() -> None:
    raw = begun()
    datagram = raw.record(HANDSHAKE, piece(CLIENT_KEY_EXCHANGE, HUGE, raw.message_seq, 5, b"x"))
    with dropped(raw.server, handshake_buffer_full=100), no_growth(256 * 1024):
        for _ in range(100):
            raw.send(datagram)
    raw.finish()
    assert_works(raw)


def test_C2_an_announced_size_takes_no_memory_before_the_cookie() -> None:
    server = Server()
    datagram = encode_record(HANDSHAKE, 0, piece(CLIENT_HELLO, HUGE, 0, 5, b"x"))
    with dropped(server, hello_fragments_dropped=100), no_growth(256 * 1024):
        for _ in range(100):
            server.give(datagram)


def test_C2_an_announced_size_takes_no_memory_in_a_client() -> None:
    pair = Pair()
    pair.start()
    datagram = encode_record(HANDSHAKE, 0, piece(HandshakeType.SERVER_HELLO, HUGE, 0, 5, b"x"))
    with no_growth(256 * 1024):
        for _ in range(100):
            assert not pair.client.receive_datagram(datagram, pair.now)
    pair.exchange()
    assert pair.client.is_established


# --- C3: pieces at odds about their message


@pytest.mark.parametrize("length", [0, 1, 40, 3_000, HUGE])
def test_C3_a_piece_that_announces_another_length_is_refused(length: int) -> None:
    raw = begun()
    first, second = exchange_in_pieces(raw, 20)
    other = piece(CLIENT_KEY_EXCHANGE, length, raw.message_seq - 1, 0, b"\0" * min(length, 1))
    raw.send(raw.record(HANDSHAKE, first))
    with dropped(raw.server, handshake_buffer_full=1):
        raw.send(raw.record(HANDSHAKE, other))
    (request,) = only(PskRequested, raw.send(raw.record(HANDSHAKE, second)))
    assert request.identity == IDENTITY
    raw.send(raw.change_cipher_spec(), raw.finished())
    assert_works(raw)


@pytest.mark.parametrize("message_type", [0, 2, CERTIFICATE, FINISHED, 99, 255])
def test_C3_a_piece_that_announces_another_type_is_refused(message_type: int) -> None:
    raw = begun()
    first, second = exchange_in_pieces(raw, 20)
    raw.send(raw.record(HANDSHAKE, first))
    with dropped(raw.server, unexpected_messages=1):
        raw.send(raw.record(HANDSHAKE, bytes((message_type,)) + second[1:]))
    raw.send(raw.record(HANDSHAKE, second))
    raw.send(raw.change_cipher_spec(), raw.finished())
    assert_works(raw)


def test_C3_a_hello_whose_pieces_disagree_is_not_put_together() -> None:
    raw = RawClient()
    message = raw.message(CLIENT_HELLO, raw.hello.body())
    first, second = fragment(message, 12 + 40)
    longer = second[:3] + bytes((second[3] + 1,)) + second[4:]
    with dropped(raw.server):
        raw.send(raw.record(HANDSHAKE, first))
        raw.send(raw.record(HANDSHAKE, longer))
        raw.send(raw.record(HANDSHAKE, first))
        raw.send(raw.record(HANDSHAKE, second[:5] + b"\7" + second[6:]))
    raw.connect()
    assert_works(raw)


# --- C4: pieces at odds about content and bounds


@pytest.mark.parametrize(
    ("offset", "length"), [(1, 26), (26, 1), (27, 1), (HUGE, 26), (HUGE, HUGE), (20, 7), (0, 27)]
)
def test_C4_a_piece_beyond_its_message_is_malformed(offset: int, length: int) -> None:
    raw = begun()
    header = piece(CLIENT_KEY_EXCHANGE, len(EXCHANGE), raw.message_seq, offset, b"")[:9]
    with dropped(raw.server, malformed_messages=1):
        raw.send(raw.record(HANDSHAKE, header + length.to_bytes(3, "big") + b"x" * min(length, 100)))
    raw.finish()
    assert_works(raw)


def test_C4_an_overlap_with_other_content_is_refused_and_the_first_come_stays() -> None:
    raw = begun()
    pieces = exchange_in_pieces(raw, 8)
    raw.send(raw.record(HANDSHAKE, pieces[0]))
    with dropped(raw.server, handshake_buffer_full=2):
        raw.send(raw.record(HANDSHAKE, pieces[0][:-1] + b"?"))
        lie = piece(CLIENT_KEY_EXCHANGE, len(EXCHANGE), raw.message_seq - 1, 4, b"????????")
        raw.send(raw.record(HANDSHAKE, lie))
    events = [event for each in pieces[1:] for event in raw.send(raw.record(HANDSHAKE, each))]
    assert [request.identity for request in only(PskRequested, events)] == [IDENTITY]
    raw.send(raw.change_cipher_spec(), raw.finished())
    assert_works(raw)


def test_C4_pieces_in_reverse_twice_and_overlapping_make_one_message() -> None:
    raw = begun()
    message_seq = raw.message_seq
    raw.note(raw.message(CLIENT_KEY_EXCHANGE, EXCHANGE))
    events = []
    for start, end in [(20, 26), (20, 26), (10, 22), (9, 12), (0, 9), (0, 3)]:
        part = piece(CLIENT_KEY_EXCHANGE, len(EXCHANGE), message_seq, start, EXCHANGE[start:end])
        events += raw.send(raw.record(HANDSHAKE, part))
    assert len(only(PskRequested, events)) == 1
    raw.send(raw.change_cipher_spec(), raw.finished())
    assert_works(raw)


def test_C4_pieces_with_gaps_between_them_are_bounded() -> None:
    raw = begun()
    offsets = range(0, 4_000, 2)
    with dropped(raw.server, handshake_buffer_full=len(offsets) - MAX_PIECES), no_growth(256 * 1024):
        for offset in offsets:
            part = piece(CLIENT_KEY_EXCHANGE, 4_000, raw.message_seq, offset, b"x")
            raw.send(encode_record(HANDSHAKE, 9, part))


# --- C5: messages of the far future


@pytest.mark.parametrize("ahead", [1, 2, 64, 5_000, 65_533])
def test_C5_a_message_of_the_future_is_not_stored(ahead: int) -> None:
    raw = begun()
    message = raw.message(CLIENT_KEY_EXCHANGE, b"\0\4evil", raw.message_seq + ahead)
    with dropped(raw.server, handshake_buffer_full=200), no_growth(256 * 1024):
        for _ in range(200):
            raw.send(raw.record(HANDSHAKE, message))
    raw.finish()
    assert_works(raw)


def test_C5_thousands_of_messages_of_the_future_are_not_stored() -> None:
    raw = begun()
    numbers = range(raw.message_seq + 1, 65_536, 7)
    with dropped(raw.server, handshake_buffer_full=len(numbers)), no_growth(256 * 1024):
        for message_seq in numbers:
            raw.send(raw.record(HANDSHAKE, raw.message(CLIENT_KEY_EXCHANGE, b"\0\4evil", message_seq)))
    raw.finish()
    assert_works(raw)


def test_C5_a_client_stores_few_messages_ahead() -> None:
    pair = Pair()
    pair.start()
    with no_growth(256 * 1024):
        for message_seq in range(1, 20_000):
            message = piece(HandshakeType.SERVER_KEY_EXCHANGE, 1_000, message_seq, 500, b"x" * 300)
            assert not pair.client.receive_datagram(encode_record(HANDSHAKE, 0, message), pair.now)
    assert len(pair.client.datagrams_to_send()) == 1, "its hello"


# --- C6: records before their key


@pytest.mark.parametrize("hello", HELLOS)
def test_C6_records_before_the_key_are_held_up_to_a_bound(hello: Hello) -> None:
    raw = begun(hello)
    junk = [protected_junk(raw, number) for number in range(3_000)]
    held = raw.server.config.handshake_buffer_bytes // (40 + HELD_RECORD_BYTES)
    with dropped(raw.server, handshake_buffer_full=3_000 - held), no_growth(256 * 1024):
        for datagram in junk:
            raw.send(datagram)
    raw.server.pass_time(60)
    assert raw.server.endpoint.handshake_count == 0


@pytest.mark.parametrize("hello", HELLOS)
def test_C6_a_full_buffer_costs_a_client_no_more_than_a_repetition(hello: Hello) -> None:
    raw = begun(hello, Server(is_answering=False))
    for number in range(200):
        raw.send(protected_junk(raw, number))
    exchange, finished = raw.key_exchange(), raw.finished_message()
    (request,) = only(PskRequested, raw.send(exchange))
    raw.send(raw.change_cipher_spec(), raw.sealed(HANDSHAKE, finished, sequence=1_000))
    raw.server.provide(request, PSK)
    raw.send(exchange, raw.change_cipher_spec(), raw.sealed(HANDSHAKE, finished, sequence=1_001))
    raw.protected_sequence = 1_002
    assert_works(raw)


@pytest.mark.parametrize("epoch", [2, 3, 0x7FFF, 0xFFFF])
def test_C6_records_of_later_epochs_are_never_held(epoch: int) -> None:
    raw = begun()
    junk = protected_junk(raw, 0)
    datagram = junk[:3] + epoch.to_bytes(2, "big") + junk[5:]
    with dropped(raw.server, bad_epoch=500), no_growth(32 * 1024):
        for _ in range(500):
            raw.send(datagram)
    raw.finish()
    assert_works(raw)


def test_C6_records_of_epoch_1_from_nobody_are_never_held() -> None:
    server = Server()
    with dropped(server, unknown_peer=500), no_growth(32 * 1024):
        for _ in range(500):
            server.give(bytes((HANDSHAKE,)) + b"\xfe\xfd\0\1" + bytes(6) + b"\0\x40" + b"j" * 64)


def test_C6_a_client_holds_few_records() -> None:
    pair = Pair(ClientConfig(IDENTITY, PSK, cid=None))
    pair.start()
    start = bytes((HANDSHAKE,)) + b"\xfe\xfd\0\1"
    with no_growth(256 * 1024):
        for number in range(500):
            junk = start + number.to_bytes(6, "big") + b"\x04\0" + b"j" * 1_024
            assert not pair.client.receive_datagram(junk, pair.now)
    pair.exchange()
    assert pair.client.is_established


# --- C7: across the change of keys


@pytest.mark.parametrize("hello", HELLOS)
def test_C7_a_key_exchange_that_crosses_the_change_of_keys_is_not_put_together(hello: Hello) -> None:
    raw = begun(hello)
    first, second = exchange_in_pieces(raw, 20)
    raw.derive()
    raw.send(raw.record(HANDSHAKE, first))
    raw.send(raw.change_cipher_spec(), raw.sealed(HANDSHAKE, second), raw.finished())
    assert only(PskRequested, raw.server.events) == []
    assert raw.server.endpoint.session_count == 0


def test_C7_a_finished_that_crosses_the_change_of_keys_is_not_put_together() -> None:
    raw = begun()
    raw.send(raw.key_exchange())
    first, second = fragment(raw.finished_message(), 12 + 6)
    with dropped(raw.server, unexpected_messages=1):
        raw.send(raw.record(HANDSHAKE, first), raw.change_cipher_spec(), raw.sealed(HANDSHAKE, second))
    raw.send(raw.sealed(HANDSHAKE, first))
    assert_works(raw)


def test_C7_exchange_and_finished_in_one_clear_record_do_not_complete() -> None:
    raw = begun()
    exchange = raw.note(raw.message(CLIENT_KEY_EXCHANGE, EXCHANGE))
    finished = raw.finished_message()
    raw.send(raw.record(HANDSHAKE, exchange + finished), raw.change_cipher_spec())
    assert raw.server.endpoint.session_count == 0
    assert raw.server.count("unexpected_messages") == 1
    raw.send(raw.sealed(HANDSHAKE, finished))
    assert_works(raw)


def test_C7_what_follows_the_finished_in_its_record_is_dropped() -> None:
    raw = begun()
    raw.send(raw.key_exchange(), raw.change_cipher_spec())
    finished = raw.finished_message()
    behind = raw.message(CLIENT_KEY_EXCHANGE, b"\0\4evil") + raw.message(CERTIFICATE, b"\0\0\0")
    events = raw.send(raw.sealed(HANDSHAKE, finished + behind))
    assert len(only(SessionEstablished, events)) == 1
    assert raw.server.count("unexpected_messages") == 2
    assert_works(raw)


def test_C7_a_clear_handshake_message_after_the_change_of_keys_is_dropped() -> None:
    raw = begun()
    raw.send(raw.key_exchange(), raw.change_cipher_spec())
    with dropped(raw.server, unexpected_messages=1):
        raw.send(raw.record(HANDSHAKE, raw.message(CLIENT_KEY_EXCHANGE, b"\0\4evil")))
    raw.send(raw.finished())
    assert_works(raw)
