"""Stateless cookies."""

from __future__ import annotations

import pytest

from gateway.address import Address
from gateway.dtls.cookie import COOKIE_BYTES, CookieMaker
from gateway.dtls.messages import encode_client_hello, find_client_hello_parts, unchanging_part

ADDRESS = Address("192.0.2.1", 50000)
LIFETIME = 60.0


def hello(
    version: int = 0xFEFD,
    random: bytes = b"r" * 32,
    session_id: bytes = b"",
    suites: tuple[int, ...] = (0xC0A8, 0x00FF),
    extensions: dict[int, bytes] | None = None,
) -> bytes:
    body = encode_client_hello(version, random, session_id, b"", suites, extensions or {})
    parts = find_client_hello_parts(body)
    assert parts is not None
    return unchanging_part(body, parts)


@pytest.fixture
def maker() -> CookieMaker:
    return CookieMaker(b"1" * 32, LIFETIME, now=0.0)


def test_cookie_of_the_same_hello_and_address_is_valid(maker: CookieMaker) -> None:
    cookie = maker.make(ADDRESS, hello())
    assert len(cookie) == COOKIE_BYTES
    assert maker.is_valid(cookie, ADDRESS, hello())


def test_extensions_may_change_between_the_hellos(maker: CookieMaker) -> None:
    cookie = maker.make(ADDRESS, hello(extensions={43: b"\2\xfe\xfc", 23: b""}))
    assert maker.is_valid(cookie, ADDRESS, hello(extensions={23: b""}))


@pytest.mark.parametrize(
    "address",
    [Address("192.0.2.2", 50000), Address("192.0.2.1", 50001), Address("192.0.2.1", 50000, scope=2)],
)
def test_a2_cookie_of_another_address_is_not_valid(maker: CookieMaker, address: Address) -> None:
    assert not maker.is_valid(maker.make(ADDRESS, hello()), address, hello())


@pytest.mark.parametrize(
    "changed",
    [
        {"version": 0xFEFF},
        {"random": b"R" * 32},
        {"session_id": b"\0"},
        {"suites": (0xC0A8,)},
        {"suites": (0x00FF, 0xC0A8)},
    ],
)
def test_a2_cookie_of_another_hello_is_not_valid(maker: CookieMaker, changed: dict[str, object]) -> None:
    cookie = maker.make(ADDRESS, hello())
    assert not maker.is_valid(cookie, ADDRESS, hello(**changed))  # type: ignore[arg-type]


@pytest.mark.parametrize("length", [0, 1, 15, 17, 32, 255])
def test_a3_cookie_of_another_length_is_not_valid(maker: CookieMaker, length: int) -> None:
    cookie = maker.make(ADDRESS, hello())
    assert not maker.is_valid((cookie * 16)[:length], ADDRESS, hello())


def test_a7_cookie_survives_one_rotation_and_not_two(maker: CookieMaker) -> None:
    cookie = maker.make(ADDRESS, hello())
    maker.rotate(b"2" * 32, now=LIFETIME)
    assert maker.is_valid(cookie, ADDRESS, hello())
    assert maker.make(ADDRESS, hello()) != cookie
    maker.rotate(b"3" * 32, now=2 * LIFETIME)
    assert not maker.is_valid(cookie, ADDRESS, hello())


def test_a7_rotation_after_a_quiet_time_forgets_the_old_secret(maker: CookieMaker) -> None:
    cookie = maker.make(ADDRESS, hello())
    maker.rotate(b"2" * 32, now=2 * LIFETIME)
    assert not maker.is_valid(cookie, ADDRESS, hello())


def test_rotation_is_due_after_a_lifetime(maker: CookieMaker) -> None:
    assert not maker.is_rotation_due(59.9)
    assert maker.is_rotation_due(60.0)
    maker.rotate(b"2" * 32, now=61.0)
    assert not maker.is_rotation_due(119.9)


def test_a7_late_rotation_does_not_delay_the_next(maker: CookieMaker) -> None:
    cookie = maker.make(ADDRESS, hello())
    maker.rotate(b"2" * 32, now=119.0)
    assert maker.is_valid(cookie, ADDRESS, hello())
    assert maker.is_rotation_due(120.0)
    maker.rotate(b"3" * 32, now=120.0)
    assert not maker.is_valid(cookie, ADDRESS, hello())
