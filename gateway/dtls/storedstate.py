"""What of a session never changes, as it is stored: its keys, and what they were agreed for.

Knows how it is written. How far the session has got is in the journal (`journal`); that none of this
is readable where it lies is its keeper's affair.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from gateway.dtls.errors import DecodeError
from gateway.dtls.keys import KeyBlock
from gateway.dtls.record import MAX_PLAINTEXT_BYTES
from gateway.dtls.wire import Reader, encode_vector

_VERSION: Final = 1
_ENCRYPT_THEN_MAC: Final = 1


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


def encode_keys(keys: StoredKeys) -> bytes:
    """`StoredKeys` as one string."""
    parts = [
        keys.suite.to_bytes(2, "big"),
        bytes((_ENCRYPT_THEN_MAC * keys.encrypt_then_mac,)),
        keys.max_content_bytes.to_bytes(2, "big"),
    ]
    parts += [encode_vector(part, 1) for part in (*keys.block, keys.peer_cid)]
    return b"".join(parts)


def decode_keys(data: bytes) -> StoredKeys:
    """Inverse of `encode_keys`. Whether suite and lengths fit each other is not judged.

    Raises:
        DecodeError: too short, too long, or a flag that is not known.
    """
    reader = Reader(data)
    suite, flags = reader.u16(), reader.u8()
    if flags & ~_ENCRYPT_THEN_MAC:
        raise DecodeError(f"flags {flags}", 2)
    max_content_bytes = reader.u16()
    block = KeyBlock(*(reader.vector8() for _ in KeyBlock._fields))
    peer_cid = reader.vector8()
    reader.expect_end()
    return StoredKeys(suite, block, peer_cid, bool(flags), max_content_bytes)


def encode_session(session: StoredSession) -> bytes:
    """`StoredSession` as one string, with the version of its form in front."""
    return b"".join(
        (
            bytes((_VERSION,)),
            encode_vector(session.keys, 2),
            encode_vector(session.cid, 1),
            session.established_ms.to_bytes(8, "big"),
            (session.expires_ms or 0).to_bytes(8, "big"),
            (session.check_ms or 0).to_bytes(4, "big"),
            encode_vector(session.credential, 2),
            encode_vector(session.session_id, 1),
            encode_vector(session.master_secret, 1),
            session.resumable_ms.to_bytes(8, "big"),
            encode_vector(session.server_name, 1),
        )
    )


def decode_session(data: bytes) -> StoredSession:
    """Inverse of `encode_session`.

    Raises:
        DecodeError: another version, too short or too long.
    """
    reader = Reader(data)
    version = reader.u8()
    if version != _VERSION:
        raise DecodeError(f"a session of version {version}", 0)
    keys, cid = reader.vector16(), reader.vector8()
    established_ms = int.from_bytes(reader.take(8), "big")
    expires_ms = int.from_bytes(reader.take(8), "big") or None
    check_ms = int.from_bytes(reader.take(4), "big") or None
    credential, session_id, master_secret = reader.vector16(), reader.vector8(), reader.vector8()
    resumable_ms = int.from_bytes(reader.take(8), "big")
    server_name = reader.vector8()
    reader.expect_end()
    return StoredSession(
        keys,
        cid,
        established_ms,
        expires_ms,
        check_ms,
        credential,
        session_id,
        master_secret,
        resumable_ms,
        server_name,
    )
