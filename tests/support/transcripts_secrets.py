"""What a third party must know to read a recorded exchange, and the key schedule it needs for that.

Suites of SHA-384, which the engine does not have, get a schedule of their own: some of the recorded
stacks chose them.
"""

from __future__ import annotations

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256, sha384
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec, x25519
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.dtls import keys
from gateway.dtls.groups import KeyShare
from gateway.dtls.suites import SUITES, KeyExchange, Suite

_SHA_384_SUITES = {
    0x00A9: Suite(0x00A9, "TLS_PSK_WITH_AES_256_GCM_SHA384", KeyExchange.PSK, 16, AESGCM, key_bytes=32),
    0xC02C: Suite(
        0xC02C, "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384", KeyExchange.ECDHE_ECDSA, 16, AESGCM, key_bytes=32
    ),
}


def _prf_sha256(secret: bytes, label: bytes, seed: bytes, length: int) -> bytes:
    return keys.prf(keys.HmacSha256(secret), label, seed, length)


def _prf_sha384(secret: bytes, label: bytes, seed: bytes, length: int) -> bytes:
    labelled, output = label + seed, b""
    chain = labelled
    while len(output) < length:
        chain = hmac.digest(secret, chain, "sha384")
        output += hmac.digest(secret, chain + labelled, "sha384")
    return output[:length]


@dataclass(frozen=True)
class Schedule:
    """From a premaster secret to keys, with the hash of one suite."""

    suite: Suite
    prf: Callable[[bytes, bytes, bytes, int], bytes]
    hash: Callable[[bytes], Any]

    def master(self, premaster: bytes, randoms: tuple[bytes, bytes], session_hash: bytes | None) -> bytes:
        if session_hash is None:
            return self.prf(premaster, b"master secret", b"".join(randoms), 48)
        return self.prf(premaster, b"extended master secret", session_hash, 48)

    def key_block(self, master: bytes, randoms: tuple[bytes, bytes]) -> keys.KeyBlock:
        if self.suite.id in SUITES:
            return keys.key_block(keys.HmacSha256(master), *randoms, self.suite)
        block = self.prf(master, b"key expansion", randoms[1] + randoms[0], 72)
        return keys.KeyBlock(block[:32], block[32:64], block[64:68], block[68:])

    def verify_data(self, master: bytes, is_client: bool, transcript: bytes) -> tuple[bytes, bytes]:
        """The hash of *transcript*, and what a Finished after it says."""
        digest = self.hash(transcript).digest()
        label = b"client finished" if is_client else b"server finished"
        return digest, self.prf(master, label, digest, 12)


def schedule_of(number: int) -> Schedule:
    """The schedule of the suite with this number."""
    if number in SUITES:
        return Schedule(SUITES[number], _prf_sha256, sha256)
    return Schedule(_SHA_384_SUITES[number], _prf_sha384, sha384)


def _private_key(group: str, private: str) -> ec.EllipticCurvePrivateKey | x25519.X25519PrivateKey:
    if group == "x25519":
        return x25519.X25519PrivateKey.from_private_bytes(bytes.fromhex(private))
    return ec.derive_private_key(int(private, 16), ec.SECP256R1())


@dataclass(frozen=True)
class Knowledge:
    """What was given away with a recording."""

    psk: bytes
    masters: dict[bytes, bytes]
    "By client random, like the next."

    premasters: dict[bytes, bytes]
    shares: tuple[KeyShare, ...]

    @classmethod
    def of(cls, transcript: dict[str, Any], psk: str) -> Knowledge:
        def by_random(name: str) -> dict[bytes, bytes]:
            return {bytes.fromhex(a): bytes.fromhex(b) for a, b in transcript.get(name, {}).items()}

        shares = [
            KeyShare(_private_key(row["group"], row["private"])) for row in transcript.get("ephemeral", ())
        ]
        return cls(bytes.fromhex(psk), by_random("keylog"), by_random("premaster"), tuple(shares))

    def premaster(
        self, exchange: KeyExchange, client_random: bytes, publics: tuple[bytes, bytes]
    ) -> bytes | None:
        """The premaster secret, computed where it can be, else as logged; None: only the master is known."""
        if exchange is KeyExchange.PSK:
            return keys.psk_premaster(self.psk)
        for share in self.shares:
            client, server = publics
            shared = share.agree(server if share.public == client else client)
            has_psk = exchange is KeyExchange.ECDHE_PSK
            return keys.ecdhe_psk_premaster(shared, self.psk) if has_psk else shared
        return self.premasters.get(client_random)
