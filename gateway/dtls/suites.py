"""The cipher suites that can be negotiated: one row each.

Knows numbers, names and sizes, and which primitive protects records. A suite that is not in
`SUITES` does not exist for the engine. All of them use the PRF of RFC 5246 §5 with SHA-256. Records
of CBC suites are protected in `cbc`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Final, Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESCCM, AESGCM

from gateway.dtls.contexts import RECENT
from gateway.dtls.errors import LocalProtocolError

EMPTY_RENEGOTIATION_INFO_SCSV: Final = 0x00FF
"Not a suite: a client that lists it indicates secure renegotiation (RFC 5746 §3.3)."


class AEAD(Protocol):
    """Authenticated encryption with associated data, as `cryptography` offers it (RFC 5116)."""

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes: ...

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes: ...


class KeyExchange(Enum):
    """How the premaster secret comes about."""

    PSK = "PSK"
    ECDHE_PSK = "ECDHE_PSK"
    ECDHE_ECDSA = "ECDHE_ECDSA"

    @property
    def has_psk(self) -> bool:
        """Whether the client names an identity, and its key goes into the premaster secret."""
        return self is not KeyExchange.ECDHE_ECDSA

    @property
    def is_ephemeral(self) -> bool:
        """Whether both sides send a public value made for this handshake."""
        return self is not KeyExchange.PSK

    @property
    def has_certificates(self) -> bool:
        """Whether the server, and the client if asked, prove a certificate or a raw public key."""
        return self is KeyExchange.ECDHE_ECDSA


@dataclass(frozen=True, slots=True)
class Suite:
    """One row of the table."""

    id: int
    name: str
    "The IANA name."

    key_exchange: KeyExchange
    tag_bytes: int
    "What authenticates a record: the tag of the AEAD, or the MAC of a CBC suite."

    aead: Callable[[bytes], AEAD]
    "Makes the cipher from a write key."

    key_bytes: int = 16
    iv_bytes: int = 4
    "The implicit part of the nonce (RFC 5288 §3, RFC 6655 §3)."

    explicit_nonce_bytes: int = 8
    "What stands before the ciphertext: of a CBC suite, the IV."

    mac_bytes: int = 0
    "Of the MAC and its keys; 0: AEAD."

    @property
    def is_cbc(self) -> bool:
        """Whether records are protected by AES-CBC and HMAC (RFC 5246 §6.2.3.2)."""
        return self.mac_bytes != 0


class _LargeGcm:
    """AES-GCM whose context is kept only while it is lately used."""

    __slots__ = ("__weakref__", "_cipher", "_key")

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._cipher: AESGCM | None = None

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes:
        return (self._cipher or self._make()).encrypt(nonce, data, associated_data)

    def decrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes:
        return (self._cipher or self._make()).decrypt(nonce, data, associated_data)

    def release(self) -> None:
        self._cipher = None

    def _make(self) -> AESGCM:
        cipher = self._cipher = AESGCM(self._key)
        RECENT.add(self)
        return cipher


def _ccm_8(key: bytes) -> AEAD:
    return AESCCM(key, 8)


def _no_aead(key: bytes) -> AEAD:
    raise LocalProtocolError("a CBC suite has no AEAD")


def _cbc(number: int, name: str, key_exchange: KeyExchange) -> Suite:
    return Suite(number, name, key_exchange, 32, _no_aead, iv_bytes=0, explicit_nonce_bytes=16, mac_bytes=32)


_PSK: Final = KeyExchange.PSK
_ECDHE_PSK: Final = KeyExchange.ECDHE_PSK
_ECDHE_ECDSA: Final = KeyExchange.ECDHE_ECDSA

# In order of preference: forward secrecy at the price of a PSK first, CBC last. CCM_8 first in each
# family: every LwM2M device has it, it is short on the air and small in memory.
_ROWS = (
    Suite(0xD003, "TLS_ECDHE_PSK_WITH_AES_128_CCM_8_SHA256", _ECDHE_PSK, 8, _ccm_8),
    Suite(0xD001, "TLS_ECDHE_PSK_WITH_AES_128_GCM_SHA256", _ECDHE_PSK, 16, _LargeGcm),
    Suite(0xC0A8, "TLS_PSK_WITH_AES_128_CCM_8", _PSK, 8, _ccm_8),
    Suite(0xC0A4, "TLS_PSK_WITH_AES_128_CCM", _PSK, 16, AESCCM),
    Suite(0x00A8, "TLS_PSK_WITH_AES_128_GCM_SHA256", _PSK, 16, _LargeGcm),
    Suite(0xC0AE, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM_8", _ECDHE_ECDSA, 8, _ccm_8),
    Suite(0xC0AC, "TLS_ECDHE_ECDSA_WITH_AES_128_CCM", _ECDHE_ECDSA, 16, AESCCM),
    Suite(0xC02B, "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256", _ECDHE_ECDSA, 16, _LargeGcm),
    _cbc(0xC037, "TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256", _ECDHE_PSK),
    _cbc(0x00AE, "TLS_PSK_WITH_AES_128_CBC_SHA256", _PSK),
    _cbc(0xC023, "TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256", _ECDHE_ECDSA),
)

SUITES: Final[dict[int, Suite]] = {row.id: row for row in _ROWS}

PREFERRED_SUITES: Final[tuple[int, ...]] = tuple(SUITES)
"All of them, in order of preference: (ECDHE_)PSK before ECDHE_ECDSA, every AEAD before any CBC."

DEFAULT_SUITES: Final[tuple[int, ...]] = (0xC0A8, 0xC0A4, 0x00A8)
"What a client offers unless told otherwise: it has a pre-shared key."

_BY_NAME: Final[dict[str, Suite]] = {row.name: row for row in _ROWS}


def by_name(name: str) -> Suite | None:
    """The suite with this IANA name; None when the engine has none such."""
    return _BY_NAME.get(name)
