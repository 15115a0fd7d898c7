"""Reassembly of handshake messages, and fragmentation."""

from __future__ import annotations

import itertools

import pytest

from gateway.dtls.errors import LocalProtocolError
from gateway.dtls.fragments import MAX_PIECES, HandshakeMessage, Reassembler, Reassembly, fragment
from gateway.dtls.messages import HandshakeFragment, decode_fragments, encode_message

ACCEPTED, OLD, REFUSED = Reassembly.ACCEPTED, Reassembly.OLD, Reassembly.REFUSED
BODY = bytes(range(100, 110))
TYPE = 11


@pytest.fixture
def reassembler() -> Reassembler:
    return Reassembler(max_message_bytes=100, max_messages_ahead=4, max_total_bytes=150)


def piece(start: int, end: int, message_seq: int = 0, body: bytes = BODY) -> HandshakeFragment:
    return HandshakeFragment(TYPE, len(body), message_seq, start, body[start:end])


def whole(message_seq: int, size: int = 10) -> HandshakeFragment:
    return HandshakeFragment(TYPE, size, message_seq, 0, bytes(size))


def add(reassembler: Reassembler, *fragments: HandshakeFragment) -> list[Reassembly]:
    return [reassembler.add(one, 0) for one in fragments]


def test_whole_message_is_given_at_once(reassembler: Reassembler) -> None:
    assert reassembler.pop() is None
    assert add(reassembler, piece(0, 10)) == [ACCEPTED]
    message = reassembler.pop()
    assert message == HandshakeMessage(TYPE, 0, 0, BODY)
    assert message is not None
    assert message.encode() == encode_message(TYPE, 0, BODY)
    assert reassembler.pop() is None
    assert (reassembler.next_seq, reassembler.size_bytes) == (1, 0)


def test_empty_message_is_whole(reassembler: Reassembler) -> None:
    assert add(reassembler, HandshakeFragment(14, 0, 0, 0, b"")) == [ACCEPTED]
    assert reassembler.pop() == HandshakeMessage(14, 0, 0, b"")


@pytest.mark.parametrize("order", list(itertools.permutations([(0, 4), (3, 6), (6, 10), (2, 8), (0, 4)])))
def test_pieces_in_any_order_with_any_overlap_make_the_message(
    reassembler: Reassembler, order: tuple[tuple[int, int], ...]
) -> None:
    assert set(add(reassembler, *(piece(*span) for span in order))) == {ACCEPTED}
    assert reassembler.size_bytes == len(BODY)
    assert reassembler.pop() == HandshakeMessage(TYPE, 0, 0, BODY)
    assert reassembler.size_bytes == 0


def test_messages_come_in_their_order(reassembler: Reassembler) -> None:
    assert add(reassembler, whole(2), whole(1)) == [ACCEPTED, ACCEPTED]
    assert reassembler.pop() is None
    add(reassembler, whole(0))
    given = [reassembler.pop() for _ in range(4)]
    assert [message and message.message_seq for message in given] == [0, 1, 2, None]


def test_message_already_taken_is_old(reassembler: Reassembler) -> None:
    add(reassembler, whole(0))
    reassembler.pop()
    assert add(reassembler, whole(0), piece(0, 1)) == [OLD, OLD]
    assert reassembler.size_bytes == 0


def test_first_message_may_have_a_later_number() -> None:
    reassembler = Reassembler(100, 4, 150, next_seq=1)
    assert add(reassembler, whole(0), whole(1)) == [OLD, ACCEPTED]
    message = reassembler.pop()
    assert message is not None
    assert message.message_seq == 1


def test_c1_zero_length_fragments_leave_nothing(reassembler: Reassembler) -> None:
    for _ in range(1000):
        assert add(reassembler, piece(0, 0), piece(5, 5), piece(10, 10)) == [ACCEPTED] * 3
    assert reassembler.size_bytes == 0
    assert reassembler.pop() is None
    add(reassembler, piece(0, 4), piece(7, 7), piece(4, 10))
    assert reassembler.pop() == HandshakeMessage(TYPE, 0, 0, BODY)


def test_c2_announced_length_allocates_nothing() -> None:
    reassembler = Reassembler(max_message_bytes=1 << 24, max_messages_ahead=4, max_total_bytes=150)
    assert add(reassembler, HandshakeFragment(TYPE, (1 << 24) - 1, 0, 1 << 23, b"x")) == [ACCEPTED]
    assert reassembler.size_bytes == 1


def test_c2_message_longer_than_allowed_is_refused(reassembler: Reassembler) -> None:
    assert add(reassembler, HandshakeFragment(TYPE, 101, 0, 0, b"x"), whole(0, 100)) == [REFUSED, ACCEPTED]


def test_c3_fragment_of_another_length_or_type_is_refused(reassembler: Reassembler) -> None:
    add(reassembler, piece(0, 4))
    assert add(reassembler, HandshakeFragment(TYPE, 11, 0, 4, BODY[4:])) == [REFUSED]
    assert add(reassembler, HandshakeFragment(TYPE + 1, 10, 0, 4, BODY[4:])) == [REFUSED]
    assert add(reassembler, HandshakeFragment(TYPE, 11, 0, 4, b"")) == [REFUSED]
    assert add(reassembler, piece(4, 10)) == [ACCEPTED]
    assert reassembler.pop() == HandshakeMessage(TYPE, 0, 0, BODY)


@pytest.mark.parametrize(("start", "end"), [(2, 5), (3, 4), (0, 10), (5, 8), (4, 6)])
def test_c4_overlap_with_other_content_is_refused(reassembler: Reassembler, start: int, end: int) -> None:
    add(reassembler, piece(3, 6))
    other = bytes(value ^ 1 for value in BODY)
    assert add(reassembler, piece(start, end, body=other)) == [REFUSED]
    assert add(reassembler, piece(0, 3), piece(6, 10)) == [ACCEPTED, ACCEPTED]
    assert reassembler.pop() == HandshakeMessage(TYPE, 0, 0, BODY)


@pytest.mark.parametrize("message_seq", [4, 5000, 65535])
def test_c5_message_far_ahead_is_refused(reassembler: Reassembler, message_seq: int) -> None:
    assert add(reassembler, whole(3), whole(message_seq)) == [ACCEPTED, REFUSED]
    assert reassembler.size_bytes == 10


def test_c5_full_store_refuses_what_is_further_ahead(reassembler: Reassembler) -> None:
    assert add(reassembler, whole(0, 80), whole(1, 80)) == [ACCEPTED, REFUSED]
    assert add(reassembler, whole(1, 70), whole(2, 1)) == [ACCEPTED, REFUSED]
    assert reassembler.size_bytes == 150


def test_c5_nearer_message_takes_the_room_of_the_furthest(reassembler: Reassembler) -> None:
    assert add(reassembler, whole(3, 70), whole(2, 70), whole(1, 80)) == [ACCEPTED] * 3
    assert reassembler.size_bytes == 150
    assert add(reassembler, whole(0, 100)) == [ACCEPTED]
    assert reassembler.size_bytes == 100
    assert reassembler.pop() is not None
    assert reassembler.pop() is None


def test_message_that_alone_exceeds_the_store_is_refused() -> None:
    reassembler = Reassembler(max_message_bytes=200, max_messages_ahead=4, max_total_bytes=150)
    assert add(reassembler, whole(0, 151)) == [REFUSED]
    assert reassembler.size_bytes == 0
    add(reassembler, HandshakeFragment(TYPE, 151, 0, 0, bytes(150)))
    assert add(reassembler, HandshakeFragment(TYPE, 151, 0, 150, b"\0")) == [REFUSED]


def test_pieces_with_gaps_are_limited_in_number() -> None:
    body = bytes(200)
    reassembler = Reassembler(300, 4, 1000)
    singles = [piece(start, start + 1, body=body) for start in range(0, 200, 2)]
    assert add(reassembler, *singles[: MAX_PIECES + 1]) == [ACCEPTED] * MAX_PIECES + [REFUSED]
    assert add(reassembler, piece(0, 200, body=body)) == [ACCEPTED]
    assert reassembler.pop() == HandshakeMessage(TYPE, 0, 0, body)


def test_c7_fragments_of_different_epochs_never_join(reassembler: Reassembler) -> None:
    assert reassembler.add(piece(0, 5), 0) is ACCEPTED
    assert reassembler.add(piece(5, 10), 1) is ACCEPTED
    assert reassembler.pop() is None
    assert reassembler.size_bytes == 5
    assert reassembler.add(piece(0, 5), 0) is REFUSED
    assert reassembler.add(piece(0, 5), 1) is ACCEPTED
    assert reassembler.pop() == HandshakeMessage(TYPE, 0, 1, BODY)


def test_c7_authentic_message_displaces_a_plain_one(reassembler: Reassembler) -> None:
    forged = HandshakeFragment(20, 12, 0, 0, bytes(12))
    assert reassembler.add(forged, 0) is ACCEPTED
    assert reassembler.add(piece(0, 10), 1) is ACCEPTED
    assert reassembler.pop() == HandshakeMessage(TYPE, 0, 1, BODY)


@pytest.mark.parametrize("size", range(13, 25))
def test_fragments_make_the_message_again(reassembler: Reassembler, size: int) -> None:
    message = encode_message(TYPE, 0, BODY)
    pieces = fragment(message, size)
    assert all(len(one) <= size for one in pieces)
    assert len(pieces) == max(1, -(-len(BODY) // (size - 12)))
    for one in reversed(pieces):
        add(reassembler, *decode_fragments(one))
    assert reassembler.pop() == HandshakeMessage(TYPE, 0, 0, BODY)


def test_message_that_fits_stays_whole() -> None:
    message = encode_message(14, 3, b"")
    assert fragment(message, 12) == [message]


def test_fragments_without_room_for_content_are_our_mistake() -> None:
    with pytest.raises(LocalProtocolError):
        fragment(encode_message(TYPE, 0, BODY), 12)
