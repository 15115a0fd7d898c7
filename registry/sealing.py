"""Secrets as they lie on disk: AES-256-GCM, bound to the device they belong to.

Knows keys and ciphertexts. Where the key comes from is `registry.keyring`'s affair; nonces are arguments.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from registry.errors import KeyUnusable

KEY_BYTES = 32
NONCE_BYTES = 12

_VERSION = b"\x01"
_TAG_BYTES = 16
_KEY_TEXT = re.compile(r"[0-9A-Fa-f]{64}")


@dataclass(frozen=True, slots=True)
class KeySource:
    """The key as the operator gave it; with neither, ``DB.key`` beside the database is used."""

    text: str | None = field(default=None, repr=False)
    "64 hex digits; goes before *file*."

    file: Path | None = None
    "A file with 64 hex digits; never made by us."

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> KeySource:
        """``NODEGATE_KEY`` and ``NODEGATE_KEY_FILE``; empty values count as absent."""
        file = environment.get("NODEGATE_KEY_FILE")
        return cls(environment.get("NODEGATE_KEY") or None, Path(file) if file else None)


def parse_key(text: str, where: str) -> bytes:
    """The 32 bytes that 64 hex digits stand for; white space around them is passed over.

    Raises:
        KeyUnusable: names *where* the text came from, never the text.
    """
    text = text.strip()
    if not _KEY_TEXT.fullmatch(text):
        raise KeyUnusable(f"{where} does not hold a key: 64 hex digits are expected")
    return bytes.fromhex(text)


class Sealer:
    """Seals and opens secrets with one key."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._aead = AESGCM(key)
        self.check_value = hmac.digest(key, b"nodegate key check", hashlib.sha256)[:16]
        "Tells this key from another one; safe to store beside what it seals."

    def derive(self, purpose: bytes) -> bytes:
        """32 bytes that only the holder of the key can tell, and that tell nothing of it."""
        return hmac.digest(self._key, purpose, hashlib.sha256)

    def seal(self, secret: bytes, device_id: str, nonce: bytes) -> bytes:
        """*secret* for *device_id* only; *nonce* is 12 random bytes, never used twice."""
        return _VERSION + nonce + self._aead.encrypt(nonce, secret, device_id.encode())

    def unseal(self, sealed: bytes, device_id: str) -> bytes:
        """What was sealed.

        Raises:
            KeyUnusable: another key or another device sealed it, or it was damaged.
        """
        if len(sealed) < 1 + NONCE_BYTES + _TAG_BYTES or sealed[:1] != _VERSION:
            raise KeyUnusable(f"the sealed secret of {device_id} is damaged; reset it")
        nonce = sealed[1 : 1 + NONCE_BYTES]
        try:
            return self._aead.decrypt(nonce, sealed[1 + NONCE_BYTES :], device_id.encode())
        except InvalidTag:
            raise KeyUnusable(f"the secret of {device_id} cannot be opened with this key") from None
