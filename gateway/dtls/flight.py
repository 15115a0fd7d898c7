"""Flights (RFC 6347 §4.2.4): several messages that go out together, and again until they are answered.

Knows how messages are cut and packed into datagrams and when a repetition is due. Knows neither
what the messages say nor who is waiting for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from gateway.dtls.fragments import fragment
from gateway.dtls.protection import RecordSealer
from gateway.dtls.record import CHANGE_CIPHER_SPEC_BODY, HEADER_BYTES, ContentType, encode_record
from gateway.dtls.recordsize import UNLIMITED, RecordSizes
from gateway.dtls.settings import RetransmitSettings

SMALL_DATAGRAM_BYTES: Final = 512
"What still gets through where large datagrams do not."

_MAX_OVERHEAD_BYTES: Final = HEADER_BYTES + 255 + 1 + 16 + 32 + 16
"Of a record with the longest connection ID: with a CBC suite an IV, a MAC and a block of padding."

_MIN_ROOM_BYTES: Final = 64
"What a record holds at least, where a long connection ID of the peer's leaves less."

_CHANGE_CIPHER_SPEC: Final = int(ContentType.CHANGE_CIPHER_SPEC)
_HANDSHAKE: Final = int(ContentType.HANDSHAKE)


FlightMessage = tuple[int, int, bytes]
"Content type, epoch, and content: a handshake message with its header, or a ChangeCipherSpec."

CHANGE_CIPHER_SPEC: Final[FlightMessage] = (_CHANGE_CIPHER_SPEC, 0, CHANGE_CIPHER_SPEC_BODY)


def handshake_message(content: bytes, epoch: int = 0) -> FlightMessage:
    """A handshake message, header included, for a flight."""
    return _HANDSHAKE, epoch, content


class RecordWriter:
    """Numbers our records, never one number twice, also not when a message is repeated."""

    __slots__ = ("_next", "_next_in_clear", "_sealer", "_sizes")

    def __init__(self, first_in_clear: int = 0, sizes: RecordSizes = UNLIMITED) -> None:
        self._sizes = sizes
        self._next_in_clear = first_in_clear
        self._next = 0
        self._sealer: RecordSealer | None = None

    @property
    def next_in_clear(self) -> int:
        """The number that the next record of epoch 0 will have."""
        return self._next_in_clear

    @property
    def next_protected(self) -> int:
        """The number that the next record of epoch 1 will have."""
        return self._next

    def protect_with(self, sealer: RecordSealer) -> None:
        """Records of epoch 1 can be written from here on."""
        self._sealer = sealer

    def limit(self, sizes: RecordSizes) -> None:
        """What was agreed on about the records from here on."""
        self._sizes = sizes

    def max_content_bytes(self, epoch: int) -> int:
        """What a record of *epoch* may hold."""
        sizes = self._sizes
        # With a connection ID the type of the content counts as well.
        return sizes.protected_bytes - 1 if epoch else sizes.clear_bytes

    def overhead_bytes(self, epoch: int) -> int:
        """What a record of *epoch* adds to its content."""
        return HEADER_BYTES if self._sealer is None or not epoch else self._sealer.overhead_bytes

    def write(self, content_type: int, epoch: int, content: bytes) -> bytes:
        """One record."""
        if not epoch:
            sequence = self._next_in_clear
            self._next_in_clear = sequence + 1
            return encode_record(content_type, sequence, content)
        assert self._sealer is not None, "epoch 1 begins with its keys"
        sequence = self._next
        self._next = sequence + 1
        return self._sealer.seal(content_type, epoch, sequence, content)


def pack(
    messages: Sequence[FlightMessage], writer: RecordWriter, mtu_bytes: int, is_small: bool
) -> list[bytes]:
    """The datagrams of a flight: as few as *mtu_bytes* allows, a record for each message or fragment.

    *is_small*: at most 512 bytes and one handshake message in each, for paths and modems that lose
    more; a Finished still travels with its ChangeCipherSpec.
    """
    limit = min(mtu_bytes, SMALL_DATAGRAM_BYTES) if is_small else mtu_bytes
    room = limit - _MAX_OVERHEAD_BYTES
    records: list[bytes] = []
    for content_type, epoch, content in messages:
        if len(content) <= room and len(content) <= writer.max_content_bytes(epoch):
            records.append(writer.write(content_type, epoch, content))
        else:
            most = min(
                max(limit - writer.overhead_bytes(epoch), _MIN_ROOM_BYTES), writer.max_content_bytes(epoch)
            )
            records += [writer.write(content_type, epoch, piece) for piece in fragment(content, most)]
    datagram = b"".join(records)
    return [datagram] if len(datagram) <= limit and not is_small else _group(records, limit, is_small)


def _group(records: list[bytes], limit: int, is_small: bool) -> list[bytes]:
    datagrams: list[bytes] = []
    current = b""
    is_open = True
    for record in records:
        if current and (not is_open or len(current) + len(record) > limit):
            datagrams.append(current)
            current = b""
        current += record
        is_open = not is_small or record[0] == _CHANGE_CIPHER_SPEC
    return [*datagrams, current]


class Retransmission:
    """When a flight is due again. Counts repetitions; the owner sends."""

    __slots__ = ("_interval_s", "_settings", "due_at", "repeated")

    def __init__(self, settings: RetransmitSettings, now: float) -> None:
        self._settings = settings
        self._interval_s = settings.initial_s
        self.repeated = 0
        "How often the flight went out again."

        self.due_at: float | None = now + settings.initial_s if settings.count else None
        "None: it will not be repeated by the timer any more."

    @property
    def is_used_up(self) -> bool:
        """Whether the flight has been repeated as often as is allowed, for whatever cause."""
        return self.repeated >= self._settings.count

    @property
    def is_small(self) -> bool:
        """Whether the time has come for small datagrams: after half of the repetitions."""
        return self.repeated * 2 > self._settings.count

    @property
    def interval_s(self) -> float:
        """The wait after the newest copy."""
        return self._interval_s

    def round_trip_s(self, now: float) -> float | None:
        """How long an answer at *now* took; None: several copies went out, any may be answered."""
        return None if self.repeated or self.due_at is None else now - self.due_at + self._interval_s

    def advance(self, now: float) -> None:
        """The flight is going out again at *now*; the next wait is longer."""
        self.repeated += 1
        settings = self._settings
        self._interval_s = min(self._interval_s * settings.factor, settings.max_s)
        self.due_at = None if self.is_used_up else now + self._interval_s

    def stop(self) -> None:
        """The peer has begun to answer: no more repetitions."""
        self.due_at = None
