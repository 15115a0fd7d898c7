"""What a synchronous handler is asked and what it answers, without aiocoap's objects.

A handler takes a `Request` and gives a `Response`, a `gateway.messaging.pending.Pending`, or None, which
leaves the request to aiocoap's resources. Values only: knows no type of message and no message id.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from gateway.messaging.remote import Remote

PAYLOAD_MARKER = b"\xff"

_LOCATION_PATH = 8
_CONTENT_FORMAT = 12
_MAX_AGE = 14
_LONGEST_VALUE = 255


class Request:
    """A whole request: blocks assembled, repetitions removed. For the handler to read, not to write."""

    __slots__ = ("code", "content_format", "others", "payload", "remote", "uri_path", "uri_query")

    def __init__(
        self,
        code: int,
        uri_path: Sequence[str],
        uri_query: Sequence[str],
        content_format: int | None,
        others: Sequence[tuple[int, bytes]],
        payload: bytes,
        remote: Remote,
    ) -> None:
        self.code = code
        self.uri_path = uri_path
        self.uri_query = uri_query
        self.content_format = content_format
        self.others = others
        "Number and value of every other option that is understood."

        self.payload = payload
        self.remote = remote
        "Who asks: ``identity`` and ``address``."


class Response(NamedTuple):
    """An answer. One object may answer any number of requests."""

    code: int
    body: bytes = b""
    "Options and payload, encoded as they follow the token."


def respond(
    code: int,
    *,
    location_path: Sequence[str] = (),
    content_format: int | None = None,
    max_age_s: int | None = None,
    payload: bytes = b"",
) -> Response:
    """A response with these options; no segment of the path is longer than 255 bytes (RFC 7252 §5.10)."""
    body = b""
    number = 0
    for segment in location_path:
        body += _option(_LOCATION_PATH - number, segment.encode())
        number = _LOCATION_PATH
    if content_format is not None:
        body += _option(_CONTENT_FORMAT - number, encode_uint(content_format))
        number = _CONTENT_FORMAT
    if max_age_s is not None:
        body += _option(_MAX_AGE - number, encode_uint(max_age_s))
    return Response(int(code), body + PAYLOAD_MARKER + payload if payload else body)


def below(response: Response, segment: str) -> Response:
    """*response*, whose only options are a Location-Path, with one more *segment* of it."""
    return Response(response.code, response.body + _option(0, segment.encode()))


def _option(delta: int, value: bytes) -> bytes:
    """One option, *delta* after the one before (RFC 7252 §3.1)."""
    length = len(value)
    if length > _LONGEST_VALUE:
        raise ValueError(f"an option of {length} bytes")
    if delta > 12:
        # Only Max-Age as the first option, whose value is short.
        return bytes((0xD0 | length, delta - 13)) + value
    if length > 12:
        return bytes((delta << 4 | 13, length - 13)) + value
    return bytes((delta << 4 | length,)) + value


def encode_uint(value: int) -> bytes:
    """A number as an option's value (RFC 7252 §3.2)."""
    return value.to_bytes((value.bit_length() + 7) // 8, "big")
