"""What of a session never changes, as it is stored: its keys, and what they were agreed for.

Knows how it is written. How far the session has got is in the journal (`journal`); that none of this
is readable where it lies is its keeper's affair.
"""

from __future__ import annotations

import struct
from functools import lru_cache
from struct import Struct
from typing import Final, NamedTuple

from gateway.dtls.errors import DecodeError
from gateway.dtls.keys import KeyBlock
from gateway.dtls.record import MAX_PLAINTEXT_BYTES

_VERSION: Final = 2
_ENCRYPT_THEN_MAC: Final = 1

# Numbers first, then the lengths of the parts, then these: a hundred thousand are read at a start.
_KEYS: Final = Struct(">HBH7B")
_SESSION: Final = Struct(">B?QQIQ2H4B")


class StoredKeys(NamedTuple):
    """What `protection.protect` wants to know."""

    suite: int
    block: KeyBlock
    peer_cid: bytes = b""
    "What our records carry; empty: none."

    encrypt_then_mac: bool = False
    max_content_bytes: int = MAX_PLAINTEXT_BYTES
    "What a record of ours may hold (`recordsize`)."


class StoredSession(NamedTuple):
    """One session. Times are wall-clock milliseconds since the Unix epoch."""

    keys: bytes
    "`StoredKeys`, encoded: a session carries them in this form."

    cid: bytes
    "What records towards us carry; empty: none."

    established_ms: int
    expires_ms: int | None = None
    "When its certificate does."

    check_ms: int | None = None
    "How long a return routability check may take; None: the peer knows none."

    credential: bytes = b""
    "What the owner wants to know of the credential that was proved, opaque here."

    session_id: bytes = b""
    "By which it can be resumed; empty: it cannot."

    master_secret: bytes = b""
    "Only with a session ID."

    resumable_ms: int = 0
    "Until when it can be."

    server_name: bytes = b""
    "Which it must be resumed for; empty: none was named."

    is_over: bool = False
    "It can only be resumed: there is nothing to encrypt with in its keys."


def encode_keys(keys: StoredKeys) -> bytes:
    """`StoredKeys` as one string."""
    parts = (*keys.block, keys.peer_cid)
    flags = _ENCRYPT_THEN_MAC * keys.encrypt_then_mac
    return b"".join((_KEYS.pack(keys.suite, flags, keys.max_content_bytes, *map(len, parts)), *parts))


def decode_keys(data: bytes) -> StoredKeys:
    """Inverse of `encode_keys`. Whether suite and lengths fit each other is not judged.

    Raises:
        DecodeError: too short, too long, or a flag that is not known.
    """
    (suite, flags, max_content_bytes), (*block, peer_cid) = _take_apart(data, _KEYS, 3)
    if flags & ~_ENCRYPT_THEN_MAC:
        raise DecodeError(f"flags {flags}", 2)
    return StoredKeys(suite, KeyBlock(*block), peer_cid, bool(flags), max_content_bytes)


def encode_session(session: StoredSession) -> bytes:
    """`StoredSession` as one string, with the version of its form in front."""
    parts = (
        session.keys,
        session.credential,
        session.cid,
        session.session_id,
        session.master_secret,
        session.server_name,
    )
    numbers = (
        _VERSION,
        session.is_over,
        session.established_ms,
        session.expires_ms or 0,
        session.check_ms or 0,
        session.resumable_ms,
    )
    return b"".join((_SESSION.pack(*numbers, *map(len, parts)), *parts))


def decode_session(data: bytes) -> StoredSession:
    """Inverse of `encode_session`.

    Raises:
        DecodeError: another version, too short or too long.
    """
    if data[:1] != bytes((_VERSION,)):
        raise DecodeError(f"a session of version {data[:1].hex()}", 0)
    numbers, parts = _take_apart(data, _SESSION, 6)
    _, is_over, established_ms, expires_ms, check_ms, resumable_ms = numbers
    keys, credential, cid, session_id, master_secret, server_name = parts
    return StoredSession(
        keys,
        cid,
        established_ms,
        expires_ms or None,
        check_ms or None,
        credential,
        session_id,
        master_secret,
        resumable_ms,
        server_name,
        bool(is_over),
    )


def forget_traffic_keys(keys: bytes) -> bytes:
    """Of `StoredKeys`, encoded: what is needed to resume the session, and no more."""
    stored = decode_keys(keys)
    return encode_keys(stored._replace(block=KeyBlock(*(b"" for _ in KeyBlock._fields)), peer_cid=b""))


def _take_apart(data: bytes, head: Struct, count: int) -> tuple[tuple[int, ...], tuple[bytes, ...]]:
    """The first *count* numbers of *head*, and the parts whose lengths its others are.

    Raises:
        DecodeError: too short or too long.
    """
    try:
        values = head.unpack_from(data)
        return values[:count], _layout(values[count:]).unpack(data[head.size :])
    except struct.error:
        raise DecodeError(f"{len(data)} bytes", len(data)) from None


@lru_cache(maxsize=256)
def _layout(lengths: tuple[int, ...]) -> Struct:
    return Struct("".join(f"{length}s" for length in lengths))
