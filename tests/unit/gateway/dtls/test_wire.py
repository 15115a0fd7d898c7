"""The cursor and its vectors."""

import pytest

from gateway.dtls.errors import DecodeError, LocalProtocolError
from gateway.dtls.wire import Reader, encode_u16_list, encode_vector


def test_numbers_are_big_endian_and_advance() -> None:
    reader = Reader(bytes.fromhex("01 0203 040506 07"))
    assert (reader.u8(), reader.u16(), reader.u24()) == (1, 0x0203, 0x040506)
    assert (reader.offset, reader.is_at_end) == (6, False)
    assert reader.rest() == b"\7"
    assert reader.is_at_end
    assert reader.rest() == b""


@pytest.mark.parametrize("length_bytes", [1, 2, 3])
def test_vectors_come_back(length_bytes: int) -> None:
    encoded = encode_vector(b"abc", length_bytes)
    assert encoded == (3).to_bytes(length_bytes, "big") + b"abc"
    reader = Reader(b"!" + encoded, 1)
    assert {1: reader.vector8, 2: reader.vector16, 3: reader.vector24}[length_bytes]() == b"abc"
    reader.expect_end()


@pytest.mark.parametrize("read", [Reader.u8, Reader.u16, Reader.u24, Reader.vector8, Reader.vector16])
def test_running_out_is_a_decode_error(read: object) -> None:
    with pytest.raises(DecodeError, match="expected, 0 left at byte 1"):
        read(Reader(b"x", 1))  # type: ignore[operator]


def test_vector_longer_than_the_rest_is_refused() -> None:
    with pytest.raises(DecodeError, match="3 bytes expected, 2 left at byte 1"):
        Reader(b"\3ab").vector8()


def test_bytes_after_the_structure_are_refused() -> None:
    with pytest.raises(DecodeError, match="2 bytes too many at byte 0"):
        Reader(b"ab").expect_end()


def test_vector_that_does_not_fit_its_length_is_our_mistake() -> None:
    assert len(encode_vector(bytes(255), 1)) == 256
    with pytest.raises(LocalProtocolError):
        encode_vector(bytes(256), 1)


def test_numbers_of_two_bytes_come_back() -> None:
    assert encode_u16_list((1, 0xFFFF)) == b"\0\4\0\1\xff\xff"
    reader = Reader(b"\0\4\0\1\xff\xffrest")
    assert reader.u16_list() == (1, 0xFFFF)
    assert reader.rest() == b"rest"


@pytest.mark.parametrize("data", [b"\0\0", b"\0\1x", b"\0\3xyz", b"\0\4xyz", b"\0"])
def test_list_of_numbers_that_is_empty_or_odd_is_refused(data: bytes) -> None:
    with pytest.raises(DecodeError):
        Reader(data).u16_list()


def test_more_numbers_than_a_list_holds_are_our_mistake() -> None:
    with pytest.raises(LocalProtocolError):
        encode_u16_list([0] * 0x8000)
