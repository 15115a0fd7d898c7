"""Handshake messages in pieces (RFC 6347 §4.2.3): put together on receipt, cut for sending.

Knows the order of messages; knows no message. What is stored is bounded by what was received,
never by a length that was only announced.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, NamedTuple

from gateway.dtls.errors import LocalProtocolError
from gateway.dtls.messages import HANDSHAKE_HEADER_BYTES, HandshakeFragment, encode_message

MAX_PIECES: Final = 64
"Of one message, with gaps between them: more is no network's doing."


class Reassembly(Enum):
    """What became of a fragment."""

    ACCEPTED = "accepted"
    OLD = "old"
    "Of a message already taken: the peer repeats itself."

    REFUSED = "refused"
    "Too long, too far ahead, too much in all, or at odds with what came before."


class HandshakeMessage(NamedTuple):
    """A whole message."""

    message_type: int
    message_seq: int
    epoch: int
    "Of the records it came in, the same for all its fragments."

    body: bytes

    def encode(self) -> bytes:
        """As if it had come unfragmented: what the handshake hash covers (RFC 6347 §4.2.6)."""
        return encode_message(self.message_type, self.message_seq, self.body)


class _Partial:
    """The pieces of one message: sorted, neither overlapping nor touching."""

    __slots__ = ("epoch", "length", "message_type", "pieces", "size")

    def __init__(self, message_type: int, length: int, epoch: int) -> None:
        self.message_type = message_type
        self.length = length
        self.epoch = epoch
        self.pieces: list[tuple[int, bytes]] = []
        self.size = 0

    @property
    def is_whole(self) -> bool:
        return self.size == self.length

    def merge(self, offset: int, body: bytes) -> list[tuple[int, bytes]] | None:
        """The pieces with this one added; None when it contradicts them."""
        others: list[tuple[int, bytes]] = []
        for start, piece in self.pieces:
            if start + len(piece) < offset or start > offset + len(body):
                others.append((start, piece))
                continue
            first, second = sorted(((start, piece), (offset, body)))
            joined = _join(first, second)
            if joined is None:
                return None
            offset, body = min(start, offset), joined
        others.append((offset, body))
        others.sort()
        return others


def _join(first: tuple[int, bytes], second: tuple[int, bytes]) -> bytes | None:
    """Two pieces that overlap or touch as one; None when they differ where they overlap."""
    at = second[0] - first[0]
    common = min(len(first[1]) - at, len(second[1]))
    if first[1][at : at + common] != second[1][:common]:
        return None
    return first[1] + second[1][common:]


class Reassembler:
    """Gives the messages of one handshake in the order of their message_seq.

    Feed it with `add`; after each, take messages with `pop` until it gives None.
    """

    __slots__ = (
        "_max_message_bytes",
        "_max_messages_ahead",
        "_max_total_bytes",
        "_partials",
        "_size",
        "next_seq",
    )

    def __init__(
        self, max_message_bytes: int, max_messages_ahead: int, max_total_bytes: int, next_seq: int = 0
    ) -> None:
        self._max_message_bytes = max_message_bytes
        self._max_messages_ahead = max_messages_ahead
        self._max_total_bytes = max_total_bytes
        self._partials: dict[int, _Partial] = {}
        self._size = 0
        self.next_seq = next_seq
        "The message_seq that `pop` gives next."

    @property
    def size_bytes(self) -> int:
        """How many bytes of messages are held."""
        return self._size

    def add(self, fragment: HandshakeFragment, epoch: int) -> Reassembly:
        """Take a fragment that came in a record of *epoch*.

        Any order, any overlap and any number of copies are fine as long as they agree. At odds, the
        first come stays, unless the newcomer's epoch is higher: then it alone is authentic, and what
        stood there goes. When the store is full, messages further ahead make room for nearer ones.
        """
        message_type, length, message_seq, offset, body = fragment
        ahead = message_seq - self.next_seq
        if ahead < 0:
            return Reassembly.OLD
        if ahead >= self._max_messages_ahead or length > self._max_message_bytes:
            return Reassembly.REFUSED
        partial = self._partials.get(message_seq)
        if partial is not None and partial.epoch < epoch:
            self._discard(message_seq)
            partial = None
        if partial is None:
            partial = _Partial(message_type, length, epoch)
        elif (partial.message_type, partial.length, partial.epoch) != (message_type, length, epoch):
            return Reassembly.REFUSED
        if length and not body:
            return Reassembly.ACCEPTED
        return self._store(message_seq, partial, offset, body)

    def pop(self) -> HandshakeMessage | None:
        """The next message in order, once it is whole."""
        message_seq = self.next_seq
        partial = self._partials.get(message_seq)
        if partial is None or not partial.is_whole:
            return None
        self._discard(message_seq)
        self.next_seq = message_seq + 1
        return HandshakeMessage(partial.message_type, message_seq, partial.epoch, partial.pieces[0][1])

    def _store(self, message_seq: int, partial: _Partial, offset: int, body: bytes) -> Reassembly:
        pieces = partial.merge(offset, body)
        if pieces is None or len(pieces) > MAX_PIECES:
            return Reassembly.REFUSED
        size = sum(len(piece) for _, piece in pieces)
        if not self._make_room(message_seq, size - partial.size):
            return Reassembly.REFUSED
        self._size += size - partial.size
        partial.pieces = pieces
        partial.size = size
        self._partials[message_seq] = partial
        return Reassembly.ACCEPTED

    def _make_room(self, message_seq: int, growth: int) -> bool:
        while self._size + growth > self._max_total_bytes:
            furthest = max(self._partials, default=message_seq)
            if furthest <= message_seq:
                return False
            self._discard(furthest)
        return True

    def _discard(self, message_seq: int) -> None:
        self._size -= self._partials.pop(message_seq).size


def fragment(message: bytes, max_fragment_bytes: int) -> list[bytes]:
    """Cut a message, header included, into fragments of at most *max_fragment_bytes*, header included.

    Raises:
        LocalProtocolError: *max_fragment_bytes* leaves no room for content.
    """
    if len(message) <= max_fragment_bytes:
        return [message]
    room = max_fragment_bytes - HANDSHAKE_HEADER_BYTES
    if room < 1:
        raise LocalProtocolError(f"fragments of {max_fragment_bytes} bytes hold nothing")
    start = message[:6]
    body = message[HANDSHAKE_HEADER_BYTES:]
    fragments = []
    for offset in range(0, len(body), room):
        piece = body[offset : offset + room]
        fragments.append(start + offset.to_bytes(3, "big") + len(piece).to_bytes(3, "big") + piece)
    return fragments
