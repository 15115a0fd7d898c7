"""`gateway.dtls.handshake`: messages in order, keys out of a PSK."""

from __future__ import annotations

from hashlib import sha256

import pytest

from gateway.dtls.fragments import HandshakeMessage, Reassembly, fragment
from gateway.dtls.handshake import (
    HeldRecords,
    MessageInbox,
    Transcript,
    derive,
    is_finished_right,
    is_whole,
)
from gateway.dtls.keys import HmacSha256, verify_data
from gateway.dtls.messages import decode_fragments, encode_message
from gateway.dtls.record import HELD_RECORD_BYTES, decode_records, encode_record
from gateway.dtls.suites import SUITES

SUITE = SUITES[0xC0A8]
MESSAGE = encode_message(16, 2, b"b" * 40)


def make_inbox(next_seq: int = 2) -> MessageInbox:
    return MessageInbox(next_seq, 1_000, 3)


def test_a_whole_message_is_one_in_one_piece() -> None:
    assert is_whole(MESSAGE)
    assert is_whole(encode_message(14, 0, b""))
    assert not is_whole(MESSAGE * 2)
    assert not is_whole(MESSAGE[:-1])
    assert not any(map(is_whole, fragment(MESSAGE, 30)))
    assert not is_whole(b"")


def test_the_next_whole_message_is_taken_and_no_other() -> None:
    inbox = make_inbox()
    assert not inbox.take_whole(encode_message(16, 3, b""))
    assert inbox.take_whole(MESSAGE)
    assert not inbox.take_whole(MESSAGE)
    assert inbox.next_seq == 3


def test_added_messages_come_in_order() -> None:
    inbox = make_inbox(0)
    second, first, old = (
        decode_fragments(encode_message(14, 1, b""))[0],
        decode_fragments(encode_message(2, 0, b"s"))[0],
        decode_fragments(encode_message(2, 0, b"s"))[0],
    )
    assert inbox.pop() is None
    assert inbox.add(second, 0) is Reassembly.ACCEPTED
    assert inbox.add(first, 0) == HandshakeMessage(2, 0, 0, b"s")
    assert inbox.pop() == HandshakeMessage(14, 1, 0, b"")
    assert inbox.pop() is None
    assert inbox.add(old, 0) is Reassembly.OLD
    assert inbox.next_seq == 2


def test_message_in_one_piece_needs_no_store() -> None:
    inbox = make_inbox()
    (piece,) = decode_fragments(MESSAGE)
    assert inbox.add(piece, 0) == HandshakeMessage(16, 2, 0, b"b" * 40)
    assert inbox.add(piece, 0) is Reassembly.OLD


def test_pieces_are_joined_and_stand_in_the_way_of_the_short_cut() -> None:
    inbox = make_inbox()
    pieces = [decode_fragments(each)[0] for each in fragment(MESSAGE, 30)]
    results = [inbox.add(piece, 0) for piece in pieces]
    assert results[-1] == HandshakeMessage(16, 2, 0, b"b" * 40)
    assert not inbox.take_whole(encode_message(20, 3, b""))


def test_too_much_is_refused() -> None:
    (piece,) = decode_fragments(encode_message(16, 9, b""))
    assert make_inbox().add(piece, 0) is Reassembly.REFUSED


def test_held_records_come_back_in_order_and_once_and_are_bounded() -> None:
    (record,) = decode_records(encode_record(20, 0, bytes(36)), 0)
    held = HeldRecords(2 * (HELD_RECORD_BYTES + 36) + 35)
    assert [held.add(record, mark) for mark in (True, False, True)] == [True, True, False]
    assert held.take() == [(record, True), (record, False)]
    assert held.take() == []
    assert held.add(record, False)


def test_a_message_longer_than_the_bound_is_refused_in_one_piece_too() -> None:
    inbox = MessageInbox(2, 100, 1)
    message = encode_message(16, 2, bytes(101))
    assert not inbox.take_whole(message)
    assert inbox.add(decode_fragments(message)[0], 0) is Reassembly.REFUSED
    assert inbox.next_seq == 2


def test_transcript_is_the_hash_over_all_messages() -> None:
    transcript = Transcript(b"one", b"two")
    assert transcript.digest() == sha256(b"onetwo").digest()
    transcript.add(b"three")
    assert transcript.digest() == sha256(b"onetwothree").digest()


@pytest.mark.parametrize("session_hash", [None, b"h" * 32])
def test_keys_depend_on_everything_that_goes_into_them(session_hash: bytes | None) -> None:
    secrets = derive(b"psk", SUITE, b"c" * 32, b"s" * 32, session_hash)
    again = derive(b"psk", SUITE, b"c" * 32, b"s" * 32, session_hash)
    assert (again.master, again.block) == (secrets.master, secrets.block)
    assert len(secrets.block.client_key) == 16
    others = [
        derive(b"other", SUITE, b"c" * 32, b"s" * 32, session_hash),
        derive(b"psk", SUITE, b"C" * 32, b"s" * 32, session_hash),
        derive(b"psk", SUITE, b"c" * 32, b"S" * 32, session_hash),
        derive(b"psk", SUITE, b"c" * 32, b"s" * 32, b"H" * 32),
    ]
    assert all(other.block != secrets.block for other in others)


def test_finished_is_right_only_for_its_role_key_and_hash() -> None:
    right, wrong = HmacSha256(b"m" * 48), HmacSha256(b"M" * 48)
    data = verify_data(right, True, b"h" * 32)
    assert is_finished_right(data, right, True, b"h" * 32)
    assert not is_finished_right(data, right, False, b"h" * 32)
    assert not is_finished_right(data, wrong, True, b"h" * 32)
    assert not is_finished_right(data, right, True, b"H" * 32)
    assert not is_finished_right(b"", right, True, b"h" * 32)
