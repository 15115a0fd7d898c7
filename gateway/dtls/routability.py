"""Messages of the return routability check (RFC 9853 §4): is the peer at the address it writes from?

Knows how they are written. Who challenges whom, and what follows, is decided by those who know the
addresses.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final, NamedTuple

from gateway.dtls.errors import DecodeError, LocalProtocolError

COOKIE_BYTES: Final = 8

TIMEOUT_S: Final = 1.0
"How long an answer may take where no round trip is known (RFC 9853 §5.5)."

TIMEOUT_ROUND_TRIPS: Final = 3
"And where one is."

CHALLENGES: Final = 3
"Sent within that time, evenly: one may be lost."


class RoutabilityType(IntEnum):
    """The numbers of the messages."""

    PATH_CHALLENGE = 0
    PATH_RESPONSE = 1
    PATH_DROP = 2


class RoutabilityMessage(NamedTuple):
    """One message: the whole content of a record of type return_routability_check."""

    type: RoutabilityType
    cookie: bytes


def timeout_s(round_trip_s: float | None) -> float:
    """How long a check may take. The new path may be slower than the one whose round trip was seen."""
    return TIMEOUT_S if round_trip_s is None else max(TIMEOUT_S, TIMEOUT_ROUND_TRIPS * round_trip_s)


def decode_routability_message(content: bytes) -> RoutabilityMessage | None:
    """The message in a record; None: of a type that is to be ignored, whatever follows it.

    Raises:
        DecodeError: empty, or a known type with anything but a cookie of 8 bytes.
    """
    if not content:
        raise DecodeError("an empty routability message")
    try:
        kind = RoutabilityType(content[0])
    except ValueError:
        return None
    if len(content) != 1 + COOKIE_BYTES:
        raise DecodeError(f"a cookie of {len(content) - 1} bytes", 1)
    return RoutabilityMessage(kind, content[1:])


def encode_routability_message(message: RoutabilityMessage) -> bytes:
    """The content of the record.

    Raises:
        LocalProtocolError: the cookie has not 8 bytes.
    """
    if len(message.cookie) != COOKIE_BYTES:
        raise LocalProtocolError(f"a cookie of {len(message.cookie)} bytes")
    return bytes((message.type,)) + message.cookie
