"""The cipher suites that can be negotiated: one row each.

Knows numbers, names and sizes, and which primitive protects records. A suite that is not in
`SUITES` does not exist for the engine. All of them use the PRF of RFC 5246 §5 with SHA-256.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM

EMPTY_RENEGOTIATION_INFO_SCSV: Final = 0x00FF
"Not a suite: a client that lists it indicates secure renegotiation (RFC 5746 §3.3)."


class AEAD(Protocol):
    """Authenticated encryption with associated data, as `cryptography` offers it (RFC 5116)."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes: ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes: ...


class KeyExchange(Enum):
    """How the premaster secret comes about."""

    PSK = "PSK"


@dataclass(frozen=True, slots=True)
class Suite:
    """One row of the table."""

    id: int
    name: str
    "The IANA name."

    key_exchange: KeyExchange
    tag_bytes: int
    aead: Callable[[bytes], AEAD]
    "Makes the cipher from a write key."

    key_bytes: int = 16
    iv_bytes: int = 4
    "The implicit part of the nonce (RFC 5288 §3, RFC 6655 §3)."

    explicit_nonce_bytes: int = 8
    mac_bytes: int = 0


def _ccm_8(key: bytes) -> AEAD:
    return AESCCM(key, 8)


_ROWS = (
    Suite(0xC0A8, "TLS_PSK_WITH_AES_128_CCM_8", KeyExchange.PSK, tag_bytes=8, aead=_ccm_8),
    Suite(0xC0A4, "TLS_PSK_WITH_AES_128_CCM", KeyExchange.PSK, tag_bytes=16, aead=AESCCM),
    Suite(0x00A8, "TLS_PSK_WITH_AES_128_GCM_SHA256", KeyExchange.PSK, tag_bytes=16, aead=AESGCM),
)

SUITES: Final[dict[int, Suite]] = {row.id: row for row in _ROWS}

DEFAULT_SUITES: Final[tuple[int, ...]] = tuple(SUITES)
"In order of preference. CCM_8 first: every LwM2M device has it, it is short on the air and small in memory."

_BY_NAME: Final[dict[str, Suite]] = {row.name: row for row in _ROWS}


def by_name(name: str) -> Suite | None:
    """The suite with this IANA name; None when the engine has none such."""
    return _BY_NAME.get(name)
