"""Records of CBC suites: AES-128-CBC, HMAC-SHA256 (RFC 5246 §6.2.3.2, RFC 7366, RFC 9146 §5).

The same two verbs as `record.Sealer` and `record.Opener`. Without encrypt-then-MAC, what the padding
says decides how much is hashed, and a peer that could tell would read plaintext (Lucky 13). So a record
of a given length costs the same number of calls and of SHA-256 compressions whatever is in it, exactly
one MAC is compared, and there is one way to drop it. This is a mitigation: nothing in Python is
constant-time.
"""

from __future__ import annotations

from collections.abc import Callable
from hmac import compare_digest
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

from gateway.dtls.contexts import RECENT
from gateway.dtls.errors import LocalProtocolError
from gateway.dtls.keys import HmacSha256
from gateway.dtls.record import (
    CID_HEADER_START,
    CID_RECORD_START,
    DTLS_1_2,
    HEADER_BYTES,
    MAX_FORGERIES,
    MAX_PLAINTEXT_BYTES,
    MAX_SEQUENCE,
    TLS12_CID,
    TYPE_BYTES,
    Record,
)

BLOCK_BYTES: Final = 16
IV_BYTES: Final = BLOCK_BYTES
MAC_BYTES: Final = 32
MAX_PADDING_BYTES: Final = 255
"Beside the byte that says how much there is."

Contexts = tuple[CipherContext, HmacSha256]
"Of one direction: AES under the write key, HMAC under the MAC key."

MAX_QUESTIONS: Final = 1_024
"Forged records that a session without encrypt-then-MAC bears before it ends."

_MIN_FRAGMENT_BYTES: Final = 64
"An IV, one block and a MAC, or an IV and the three blocks that hold a MAC and a byte of padding."

_MAX_FRAGMENT_BYTES: Final = IV_BYTES + MAX_PLAINTEXT_BYTES + MAC_BYTES + MAX_PADDING_BYTES + 1
_NO_IV: Final = bytes(IV_BYTES)
_PADDINGS: Final = [bytes((size,)) * (size + 1) for size in range(MAX_PADDING_BYTES + 1)]


def compressions(message_bytes: int) -> int:
    """How often SHA-256 compresses for a message of this length, after the block of the HMAC key."""
    return (message_bytes + 9 + 63) >> 6


class CbcSealer:
    """Protects the records of one direction: towards a peer that wants *peer_cid* in them, or none.

    *entropy* is asked for 16 bytes a record. They go through the cipher before the content, and what
    comes out is the IV: as random as they are, and one call for both.
    """

    __slots__ = (
        "__weakref__",
        "_cid",
        "_contexts",
        "_entropy",
        "_key",
        "_mac_key",
        "encrypt_then_mac",
    )

    def __init__(
        self,
        key: bytes,
        mac_key: bytes,
        peer_cid: bytes,
        entropy: Callable[[int], bytes],
        encrypt_then_mac: bool,
    ) -> None:
        self._key = key
        self._mac_key = mac_key
        self._cid = peer_cid
        self._entropy = entropy
        self.encrypt_then_mac = encrypt_then_mac
        self._contexts: Contexts | None = None

    @property
    def overhead_bytes(self) -> int:
        """How much longer a record is than what it holds, header included, where padding is longest."""
        return HEADER_BYTES + IV_BYTES + MAC_BYTES + BLOCK_BYTES + (len(self._cid) + 1 if self._cid else 0)

    def seal(self, content_type: int, epoch: int, sequence: int, plaintext: bytes) -> bytes:
        """The whole record.

        Raises:
            LocalProtocolError: *plaintext* is too long, or the sequence numbers are used up.
        """
        cid = self._cid
        if cid:
            plaintext += TYPE_BYTES[content_type]
        size = len(plaintext)
        if size > MAX_PLAINTEXT_BYTES or sequence > MAX_SEQUENCE:
            raise LocalProtocolError(f"record {sequence} of {size} bytes cannot be sealed")
        number = (epoch << 48 | sequence).to_bytes(8, "big")
        if cid:
            start = CID_RECORD_START + number + cid
            mac_start = CID_HEADER_START[len(cid)] + number + cid
        else:
            start = TYPE_BYTES[content_type] + b"\xfe\xfd"
            mac_start = number + start
            start += number
        encryptor, mac = self._contexts or self._make()
        random = self._entropy(IV_BYTES)
        if self.encrypt_then_mac:
            sealed = encryptor.update(random + plaintext + _PADDINGS[~size & 15])
            sealed += mac.digest(mac_start + len(sealed).to_bytes(2, "big") + sealed)
        else:
            digest = mac.digest(mac_start + size.to_bytes(2, "big") + plaintext)
            sealed = encryptor.update(random + plaintext + digest + _PADDINGS[~size & 15])
        return start + len(sealed).to_bytes(2, "big") + sealed

    def release(self) -> None:
        """Let go of the contexts until the next record."""
        self._contexts = None

    def _make(self) -> Contexts:
        encryptor = Cipher(algorithms.AES(self._key), modes.CBC(_NO_IV)).encryptor()
        contexts = self._contexts = encryptor, HmacSha256(self._mac_key)
        RECENT.add(self)
        return contexts


class CbcOpener:
    """Opens the records of one direction: towards us, who asked for *own_cid* in them, or for none."""

    __slots__ = ("__weakref__", "_cid", "_contexts", "_key", "_mac_key", "encrypt_then_mac")

    def __init__(self, key: bytes, mac_key: bytes, own_cid: bytes, encrypt_then_mac: bool) -> None:
        self._key = key
        self._mac_key = mac_key
        self._cid = own_cid
        self.encrypt_then_mac = encrypt_then_mac
        self._contexts: Contexts | None = None

    @property
    def max_forgeries(self) -> int:
        """Few where the MAC lies inside: each forged record is a question about a plaintext."""
        return MAX_FORGERIES if self.encrypt_then_mac else MAX_QUESTIONS

    def open(self, record: Record) -> tuple[int, bytes] | None:
        """The content type and the content of an authentic record; None for any other.

        As `record.Opener.open`; a wrong padding is no other case than a wrong MAC.
        """
        content_type, version, _, _, cid, number, fragment = record
        size = len(fragment)
        if size < _MIN_FRAGMENT_BYTES or size > _MAX_FRAGMENT_BYTES or size & 15:
            return None
        if version != DTLS_1_2 or cid != self._cid:
            return None
        if cid:
            mac_start = CID_HEADER_START[len(cid)] + number + cid
        elif content_type == TLS12_CID:
            return None
        else:
            mac_start = number + TYPE_BYTES[content_type] + b"\xfe\xfd"
        decryptor, mac = self._contexts or self._make()
        if self.encrypt_then_mac:
            plaintext = _open_encrypted(fragment, mac_start, decryptor, mac)
        else:
            plaintext = _open_padded(decryptor.update(fragment)[IV_BYTES:], mac_start, mac)
        if plaintext is None or len(plaintext) > MAX_PLAINTEXT_BYTES:
            return None
        if not cid:
            return content_type, plaintext
        plaintext = plaintext.rstrip(b"\0")
        return (plaintext[-1], plaintext[:-1]) if plaintext else (0, b"")

    def release(self) -> None:
        """Let go of the contexts until the next record."""
        self._contexts = None

    def _make(self) -> Contexts:
        # One context for all records: the IV goes through it as a block, whose plaintext is thrown away.
        decryptor = Cipher(algorithms.AES(self._key), modes.CBC(_NO_IV)).decryptor()
        contexts = self._contexts = decryptor, HmacSha256(self._mac_key)
        RECENT.add(self)
        return contexts


def _open_encrypted(
    fragment: bytes, mac_start: bytes, decryptor: CipherContext, mac: HmacSha256
) -> bytes | None:
    """What stands in a record of RFC 7366: nothing is decrypted before its MAC is right."""
    sealed = fragment[:-MAC_BYTES]
    digest = mac.digest(mac_start + len(sealed).to_bytes(2, "big") + sealed)
    if not compare_digest(digest, fragment[-MAC_BYTES:]):
        return None
    padded = decryptor.update(sealed)[IV_BYTES:]
    padding = padded[-1]
    if not padded.endswith(_PADDINGS[padding]):
        return None
    return padded[: -1 - padding]


def _open_padded(padded: bytes, mac_start: bytes, mac: HmacSha256) -> bytes | None:
    """What stands before MAC and padding; None unless both are right, and no way to tell which was not.

    No branch depends on *padded*, only on its length. A wrong padding counts as none, so that the MAC
    is then taken over the longest content there can be; what a shorter one saves is compressed beside.
    """
    room = len(padded) - MAC_BYTES - 1
    padding = padded[-1]
    padding *= padding <= room
    tail = padded[-1 - MAX_PADDING_BYTES :]
    is_padded = compare_digest(tail, tail[: len(tail) - 1 - padding] + _PADDINGS[padding])
    padding *= is_padded
    size = room - padding
    # The first part has a length that everybody knows; only the second depends on the padding. It is
    # too short for hashlib to let other threads run meanwhile.
    certain = max(room - MAX_PADDING_BYTES, 0)
    header_bytes = len(mac_start) + 2
    digest = mac.digest_evenly(
        mac_start + size.to_bytes(2, "big") + padded[:certain],
        padded[certain:size],
        compressions(header_bytes + room) - compressions(header_bytes + size),
    )
    is_authentic = compare_digest(digest, padded[size : size + MAC_BYTES])
    if not is_padded & is_authentic:
        return None
    return padded[:size]
