"""Stateless cookies (RFC 6347 §4.2.1): proof that a client can be reached where it says it is.

Knows two secrets, the current and the one before. Keeps nothing about any client.
"""

from __future__ import annotations

from hmac import compare_digest
from typing import Final

from gateway.address import Address
from gateway.dtls.keys import HmacSha256

COOKIE_BYTES: Final = 16
"Short, so that a second hello still fits the datagrams of small modems."

SECRET_BYTES: Final = 32


class CookieMaker:
    """Makes and checks cookies.

    The owner asks `is_rotation_due` before each use and, if so, gives a new secret to `rotate`. A cookie
    holds for one lifetime at least and for two at most.
    """

    __slots__ = ("_current", "_lifetime_s", "_previous", "_since")

    def __init__(self, secret: bytes, lifetime_s: float, now: float) -> None:
        self._current = HmacSha256(secret)
        self._previous: HmacSha256 | None = None
        self._lifetime_s = lifetime_s
        self._since = now

    def is_rotation_due(self, now: float) -> bool:
        """Whether the current secret has served its lifetime."""
        return now - self._since >= self._lifetime_s

    def rotate(self, secret: bytes, now: float) -> None:
        """Make cookies with *secret* from now on; those of the secret before are still accepted."""
        is_outdated = now - self._since >= 2 * self._lifetime_s
        self._previous = None if is_outdated else self._current
        self._current = HmacSha256(secret)
        # Counted from when it was due: a secret that was left in place for longer must not go later.
        self._since = now if is_outdated else self._since + self._lifetime_s

    def make(self, address: Address, unchanging: bytes) -> bytes:
        """The cookie for the hello with this `messages.unchanging_part` from this address."""
        return self._current.digest(_covered(address, unchanging))[:COOKIE_BYTES]

    def is_valid(self, cookie: bytes, address: Address, unchanging: bytes) -> bool:
        """Whether *cookie* is the one that was made for it; in constant time."""
        if len(cookie) != COOKIE_BYTES:
            return False
        covered = _covered(address, unchanging)
        if compare_digest(self._current.digest(covered)[:COOKIE_BYTES], cookie):
            return True
        previous = self._previous
        return previous is not None and compare_digest(previous.digest(covered)[:COOKIE_BYTES], cookie)


def _covered(address: Address, unchanging: bytes) -> bytes:
    """Address, version, random, session id, suites and compression methods in one unambiguous row.

    Without the extensions: clients that also offer DTLS 1.3 change them between their two hellos.
    """
    return f"{address.host}%{address.scope}/{address.port}/".encode() + unchanging
