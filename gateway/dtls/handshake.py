"""What both roles of a handshake share: messages in order, the running hash, keys out of a PSK.

Knows no states: which message is welcome when is the roles' own table.
"""

from __future__ import annotations

from hashlib import sha256, sha384
from hmac import compare_digest
from typing import NamedTuple

from gateway.dtls import keys
from gateway.dtls.fragments import HandshakeMessage, Reassembler, Reassembly
from gateway.dtls.messages import HANDSHAKE_HEADER_BYTES, HandshakeFragment
from gateway.dtls.record import HELD_RECORD_BYTES, Record
from gateway.dtls.suites import Suite


class MessageInbox:
    """Handshake messages of one direction, whole and in order of message_seq.

    Most come in one piece and in order: those pass without a reassembler.
    """

    __slots__ = ("_max_ahead", "_max_bytes", "_next_seq", "_reassembler")

    def __init__(self, next_seq: int, max_bytes: int, max_ahead: int) -> None:
        self._next_seq = next_seq
        self._max_bytes = max_bytes
        self._max_ahead = max_ahead
        self._reassembler: Reassembler | None = None

    @property
    def next_seq(self) -> int:
        """The message_seq that comes next."""
        return self._next_seq if self._reassembler is None else self._reassembler.next_seq

    def take_whole(self, content: bytes) -> bool:
        """Whether the content of a record is the next message, just it and in one piece; then it is taken.

        The way of nearly all messages, and shorter than `add`.
        """
        if self._reassembler is not None or len(content) > self._max_bytes or not is_whole(content):
            return False
        if content[4] << 8 | content[5] != self._next_seq:
            return False
        self._next_seq += 1
        return True

    def add(self, fragment: HandshakeFragment, epoch: int) -> HandshakeMessage | Reassembly:
        """The message that *fragment* is, or completes, if it is next; else what became of it.

        After a message, ask `pop` for those behind it.
        """
        message_type, length, message_seq, _, body = fragment
        reassembler = self._reassembler
        if reassembler is None:
            if message_seq == self._next_seq and len(body) == length <= self._max_bytes:
                self._next_seq = message_seq + 1
                return HandshakeMessage(message_type, message_seq, epoch, body)
            if message_seq < self._next_seq:
                return Reassembly.OLD
            reassembler = self._reassembler = Reassembler(
                self._max_bytes, self._max_ahead, self._max_bytes, self._next_seq
            )
        result = reassembler.add(fragment, epoch)
        return result if result is not Reassembly.ACCEPTED else reassembler.pop() or result

    def pop(self) -> HandshakeMessage | None:
        """A further message that is whole and next."""
        return None if self._reassembler is None else self._reassembler.pop()


class HeldRecords:
    """Records that came before the keys they need, up to so many bytes."""

    __slots__ = ("_max_bytes", "_records", "_size_bytes")

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._records: list[tuple[Record, bool]] = []
        self._size_bytes = 0

    def add(self, record: Record, mark: bool) -> bool:
        """Keep *record* and a *mark* with it; False if there is no room."""
        size_bytes = len(record.fragment) + HELD_RECORD_BYTES
        if self._size_bytes + size_bytes > self._max_bytes:
            return False
        self._size_bytes += size_bytes
        self._records.append((record, mark))
        return True

    def take(self) -> list[tuple[Record, bool]]:
        """All of them, in the order they came; then there are none."""
        records, self._records, self._size_bytes = self._records, [], 0
        return records


def is_whole(content: bytes) -> bool:
    """Whether the content of a handshake record is one message, in one piece."""
    length = content[1:4]
    return (
        content[9:HANDSHAKE_HEADER_BYTES] == length
        and content[6:9] == b"\0\0\0"
        and int.from_bytes(length, "big") == len(content) - HANDSHAKE_HEADER_BYTES
    )


class Secrets(NamedTuple):
    """What a key and the messages so far give."""

    master: bytes
    mac: keys.HmacSha256
    "Keyed with the master secret: what the Finished messages are made with."

    block: keys.KeyBlock


class Transcript:
    """The hash over all handshake messages as if unfragmented (RFC 6347 §4.2.6)."""

    __slots__ = ("_hash", "_sha384")

    def __init__(self, *messages: bytes, has_sha384: bool = False) -> None:
        """*has_sha384*: a signature over the messages may come that was made with it."""
        start = b"".join(messages)
        self._hash = sha256(start)
        self._sha384 = sha384(start) if has_sha384 else None

    def add(self, message: bytes) -> None:
        """The next message, with its header."""
        self._hash.update(message)
        if self._sha384 is not None:
            self._sha384.update(message)

    def digest_sha384(self) -> bytes:
        """As `digest`, by SHA-384."""
        assert self._sha384 is not None, "asked for at the beginning"
        return self._sha384.digest()

    def digest(self) -> bytes:
        """Over all that was added until now."""
        return self._hash.digest()


def make_premaster(psk: bytes | None, shared: bytes | None) -> bytes:
    """Out of a pre-shared key, a secret that both shares give, or both (RFC 4279 §2, RFC 5489 §2)."""
    if psk is None:
        assert shared is not None, "a suite has one of both"
        return shared
    return keys.psk_premaster(psk) if shared is None else keys.ecdhe_psk_premaster(shared, psk)


def derive(
    premaster: bytes, suite: Suite, client_random: bytes, server_random: bytes, session_hash: bytes | None
) -> Secrets:
    """The keys of a full handshake; *session_hash* only with extended master secret (RFC 7627 §4)."""
    if session_hash is None:
        master = keys.master_secret(premaster, client_random, server_random)
    else:
        master = keys.extended_master_secret(premaster, session_hash)
    return resume(master, suite, client_random, server_random)


def resume(master: bytes, suite: Suite, client_random: bytes, server_random: bytes) -> Secrets:
    """The keys of an abbreviated handshake, out of the master secret of the full one (RFC 5246 §7.3)."""
    mac = keys.HmacSha256(master)
    return Secrets(master, mac, keys.key_block(mac, client_random, server_random, suite))


def is_finished_right(
    verify_data: bytes, master: keys.HmacSha256, is_client: bool, handshake_hash: bytes
) -> bool:
    """Whether the peer's Finished proves the same key and the same messages; in constant time."""
    return compare_digest(verify_data, keys.verify_data(master, is_client, handshake_hash))
