"""One request and its answer in blocks (RFC 7959), on the asking side: what to send next, what came of it.

    SENDING ──the last block is answered──▶ FETCHING ──the last block is here──▶ the whole answer
       ╰─ 4.13: smaller, 4.08: again, from the beginning        ╰─ another ETag: from the beginning

Knows no peers, no tokens and no time, and sends nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from aiocoap.numbers.codes import Code

from gateway.lwm2m.requests import Method, Request
from gateway.messaging.blocks import MAX_SZX, Block, is_well_formed
from gateway.messaging.clientcodec import Reply, encode_request

MAX_BLOCK_BYTES = 1 << (MAX_SZX + 4)

MAX_RESTARTS = 3
"How often a transfer begins anew, each way, before it is given up."

MIN_GUESSED_SZX = 2
"Blocks of 64 bytes: a device that takes less has to say so."

_SAFE_METHODS = frozenset({Method.GET, Method.FETCH})
"Others are not asked for the rest of their answer: a device might do again what it has done."


class GoOn(Enum):
    """The transfer is not over."""

    GO_ON = "send what `encode` gives"


@dataclass(frozen=True, slots=True)
class Garbled:
    """The blocks cannot be put together, and why."""

    reason: str


class Transfer:
    """Give `encode`'s message a token and send it, `take` the answer, until that is the end."""

    __slots__ = (
        "_body",
        "_first",
        "_max_body_bytes",
        "_offset",
        "_request",
        "_restarts",
        "_szx",
        "is_sending",
    )

    def __init__(self, request: Request, max_body_bytes: int) -> None:
        """A transfer whose first message was, or will be, what `encode` gives at once."""
        self._request = request
        self._max_body_bytes = max_body_bytes
        self.is_sending = True
        "Whether the request itself is still under way; after that only parts of the answer are asked for."

        self._szx = MAX_SZX
        self._offset = 0
        self._first: Reply | None = None
        self._body = bytearray()
        self._restarts = 0

    @property
    def size_bytes(self) -> int:
        """Bytes of the answer so far."""
        return len(self._body)

    def encode(self) -> bytes:
        """Options and payload of the next message."""
        request = self._request
        payload = request.payload
        if self.is_sending:
            if len(payload) <= self._piece_bytes:
                return encode_request(request, payload, observe=request.observe)
            end = self._offset + self._piece_bytes
            return encode_request(
                request,
                payload[self._offset : end],
                observe=request.observe,
                block1=(self._offset >> (self._szx + 4), end < len(payload), self._szx),
                size1=None if self._offset else len(payload),
            )
        # What is asked of a composite belongs to each of its requests, as far as one message holds it.
        repeated = payload if len(payload) <= MAX_BLOCK_BYTES else b""
        block2 = (len(self._body) >> (self._szx + 4), False, self._szx)
        return encode_request(request, repeated, block2=block2)

    def take(self, reply: Reply) -> Reply | GoOn | Garbled:
        """Take the answer to the latest message; a `Reply` is the answer as a whole."""
        return self._take_of_sending(reply) if self.is_sending else self._take_of_fetching(reply)

    def take_notification(self, reply: Reply) -> Reply | GoOn | Garbled:
        """Take the first block of an answer that was not asked for now."""
        self.is_sending = False
        return self._take_of_fetching(reply)

    # --- the request

    @property
    def _piece_bytes(self) -> int:
        return 1 << (self._szx + 4)

    def _take_of_sending(self, reply: Reply) -> Reply | GoOn | Garbled:
        code, block1 = reply.code, reply.block1
        if code == Code.REQUEST_ENTITY_TOO_LARGE:
            szx = self._find_smaller(block1)
            if szx is None:
                return reply
            self._szx = szx
            self._offset = 0
            return GoOn.GO_ON
        if code == Code.REQUEST_ENTITY_INCOMPLETE and self._offset and self._restarts < MAX_RESTARTS:
            self._restarts += 1
            self._offset = 0
            return GoOn.GO_ON
        end = self._offset + self._piece_bytes
        is_last = end >= len(self._request.payload)
        if code != Code.CONTINUE and (is_last or code >= Code.BAD_REQUEST or block1 is None):
            self.is_sending = False
            self._szx, self._restarts = MAX_SZX, 0
            return self._take_of_fetching(reply)
        if is_last:
            return Garbled("2.31 to the last block")
        return self._advance(end, block1)

    def _find_smaller(self, hint: Block | None) -> int | None:
        """In which size to begin anew after a 4.13; None: the body as a whole is what is too large.

        A device whose buffer is too small for a datagram often cannot say which size would fit (RFC 7959
        §2.9.3 has it do so): then half of what was sent is tried.
        """
        if hint is not None:
            return hint[2] if hint[2] < self._szx else None
        if self._offset:
            return None
        sent_bytes = min(len(self._request.payload), self._piece_bytes)
        szx = (sent_bytes - 1).bit_length() - 5
        return szx if szx >= MIN_GUESSED_SZX else None

    def _advance(self, end: int, block1: Block | None) -> GoOn | Garbled:
        """Go on with the next block, in the device's size if that is smaller."""
        if block1 is not None:
            number, _, szx = block1
            # Of a block that a smaller size was asked for, the number may be the old or the new one.
            if number not in (self._offset >> (self._szx + 4), self._offset >> (min(szx, MAX_SZX) + 4)):
                return Garbled(f"block {number} was acknowledged, which was not sent")
            self._szx = min(szx, self._szx)
        self._offset = end
        return GoOn.GO_ON

    # --- the answer

    def _take_of_fetching(self, reply: Reply) -> Reply | GoOn | Garbled:
        block2 = reply.block2
        first = self._first
        if reply.code == Code.REQUEST_ENTITY_INCOMPLETE and first is not None:
            return self._restart()
        if reply.code >= Code.BAD_REQUEST or self._request.method not in _SAFE_METHODS or block2 is None:
            return reply if first is None else reply._replace(sequence=first.sequence)
        number, more, szx = block2
        offset = number << (szx + 4)
        if not is_well_formed(block2, len(reply.payload)):
            return Garbled(f"block {number} is not of the size it tells")
        if first is not None and (reply.etag != first.etag or reply.code != first.code or not offset):
            restart = self._restart()
            if offset or isinstance(restart, Garbled):
                return restart
        if offset != len(self._body):
            return Garbled(f"block {number} came where {len(self._body)} bytes are known")
        if max(offset + len(reply.payload), reply.size2 or 0) > self._max_body_bytes:
            return Garbled(f"an answer of more than {self._max_body_bytes} bytes")
        if not offset:
            # Whether it is observed is told once, however often the rest begins anew.
            self._first = reply if first is None else reply._replace(sequence=first.sequence)
        self._body += reply.payload
        self._szx = szx
        if more:
            return GoOn.GO_ON
        assert self._first is not None
        return self._first._replace(payload=bytes(self._body), block2=None)

    def _restart(self) -> GoOn | Garbled:
        """The representation has changed meanwhile: what is known of it is worth nothing."""
        if self._restarts >= MAX_RESTARTS:
            return Garbled("the answer changes faster than it can be fetched")
        self._restarts += 1
        self._body.clear()
        return GoOn.GO_ON
