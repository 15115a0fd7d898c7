"""Requests of ours and the answers to them, as bytes (RFC 7252 §3), without aiocoap's objects.

Options and payload of a request out, a `Reply` in. Knows no message ids, no tokens of its own, no peers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from gateway.lwm2m.requests import Request
from gateway.messaging import format as wire
from gateway.messaging.blocks import Block
from gateway.messaging.handling import PAYLOAD_MARKER, encode_uint

_ETAG = 4
_OBSERVE = 6
_LOCATION_PATH = 8
_URI_PATH = 11
_CONTENT_FORMAT = 12
_URI_QUERY = 15
_ACCEPT = 17
_BLOCK2 = 23
_BLOCK1 = 27
_SIZE2 = 28
_SIZE1 = 60

_LONGEST_SHORT = 12
_LONGEST_MEDIUM = 268


class Reply(NamedTuple):
    """A response, decoded; of blocks one."""

    code: int
    token: bytes
    payload: bytes = b""
    content_format: int | None = None

    sequence: int | None = None
    "Its Observe option."

    etag: bytes | None = None
    location: tuple[str, ...] = ()
    block1: Block | None = None
    block2: Block | None = None
    size2: int | None = None

    bad_option: int = 0
    "A critical option that is not understood: the response must not be used (RFC 7252 §5.4.1)."


def encode_request(
    request: Request,
    payload: bytes,
    *,
    observe: int | None = None,
    block1: Block | None = None,
    size1: int | None = None,
    block2: Block | None = None,
) -> bytes:
    """Options and *payload* as they follow the token; *payload* is the block's, all of it, or nothing.

    What *request* says of payload and Observe does not count.
    """
    options: list[tuple[int, bytes]] = []
    if observe is not None:
        options.append((_OBSERVE, encode_uint(observe)))
    options += [(_URI_PATH, segment.encode()) for segment in request.path]
    if request.content_format is not None and (payload or not request.payload):
        options.append((_CONTENT_FORMAT, encode_uint(request.content_format)))
    options += [(_URI_QUERY, query.encode()) for query in request.queries]
    if request.accept is not None:
        options.append((_ACCEPT, encode_uint(request.accept)))
    if block2 is not None:
        options.append((_BLOCK2, _block(block2)))
    if block1 is not None:
        options.append((_BLOCK1, _block(block1)))
    if size1 is not None:
        options.append((_SIZE1, encode_uint(size1)))
    encoded = encode_options(options)
    return encoded + PAYLOAD_MARKER + payload if payload else encoded


def encode_options(options: Iterable[tuple[int, bytes]]) -> bytes:
    """*options*, which stand in the order of their numbers (RFC 7252 §3.1)."""
    encoded = bytearray()
    number = 0
    for each, value in options:
        delta, length = each - number, len(value)
        number = each
        if delta <= _LONGEST_SHORT and length <= _LONGEST_SHORT:
            encoded.append(delta << 4 | length)
        else:
            delta_nibble, delta_more = _nibble(delta)
            length_nibble, length_more = _nibble(length)
            encoded.append(delta_nibble << 4 | length_nibble)
            encoded += delta_more + length_more
        encoded += value
    return bytes(encoded)


def decode_reply(datagram: bytes) -> Reply:
    """Decode *datagram*, at least `HEADER_BYTES` long, of version 1, with the code of a response.

    Raises:
        DecodeError: a message format error, or a code that may not stand in its type of message.
    """
    size = len(datagram)
    code = datagram[1]
    start = wire.check_token(datagram, size)
    wire.check_code(code, datagram[0] >> 4 & 3, size)
    token = datagram[wire.HEADER_BYTES : start]
    _, _, content_format, others, end, _, bad_option = wire.decode_options(datagram, start, size)
    payload = datagram[end:]
    if not others and not bad_option:
        return Reply(code, token, payload, content_format)
    values = dict(others)
    return Reply(
        code,
        token,
        payload,
        content_format,
        _number(values.get(_OBSERVE)),
        values.get(_ETAG),
        tuple(value.decode() for number, value in others if number == _LOCATION_PATH),
        _read_block(values.get(_BLOCK1)),
        _read_block(values.get(_BLOCK2)),
        _number(values.get(_SIZE2)),
        bad_option,
    )


def _number(value: bytes | None) -> int | None:
    return None if value is None else int.from_bytes(value, "big")


def _read_block(value: bytes | None) -> Block | None:
    if value is None:
        return None
    number = int.from_bytes(value, "big")
    return number >> 4, bool(number & 8), number & 7


def _block(block: Block) -> bytes:
    number, more, szx = block
    return encode_uint(number << 4 | more << 3 | szx)


def _nibble(value: int) -> tuple[int, bytes]:
    if value <= _LONGEST_SHORT:
        return value, b""
    if value <= _LONGEST_MEDIUM:
        return 13, bytes((value - 13,))
    return 14, (value - 269).to_bytes(2, "big")
