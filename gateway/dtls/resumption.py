"""What lets a client go on without a full handshake: session ids and their secrets (RFC 5246 §7.3).

Knows how much is kept and for how long. Whether the holder is still welcome is the owner's to say, and
is asked anew each time. An entry is bytes: a gateway keeps one for each device.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from gateway.dtls.errors import DecodeError
from gateway.dtls.keys import MASTER_SECRET_BYTES

SESSION_ID_BYTES: Final = 32

_FIXED: Final = Struct(f">dd{MASTER_SECRET_BYTES}sHBHBB")
"Times, secret, suite, encrypt-then-MAC, and the lengths of the three strings behind them."
_FOREVER: Final = float("inf")

_LOOK_EVERY_S: Final = 10.0
"What is out of date is not found any more; it goes when it is looked for."

_SHARE_THAT_GOES: Final = 128
"Beyond the limit one in so many goes at once."


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
    expires_at, ends_at, master, suite, encrypt_then_mac, identity, credential, server_name = entry
    lengths = len(identity), len(credential), len(server_name)
    ends_at = _FOREVER if ends_at is None else ends_at
    fixed = _FIXED.pack(expires_at, ends_at, master, suite, encrypt_then_mac, *lengths)
    return fixed + identity + credential + server_name


def decode_resumable(data: bytes) -> Resumable:
    """The inverse of `encode_resumable`.

    Raises:
        DecodeError: it is none.
    """
    if len(data) < _FIXED.size:
        raise DecodeError("an entry cut off", len(data))
    expires_at, ends_at, master, suite, flag, *lengths = _FIXED.unpack_from(data)
    if flag > 1:
        raise DecodeError("a truth that is none", _FIXED.size)
    if len(data) != _FIXED.size + sum(lengths):
        raise DecodeError("strings of another length", _FIXED.size)
    after_identity = _FIXED.size + lengths[0]
    after_credential = after_identity + lengths[1]
    return Resumable(
        expires_at,
        None if ends_at == _FOREVER else ends_at,
        master,
        suite,
        bool(flag),
        data[_FIXED.size : after_identity],
        data[after_identity:after_credential],
        data[after_credential:],
    )


class ClientResumable(NamedTuple):
    """The same as a client keeps it, for its next connection to the server."""

    session_id: bytes
    master: bytes
    suite: int
    encrypt_then_mac: bool


class Resumables:
    """One for each identity, the newest, at most so many; all live equally long: the oldest go next."""

    __slots__ = ("_entries", "_limit", "_looked_at", "_session_ids")

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._looked_at = 0.0
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
        if len(self._entries) > self._limit or now >= self._looked_at + _LOOK_EVERY_S:
            self._make_room(now)

    def _make_room(self, now: float) -> None:
        # Some at once: to find the oldest, a dictionary steps over all that went before it.
        self._looked_at = now
        surplus = len(self._entries) - self._limit
        if surplus > 0:
            surplus += self._limit // _SHARE_THAT_GOES
        going: list[bytes] = []
        for session_id, encoded in self._entries.items():
            if len(going) >= surplus and _FIXED.unpack_from(encoded)[0] > now:
                break
            going.append(session_id)
        for session_id in going:
            self.discard(session_id)

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
