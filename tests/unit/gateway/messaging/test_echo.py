"""Echo values (RFC 9175): good for one address, for a while, and for nothing else."""

from __future__ import annotations

from gateway.address import Address
from gateway.messaging.echo import ECHO_BYTES, EchoChallenge

HOME = Address("192.0.2.1", 5683)
WINDOW_S = 128.0


def _challenge(key: bytes = bytes(32)) -> EchoChallenge:
    return EchoChallenge(lambda length: key[:length], WINDOW_S)


def test_value_proves_its_address() -> None:
    challenge = _challenge()
    value = challenge.make(HOME, 1000.0)
    assert len(value) == ECHO_BYTES
    assert challenge.is_valid(value, HOME, 1000.0)


def test_value_does_not_depend_on_our_own_end() -> None:
    challenge = _challenge()
    value = challenge.make(HOME, 1000.0)
    assert challenge.is_valid(value, HOME._replace(local=b"other"), 1000.0)


def test_value_of_another_address_or_port_is_refused() -> None:
    challenge = _challenge()
    value = challenge.make(HOME, 1000.0)
    assert not challenge.is_valid(value, Address("192.0.2.2", 5683), 1000.0)
    assert not challenge.is_valid(value, Address("192.0.2.1", 5684), 1000.0)


def test_value_of_another_process_is_refused() -> None:
    value = _challenge(bytes(32)).make(HOME, 1000.0)
    assert not _challenge(b"\x01" * 32).is_valid(value, HOME, 1000.0)


def test_value_lives_one_to_two_windows() -> None:
    challenge = _challenge()
    begin = WINDOW_S * 10
    early, late = challenge.make(HOME, begin), challenge.make(HOME, begin + WINDOW_S - 1)
    assert challenge.is_valid(late, HOME, begin + 2 * WINDOW_S - 1)
    assert challenge.is_valid(early, HOME, begin + 2 * WINDOW_S - 1)
    assert not challenge.is_valid(early, HOME, begin + 2 * WINDOW_S)
    assert not challenge.is_valid(late, HOME, begin + 2 * WINDOW_S)


def test_value_of_wrong_length_is_refused() -> None:
    challenge = _challenge()
    value = challenge.make(HOME, 1000.0)
    assert not challenge.is_valid(value[:-1], HOME, 1000.0)
    assert not challenge.is_valid(value + b"\0", HOME, 1000.0)
