"""A cursor over bytes, for the structures of RFC 5246 §4.

Knows numbers and length-prefixed vectors; knows no message.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import pack, unpack

from gateway.dtls.errors import DecodeError, LocalProtocolError


class Reader:
    """Reads *data* from the front. Every method raises `DecodeError` when the bytes run out."""

    __slots__ = ("data", "offset")

    def __init__(self, data: bytes, offset: int = 0) -> None:
        self.data = data
        self.offset = offset

    def take(self, length: int) -> bytes:
        """Exactly *length* bytes."""
        start = self.offset
        end = start + length
        if end > len(self.data):
            raise DecodeError(f"{length} bytes expected, {len(self.data) - start} left", start)
        self.offset = end
        return self.data[start:end]

    def u8(self) -> int:
        start = self.offset
        if start >= len(self.data):
            raise DecodeError("1 byte expected, 0 left", start)
        self.offset = start + 1
        return self.data[start]

    def u16(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def u24(self) -> int:
        return int.from_bytes(self.take(3), "big")

    def vector8(self) -> bytes:
        """A vector with a length of one byte before it."""
        return self.take(self.u8())

    def vector16(self) -> bytes:
        """A vector with a length of two bytes before it."""
        return self.take(self.u16())

    def vector24(self) -> bytes:
        """A vector with a length of three bytes before it."""
        return self.take(self.u24())

    def u16_list(self) -> tuple[int, ...]:
        """Numbers of two bytes, one at least, with the length of them all before."""
        content = self.vector16()
        if not content or len(content) & 1:
            raise DecodeError(f"a list of {len(content)} bytes", self.offset)
        return unpack(f">{len(content) >> 1}H", content)

    def rest(self) -> bytes:
        """All that is left, possibly nothing."""
        return self.take(len(self.data) - self.offset)

    @property
    def is_at_end(self) -> bool:
        return self.offset == len(self.data)

    def expect_end(self) -> None:
        """Refuse bytes after the structure that was read."""
        if self.offset != len(self.data):
            raise DecodeError(f"{len(self.data) - self.offset} bytes too many", self.offset)


def encode_vector(data: bytes, length_bytes: int) -> bytes:
    """*data* with its length, of *length_bytes* bytes, before it.

    Raises:
        LocalProtocolError: the length does not fit.
    """
    if len(data) >> (8 * length_bytes):
        raise LocalProtocolError(f"a vector of {len(data)} bytes does not fit its length field")
    return len(data).to_bytes(length_bytes, "big") + data


def encode_u16_list(numbers: Sequence[int]) -> bytes:
    """*numbers* in two bytes each, with the length of them all before.

    Raises:
        LocalProtocolError: there are too many.
    """
    return encode_vector(pack(f">{len(numbers)}H", *numbers), 2)
