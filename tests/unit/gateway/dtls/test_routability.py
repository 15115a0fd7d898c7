"""Messages of the return routability check, as RFC 9853 §4 writes them."""

from __future__ import annotations

import pytest

from gateway.dtls.errors import DecodeError, LocalProtocolError
from gateway.dtls.extensions import ExtensionType
from gateway.dtls.record import ContentType
from gateway.dtls.routability import (
    RoutabilityMessage,
    RoutabilityType,
    decode_routability_message,
    encode_routability_message,
    timeout_s,
)

COOKIE = b"12345678"


def test_numbers_are_those_of_the_rfc() -> None:
    assert [kind.value for kind in RoutabilityType] == [0, 1, 2]
    assert ContentType.RETURN_ROUTABILITY_CHECK == 27
    assert ExtensionType.RRC == 61


@pytest.mark.parametrize("kind", RoutabilityType)
def test_message_is_a_type_and_a_cookie(kind: RoutabilityType) -> None:
    message = RoutabilityMessage(kind, COOKIE)
    assert encode_routability_message(message) == bytes((kind,)) + COOKIE
    assert decode_routability_message(bytes((kind,)) + COOKIE) == message


def test_a_check_takes_three_round_trips_and_a_second_at_least() -> None:
    assert [timeout_s(trip) for trip in (None, 0.001, 1.0, 2.5)] == [1.0, 1.0, 3.0, 7.5]


@pytest.mark.parametrize("kind", [3, 4, 127, 255])
@pytest.mark.parametrize("rest", [b"", COOKIE, bytes(100)], ids=len)
def test_unknown_types_are_to_be_ignored_whatever_follows(kind: int, rest: bytes) -> None:
    assert decode_routability_message(bytes((kind,)) + rest) is None


@pytest.mark.parametrize("kind", RoutabilityType)
@pytest.mark.parametrize("size", [0, 1, 7, 9, 16])
def test_cookie_of_another_length_is_malformed(kind: RoutabilityType, size: int) -> None:
    with pytest.raises(DecodeError):
        decode_routability_message(bytes((kind,)) + bytes(size))
    with pytest.raises(LocalProtocolError):
        encode_routability_message(RoutabilityMessage(kind, bytes(size)))


def test_empty_message_is_malformed() -> None:
    with pytest.raises(DecodeError):
        decode_routability_message(b"")
