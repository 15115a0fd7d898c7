"""The key schedule of TLS 1.2: PRF, premaster, master secret, key block, Finished.

Keeps no secret beyond the call; only `HmacSha256` holds the key it was made with.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Final, NamedTuple

from gateway.dtls.suites import Suite

MASTER_SECRET_BYTES: Final = 48
VERIFY_DATA_BYTES: Final = 12

_BLOCK_BYTES: Final = 64
_SPARE_BLOCKS: Final = tuple(bytes(_BLOCK_BYTES * count) for count in range(5))
_INNER_PAD: Final = bytes(value ^ 0x36 for value in range(256))
_OUTER_PAD: Final = bytes(value ^ 0x5C for value in range(256))


class HmacSha256:
    """HMAC-SHA256 (RFC 2104) under one key, for many messages.

    Holds the two half-finished hashes, so a message costs no key set-up: less than half of the
    time of `hmac.digest`, twelve times in a handshake.
    """

    __slots__ = ("_inner", "_outer")

    def __init__(self, key: bytes) -> None:
        if len(key) > _BLOCK_BYTES:
            key = sha256(key).digest()
        padded = key.ljust(_BLOCK_BYTES, b"\0")
        self._inner = sha256(padded.translate(_INNER_PAD))
        self._outer = sha256(padded.translate(_OUTER_PAD))

    def digest(self, message: bytes) -> bytes:
        """The 32 bytes of the MAC."""
        inner = self._inner.copy()
        inner.update(message)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()

    def digest_evenly(self, first: bytes, second: bytes, spare: int) -> bytes:
        """The MAC of *first* and *second*, with *spare* compressions more than it takes (at most 4).

        For messages whose length must not show in the time: the same calls, whatever the three are.
        """
        inner = self._inner.copy()
        inner.update(first)
        inner.update(second)
        outer = self._outer.copy()
        outer.update(inner.digest())
        beside = self._inner.copy()
        beside.update(_SPARE_BLOCKS[spare])
        return outer.digest()


class KeyBlock(NamedTuple):
    """What each direction encrypts with (RFC 5246 §6.3)."""

    client_key: bytes
    server_key: bytes
    client_iv: bytes
    server_iv: bytes
    client_mac: bytes = b""
    "Like the one of the server only in CBC suites, which in turn have no IVs here."

    server_mac: bytes = b""


def prf(secret: HmacSha256, label: bytes, seed: bytes, length: int) -> bytes:
    """*length* bytes of P_SHA256 (RFC 5246 §5)."""
    digest = secret.digest
    labelled = label + seed
    chain = digest(labelled)
    output = digest(chain + labelled)
    while len(output) < length:
        chain = digest(chain)
        output += digest(chain + labelled)
    return output[:length]


def psk_premaster(psk: bytes) -> bytes:
    """The premaster secret of plain PSK: as many zeros as the key is long, then the key (RFC 4279 §2)."""
    length = len(psk).to_bytes(2, "big")
    return length + bytes(len(psk)) + length + psk


def ecdhe_psk_premaster(shared: bytes, psk: bytes) -> bytes:
    """The premaster secret of ECDHE_PSK: the shared secret, then the key (RFC 5489 §2).

    That of ECDHE_ECDSA is the shared secret alone (RFC 8422 §5.10).
    """
    return len(shared).to_bytes(2, "big") + shared + len(psk).to_bytes(2, "big") + psk


def master_secret(premaster: bytes, client_random: bytes, server_random: bytes) -> bytes:
    """RFC 5246 §8.1, for a peer without extended master secret."""
    return prf(HmacSha256(premaster), b"master secret", client_random + server_random, MASTER_SECRET_BYTES)


def extended_master_secret(premaster: bytes, session_hash: bytes) -> bytes:
    """RFC 7627 §4. *session_hash*: SHA-256 of the handshake up to and with the ClientKeyExchange."""
    return prf(HmacSha256(premaster), b"extended master secret", session_hash, MASTER_SECRET_BYTES)


def key_block(master: HmacSha256, client_random: bytes, server_random: bytes, suite: Suite) -> KeyBlock:
    """The write keys and implicit nonces of an AEAD suite, or write keys and MAC keys (RFC 5246 §6.3)."""
    key = suite.key_bytes
    iv = suite.iv_bytes
    mac = suite.mac_bytes
    seed = server_random + client_random
    if mac:
        macs = prf(master, b"key expansion", seed, 2 * (mac + key))
        write_keys = macs[2 * mac :]
        return KeyBlock(write_keys[:key], write_keys[key:], b"", b"", macs[:mac], macs[mac : 2 * mac])
    block = prf(master, b"key expansion", seed, 2 * (key + iv))
    return KeyBlock(block[:key], block[key : 2 * key], block[2 * key : 2 * key + iv], block[2 * key + iv :])


def verify_data(master: HmacSha256, is_client: bool, handshake_hash: bytes) -> bytes:
    """The content of the Finished that the client or the server sends (RFC 5246 §7.4.9).

    *handshake_hash*: SHA-256 of all handshake messages before this one, each as if unfragmented,
    without HelloVerifyRequest and the ClientHello before it (RFC 6347 §4.2.6).
    """
    label = b"client finished" if is_client else b"server finished"
    return prf(master, label, handshake_hash, VERIFY_DATA_BYTES)
