"""`gateway.dtls.flight`: packing, numbering, repeating."""

from __future__ import annotations

import os

import pytest

from gateway.dtls.flight import (
    CHANGE_CIPHER_SPEC,
    SMALL_DATAGRAM_BYTES,
    RecordWriter,
    Retransmission,
    handshake_message,
    pack,
)
from gateway.dtls.messages import decode_fragments, encode_message
from gateway.dtls.record import HEADER_BYTES, Sealer, decode_records
from gateway.dtls.settings import RetransmitSettings
from gateway.dtls.suites import SUITES

FINISHED = encode_message(20, 3, b"v" * 12)


def make_writer(peer_cid: bytes = b"", first: int = 0) -> RecordWriter:
    writer = RecordWriter(first)
    writer.protect_with(Sealer(SUITES[0xC0A8], b"k" * 16, b"i" * 4, peer_cid))
    return writer


def test_a_flight_that_fits_is_one_datagram_with_a_record_for_each_message() -> None:
    messages = [
        handshake_message(encode_message(2, 1, b"a" * 50)),
        handshake_message(encode_message(14, 2, b"")),
    ]
    (datagram,) = pack(messages, RecordWriter(7), 1200, is_small=False)
    records = decode_records(datagram, 0)
    assert [record.sequence for record in records] == [7, 8]
    assert [decode_fragments(record.fragment)[0].message_type for record in records] == [2, 14]


def test_a_flight_that_does_not_fit_is_split_between_messages() -> None:
    messages = [handshake_message(encode_message(2, 1, b"a" * 100)) for _ in range(3)]
    datagrams = pack(messages, RecordWriter(), 260, is_small=False)
    assert [len(decode_records(datagram, 0)) for datagram in datagrams] == [2, 1]
    assert all(len(datagram) <= 260 for datagram in datagrams)


def test_a_message_longer_than_the_mtu_goes_in_fragments() -> None:
    body = os.urandom(700)
    datagrams = pack([handshake_message(encode_message(1, 0, body))], RecordWriter(), 300, is_small=False)
    assert all(len(datagram) <= 300 for datagram in datagrams)
    fragments = [decode_fragments(decode_records(datagram, 0)[0].fragment)[0] for datagram in datagrams]
    assert b"".join(fragment.body for fragment in fragments) == body
    assert len({fragment.message_seq for fragment in fragments}) == 1


def test_small_datagrams_hold_one_message_each_but_the_finished_stays_with_its_change() -> None:
    messages = [
        handshake_message(encode_message(16, 2, b"a")),
        CHANGE_CIPHER_SPEC,
        handshake_message(FINISHED, 1),
    ]
    writer = make_writer()
    assert len(pack(messages, writer, 1200, is_small=False)) == 1
    datagrams = pack(messages, writer, 1200, is_small=True)
    assert [[record.content_type for record in decode_records(each, 0)] for each in datagrams] == [
        [22],
        [20, 22],
    ]


def test_small_datagrams_are_at_most_512_bytes() -> None:
    message = handshake_message(encode_message(1, 0, bytes(1000)))
    datagrams = pack([message], RecordWriter(), 1200, is_small=True)
    assert max(map(len, datagrams)) <= SMALL_DATAGRAM_BYTES


def test_a_peer_cid_that_leaves_no_room_does_not_stop_the_flight() -> None:
    writer = make_writer(peer_cid=b"c" * 255)
    datagrams = pack([CHANGE_CIPHER_SPEC, handshake_message(FINISHED, 1)], writer, 256, is_small=True)
    assert [record.content_type for each in datagrams for record in decode_records(each, 255)] == [20, 25]


def test_no_record_number_is_used_twice_however_often_a_flight_goes_out() -> None:
    writer = make_writer()
    numbers = []
    for is_small in (False, True, True):
        for datagram in pack([CHANGE_CIPHER_SPEC, handshake_message(FINISHED, 1)], writer, 1200, is_small):
            numbers += [(record.epoch, record.sequence) for record in decode_records(datagram, 0)]
    assert len(set(numbers)) == len(numbers) == 6
    assert (writer.next_in_clear, writer.next_protected) == (3, 3)


def test_overhead_is_the_header_until_there_are_keys() -> None:
    assert RecordWriter().overhead_bytes(1) == HEADER_BYTES
    writer = make_writer()
    assert writer.overhead_bytes(0) == HEADER_BYTES
    assert writer.overhead_bytes(1) == HEADER_BYTES + 16


@pytest.mark.parametrize(
    ("settings", "waits"),
    [
        (RetransmitSettings(1.0, 2.0, 60.0, 5), [1.0, 2.0, 4.0, 8.0, 16.0]),
        (RetransmitSettings(9.0, 2.0, 30.0, 4), [9.0, 18.0, 30.0, 30.0]),
        (RetransmitSettings(1.0, 2.0, 60.0, 0), []),
    ],
)
def test_waits_grow_by_the_factor_up_to_the_maximum(settings: RetransmitSettings, waits: list[float]) -> None:
    now = 100.0
    retransmission = Retransmission(settings, now)
    seen = []
    while retransmission.due_at is not None:
        seen.append(retransmission.due_at - now)
        now = retransmission.due_at
        retransmission.advance(now)
    assert seen == waits
    assert retransmission.is_used_up


def test_small_datagrams_begin_after_half_of_the_repetitions() -> None:
    retransmission = Retransmission(RetransmitSettings(count=4), 0.0)
    seen = [retransmission.is_small]
    for _ in range(4):
        retransmission.advance(0.0)
        seen.append(retransmission.is_small)
    assert seen == [False, False, False, True, True]


def test_round_trip_is_known_while_one_copy_went_out() -> None:
    retransmission = Retransmission(RetransmitSettings(initial_s=2.0, count=2), 100.0)
    assert retransmission.round_trip_s(100.5) == 0.5
    retransmission.advance(102.0)
    assert retransmission.round_trip_s(102.5) is None
    retransmission.stop()
    assert retransmission.round_trip_s(103.0) is None


def test_stopped_flight_is_not_due_again() -> None:
    retransmission = Retransmission(RetransmitSettings(), 0.0)
    retransmission.stop()
    assert retransmission.due_at is None
    assert retransmission.interval_s == 1.0
