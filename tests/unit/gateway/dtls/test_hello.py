"""`gateway.dtls.hello`: nothing is kept before the cookie came back, except bounded fragments."""

from __future__ import annotations

import os
from collections.abc import Sequence

import pytest

from gateway.address import Address
from gateway.dtls.counters import Counters
from gateway.dtls.fragments import fragment
from gateway.dtls.hello import HelloFront, VerifiedHello
from gateway.dtls.messages import (
    decode_client_hello,
    decode_fragments,
    decode_hello_verify_request,
    encode_message,
)
from gateway.dtls.record import Record, decode_records, encode_record
from gateway.dtls.settings import EndpointConfig
from tests.support.dtls_pair import ADDRESS, Entropy, Hello

OTHER = Address("192.0.2.2", 1)


def make_front(config: EndpointConfig | None = None) -> tuple[HelloFront, Counters]:
    counters = Counters()
    return HelloFront(config or EndpointConfig(), Entropy(), counters, 0.0), counters


def to_record(content: bytes, sequence: int = 0, version: int = 0xFEFD) -> Record:
    (record,) = decode_records(encode_record(22, sequence, content, version), 8)
    return record


def to_message(hello: Hello, cookie: bytes = b"", message_seq: int = 0) -> bytes:
    return encode_message(1, message_seq, hello.body(cookie))


def read_cookie(reply: object) -> bytes:
    assert isinstance(reply, bytes)
    (record,) = decode_records(reply, 8)
    (message,) = decode_fragments(record.fragment)
    return decode_hello_verify_request(message.body).cookie


def give_all(
    front: HelloFront, pieces: Sequence[bytes], now: float = 0.0
) -> list[VerifiedHello | bytes | None]:
    return [front.receive(to_record(piece), ADDRESS, now) for piece in pieces]


def test_first_hello_gets_a_cookie_under_its_own_numbers_and_no_more_bytes_than_it_had() -> None:
    front, counters = make_front()
    record = to_record(to_message(Hello(suites=(0xC0A8,)).without(23, 0xFF01)), sequence=77)
    reply = front.receive(record, ADDRESS, 0.0)
    assert isinstance(reply, bytes)
    (answer,) = decode_records(reply, 8)
    assert (answer.sequence, answer.epoch, answer.version) == (77, 0, 0xFEFF)
    assert decode_fragments(answer.fragment)[0].message_seq == 0
    assert len(read_cookie(reply)) <= 20
    assert len(reply) <= 13 + len(record.fragment)
    assert counters.hello_verify_requests == 1


def test_hello_with_its_cookie_is_verified() -> None:
    front, _ = make_front()
    cookie = read_cookie(front.receive(to_record(to_message(Hello())), ADDRESS, 0.0))
    message = to_message(Hello(), cookie, 1)
    verified = front.receive(to_record(message, sequence=5), ADDRESS, 1.0)
    assert isinstance(verified, VerifiedHello)
    assert (verified.message, verified.message_seq, verified.record_sequence) == (message, 1, 5)


@pytest.mark.parametrize("version", [0xFEFF, 0xFEFD])
def test_hello_may_come_in_a_record_of_either_version(version: int) -> None:
    front, _ = make_front()
    assert front.receive(to_record(to_message(Hello()), version=version), ADDRESS, 0.0)


def test_hello_in_a_record_of_another_version_or_with_an_absurd_number_is_dropped() -> None:
    front, counters = make_front()
    assert front.receive(to_record(to_message(Hello()), version=0x0303), ADDRESS, 0.0) is None
    assert front.receive(to_record(to_message(Hello()), sequence=1 << 32), ADDRESS, 0.0) is None
    assert (counters.bad_version, counters.bad_epoch) == (1, 1)


def test_cookie_outlives_one_rotation_of_the_secret_and_not_two() -> None:
    front, counters = make_front(EndpointConfig(cookie_secret_lifetime_s=60.0))
    cookie = read_cookie(front.receive(to_record(to_message(Hello())), ADDRESS, 0.0))
    again = to_record(to_message(Hello(), cookie, 1))
    assert isinstance(front.receive(again, ADDRESS, 61.0), VerifiedHello)
    assert isinstance(front.receive(again, ADDRESS, 122.0), bytes)
    assert counters.cookies_refused == 1


def test_cookie_of_another_address_gets_a_new_one() -> None:
    front, counters = make_front()
    cookie = read_cookie(front.receive(to_record(to_message(Hello())), OTHER, 0.0))
    assert isinstance(front.receive(to_record(to_message(Hello(), cookie)), ADDRESS, 0.0), bytes)
    assert counters.cookies_refused == 1


def test_hello_beside_another_message_in_its_record_is_dropped() -> None:
    front, counters = make_front()
    assert front.receive(to_record(to_message(Hello()) * 2), ADDRESS, 0.0) is None
    assert counters.hello_not_alone == 1


def test_unreadable_hellos_are_dropped() -> None:
    front, counters = make_front()
    message = to_message(Hello())
    cut_off_header = message[:7]
    too_short = encode_message(1, 0, Hello().body()[:38])
    assert front.receive(to_record(cut_off_header), ADDRESS, 0.0) is None
    assert front.receive(to_record(too_short), ADDRESS, 0.0) is None
    assert counters.hello_malformed == 2


def test_what_is_kept_of_a_verified_hello_is_what_decoding_sees() -> None:
    front, _ = make_front()
    hello = Hello(session_id=b"s" * 7).with_cid(b"cid")
    cookie = read_cookie(front.receive(to_record(to_message(hello)), ADDRESS, 0.0))
    verified = front.receive(to_record(to_message(hello, cookie, 1)), ADDRESS, 0.0)
    decoded = decode_client_hello(hello.body(cookie))
    assert isinstance(verified, VerifiedHello)
    assert verified[:3] == (decoded.random, decoded.session_id, decoded.compression_methods)


def test_fragmented_hello_is_joined_in_any_order_and_answered_once() -> None:
    front, _ = make_front()
    pieces = fragment(to_message(Hello()), 40)
    assert len(pieces) > 2
    replies = give_all(front, pieces[::-1])
    assert replies[:-1] == [None] * (len(pieces) - 1)
    cookie = read_cookie(replies[-1])
    replies = give_all(front, fragment(to_message(Hello(), cookie, 1), 40))
    assert isinstance(replies[-1], VerifiedHello)
    assert front._fragments.size_bytes == 0


def test_fragments_are_forgotten_after_their_time() -> None:
    front, counters = make_front(EndpointConfig(hello_fragments_s=5.0))
    first, *others = fragment(to_message(Hello()), 40)
    front.receive(to_record(first), ADDRESS, 0.0)
    assert set(give_all(front, others, 5.0)) == {None}
    assert counters.hello_fragments_dropped == 1


def test_fragments_of_all_share_one_buffer_and_the_oldest_goes() -> None:
    limit = 4_096
    front, counters = make_front(EndpointConfig(hello_fragments_bytes=limit))
    first, *others = fragment(to_message(Hello()), 60)
    front.receive(to_record(first), ADDRESS, 0.0)
    for port in range(1_000):
        front.receive(to_record(first), Address("203.0.113.9", port), 0.0)
        assert front._fragments.size_bytes <= limit
    assert set(give_all(front, others)) == {None}
    assert counters.hello_fragments_dropped > 900


def test_one_long_hello_in_pieces_cannot_grow_past_the_buffer() -> None:
    front, _ = make_front(EndpointConfig(hello_fragments_bytes=4_096))
    for piece in fragment(encode_message(1, 0, os.urandom(8_000)), 500):
        front.receive(to_record(piece), ADDRESS, 0.0)
        assert front._fragments.size_bytes <= 4_096


def test_fragment_that_announces_too_much_is_dropped() -> None:
    front, counters = make_front()
    piece = b"\1" + (1 << 23).to_bytes(3, "big") + bytes(5) + b"\0\0\1" + b"x"
    assert front.receive(to_record(piece), ADDRESS, 0.0) is None
    assert counters.hello_fragments_dropped == 1


def test_fragment_at_odds_with_the_stored_one_begins_anew() -> None:
    front, _ = make_front()
    strange = fragment(encode_message(1, 0, bytes(300)), 100)[0]
    front.receive(to_record(strange), ADDRESS, 0.0)
    replies = give_all(front, fragment(to_message(Hello()), 40))
    assert isinstance(replies[-1], bytes)
