"""Proof that a plain peer receives what is sent to its address: the Echo option (RFC 9175 §2).

An Echo value is a MAC over the address and the time; nothing is kept for it. Knows no messages.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from hashlib import blake2s

from gateway.address import Address

ECHO_BYTES = 8
_KEY_BYTES = 32


class EchoChallenge:
    """Makes Echo values and knows them again."""

    def __init__(self, entropy: Callable[[int], bytes], window_s: float) -> None:
        """*entropy* gives that many random bytes; called once."""
        self._key = entropy(_KEY_BYTES)
        self._window_s = window_s

    def make(self, address: Address, now: float) -> bytes:
        """The value that proves *address*; good for one to two windows."""
        return self._compute(address, int(now / self._window_s))

    def is_valid(self, value: bytes, address: Address, now: float) -> bool:
        """Whether *value* was made for *address* in this window or the one before."""
        window = int(now / self._window_s)
        return any(hmac.compare_digest(value, self._compute(address, at)) for at in (window, window - 1))

    def _compute(self, address: Address, window: int) -> bytes:
        text = f"{window} {address.host} {address.port} {address.scope}"
        return blake2s(text.encode(), key=self._key, digest_size=ECHO_BYTES).digest()
