"""What lets a client go on without a full handshake: session ids and their secrets (RFC 5246 §7.3).

Knows how much is kept and for how long. Whether the holder is still welcome is the owner's to say, and
is asked anew each time. An entry is bytes: a gateway keeps one for each device.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from gateway.dtls.errors import DecodeError
from gateway.dtls.keys import MASTER_SECRET_BYTES
from gateway.dtls.wire import Reader, encode_vector

SESSION_ID_BYTES: Final = 32

_FIXED: Final = Struct(f">dd{MASTER_SECRET_BYTES}sHB")
_FOREVER: Final = float("inf")


class Resumable(NamedTuple):
    """What a full handshake leaves. Only one with extended master secret leaves anything (RFC 7627 §5.4)."""

    expires_at: float
    "When it is forgotten, in monotonic seconds."

    session_expires_at: float | None
    "When the certificate that it rests on is no longer good; None: there is none."

    master: bytes
    suite: int
    encrypt_then_mac: bool
    identity: bytes
    credential: bytes
    "What the owner said that the identity rests on: he is asked whether that still holds."

    server_name: bytes
    "As the client gave it; empty: it did not."


def encode_resumable(entry: Resumable) -> bytes:
    """As kept in memory, and wherever the owner keeps it."""
    ends_at = _FOREVER if entry.session_expires_at is None else entry.session_expires_at
    return b"".join(
        (
            _FIXED.pack(entry.expires_at, ends_at, entry.master, entry.suite, entry.encrypt_then_mac),
            encode_vector(entry.identity, 2),
            encode_vector(entry.credential, 1),
            encode_vector(entry.server_name, 1),
        )
    )


def decode_resumable(data: bytes) -> Resumable:
    """The inverse of `encode_resumable`.

    Raises:
        DecodeError: it is none.
    """
    reader = Reader(data)
    expires_at, ends_at, master, suite, flag = _FIXED.unpack(reader.take(_FIXED.size))
    if flag > 1:
        raise DecodeError("a truth that is none", _FIXED.size - 1)
    identity, credential, server_name = reader.vector16(), reader.vector8(), reader.vector8()
    reader.expect_end()
    session_expires_at = None if ends_at == _FOREVER else ends_at
    return Resumable(
        expires_at, session_expires_at, master, suite, bool(flag), identity, credential, server_name
    )


class ClientResumable(NamedTuple):
    """The same as a client keeps it, for its next connection to the server."""

    session_id: bytes
    master: bytes
    suite: int
    encrypt_then_mac: bool


class Resumables:
    """One for each identity, the newest, at most so many; all live equally long: the oldest goes next."""

    __slots__ = ("_entries", "_limit", "_session_ids")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._entries: dict[bytes, bytes] = {}
        "Encoded, by session id; the oldest first."

        self._session_ids: dict[bytes, bytes] = {}
        "By identity."

    def __len__(self) -> int:
        return len(self._entries)

    def add(self, session_id: bytes, entry: Resumable, now: float) -> None:
        """Keep *entry* in place of what its identity had; what is out of date by *now* or too much goes."""
        self.end_identity(entry.identity)
        self._session_ids[entry.identity] = session_id
        self._entries[session_id] = encode_resumable(entry)
        while True:
            oldest, encoded = next(iter(self._entries.items()))
            if len(self._entries) <= self._limit and _FIXED.unpack_from(encoded)[0] > now:
                break
            self.discard(oldest)

    def find(self, session_id: bytes, now: float) -> Resumable | None:
        """The entry, if it is there and not out of date."""
        encoded = self._entries.get(session_id)
        if encoded is None:
            return None
        entry = decode_resumable(encoded)
        is_over = entry.session_expires_at is not None and entry.session_expires_at <= now
        return None if is_over or entry.expires_at <= now else entry

    def discard(self, session_id: bytes) -> None:
        """Nobody resumes this session any more; harmless for an unknown one."""
        encoded = self._entries.pop(session_id, None)
        if encoded is not None:
            del self._session_ids[decode_resumable(encoded).identity]

    def end_identity(self, identity: bytes) -> None:
        """Nobody resumes a session of *identity*; harmless when there is none."""
        session_id = self._session_ids.pop(identity, None)
        if session_id is not None:
            del self._entries[session_id]
