"""Block-wise transfer on the server's side (RFC 7959): bodies put together and answers cut, under limits.

aiocoap's own assembler has no limit to the number or size of what it keeps, counts a forged sender like
a known one, and works only below its resources. This one serves every request, whoever handles it.
Knows messages and remotes; sends nothing.
"""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from enum import Enum

from aiocoap.message import Message

from gateway.messaging.remote import sender_of
from gateway.messaging.settings import MessagingSettings

RESERVED_SZX = 7
MAX_SZX = 6

Block = tuple[int, bool, int]
"Number, more, size exponent."


class BlockError(Enum):
    """Why a block is refused."""

    MALFORMED = "reserved size, or a payload that is not of the size the option tells"
    INCOMPLETE = "no such transfer, or a gap or an overlap in it"
    TOO_LARGE = "more than the limit"


@dataclass(slots=True)
class _Assembly:
    body: bytearray
    touched_at: float


class BlockAssembler:
    """Request bodies in the making, of all peers of one kind.

    A transfer is known by its peer, method, path, query, Content-Format and Request-Tag (RFC 9175 §3), never
    by its token. Peers are kept in the order they were last heard; when a limit is reached, the one silent
    for longest loses what it had sent.
    """

    def __init__(self, settings: MessagingSettings) -> None:
        self._settings = settings
        self._peers: dict[Hashable, dict[Hashable, _Assembly]] = {}
        self._count = 0
        self._size_bytes = 0

    def __len__(self) -> int:
        return self._count

    @property
    def size_bytes(self) -> int:
        """Bytes kept for all bodies."""
        return self._size_bytes

    def feed(self, request: Message, now: float) -> bytes | BlockError | None:
        """Take the block that *request* carries.

        Gives the whole body at the last block, None when more must come, or why the block is refused;
        a refused block ends its transfer.
        """
        peer: Hashable = sender_of(request).blockwise_key
        key = _key_of(request)
        outcome = self._take(peer, key, request, now)
        if outcome is not None:
            self._drop(peer, key)
        return outcome

    def forget(self, peer: Hashable) -> None:
        """Drop all transfers of *peer* (a `blockwise_key`)."""
        for key in list(self._peers.get(peer, ())):
            self._drop(peer, key)

    def sweep(self, now: float) -> None:
        """Drop the transfers whose next block is overdue."""
        for peer, assemblies in list(self._peers.items()):
            for key, assembly in list(assemblies.items()):
                if now - assembly.touched_at >= self._settings.assembly_lifetime_s:
                    self._drop(peer, key)

    def _take(self, peer: Hashable, key: Hashable, request: Message, now: float) -> bytes | BlockError | None:
        number, more, szx = request.opt.block1
        block: bytes = request.payload
        if not is_well_formed((number, more, szx), len(block)):
            return BlockError.MALFORMED
        if number == 0:
            self._drop(peer, key)
            if max(request.opt.size1 or 0, len(block)) > self._settings.max_body_bytes:
                return BlockError.TOO_LARGE
            if not more:
                return block
            self._begin(peer, key, block, now)
            return None
        assembly = self._peers.get(peer, {}).get(key)
        if assembly is None or len(assembly.body) != number << (szx + 4):
            return BlockError.INCOMPLETE
        if len(assembly.body) + len(block) > self._settings.max_body_bytes:
            return BlockError.TOO_LARGE
        assembly.body += block
        assembly.touched_at = now
        self._size_bytes += len(block)
        if not more:
            return bytes(assembly.body)
        self._make_room(peer)
        return None

    def _begin(self, peer: Hashable, key: Hashable, block: bytes, now: float) -> None:
        assemblies = self._peers.setdefault(peer, {})
        if len(assemblies) >= self._settings.max_assemblies_per_peer:
            self._drop(peer, next(iter(assemblies)))
            assemblies = self._peers.setdefault(peer, {})
        assemblies[key] = _Assembly(bytearray(block), now)
        self._count += 1
        self._size_bytes += len(block)
        self._make_room(peer)

    def _make_room(self, peer: Hashable) -> None:
        """Put *peer* last in the order of loss, then let go until the limits hold."""
        self._peers[peer] = self._peers.pop(peer)
        settings = self._settings
        while self._count > settings.max_assemblies or self._size_bytes > settings.max_assembly_bytes:
            self.forget(next(iter(self._peers)))

    def _drop(self, peer: Hashable, key: Hashable) -> None:
        assemblies = self._peers.get(peer)
        if assemblies is None or key not in assemblies:
            return
        self._count -= 1
        self._size_bytes -= len(assemblies.pop(key).body)
        if not assemblies:
            del self._peers[peer]


def is_well_formed(block: Block, payload_bytes: int) -> bool:
    """Whether a block of *payload_bytes* can be what its Block1 option says."""
    _number, more, szx = block
    if szx == RESERVED_SZX:
        return False
    size = 1 << (szx + 4)
    return payload_bytes == size if more else payload_bytes <= size


def cut(payload: bytes, wanted: Block | None) -> tuple[bytes, Block | None] | None:
    """The piece of an answer's *payload* that the request's Block2 option *wanted* asks for.

    Nothing is kept between the blocks: each one has the handler answer anew, so an answer of more than
    1024 bytes is for methods without effects.

    Gives the piece and the Block2 option that goes with it, or None where the body ends before. Without
    the option a payload of more than 1024 bytes is cut all the same.
    """
    number, _, szx = wanted or (0, False, MAX_SZX)
    start = number << (szx + 4)
    end = start + (1 << (szx + 4))
    if number == 0 and end >= len(payload) and wanted is None:
        return payload, None
    if start >= len(payload) and number > 0:
        return None
    return payload[start:end], (number, end < len(payload), szx)


def _key_of(request: Message) -> Hashable:
    options = request.opt
    return (
        request.code,
        options.uri_path,
        options.uri_query,
        options.content_format,
        options.request_tag,
    )
