"""The way of an answer out: what its request wished of it, and how much may go to an address not proven yet.

Knows datagrams and aiocoap's messages. Knows no handlers, and not which requests are open.
"""

# mypy: allow-untyped-calls
from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2s

from aiocoap.message import Message
from aiocoap.numbers.codes import Code

from gateway.messaging import format as wire
from gateway.messaging.blocks import cut
from gateway.messaging.counters import MessageCounters
from gateway.messaging.deduplication import EMPTY, SILENT, Memory
from gateway.messaging.echo import EchoChallenge
from gateway.messaging.handling import Response
from gateway.messaging.outgoing import Outgoing, TooManyTransmissions
from gateway.messaging.pending import NO_WISHES, Answer, Pending
from gateway.messaging.settings import MessagingSettings

_ETAG_BYTES = 4


class Answers:
    """Sends answers in the form that their requests ask for, and lets repetitions get the same again."""

    def __init__(
        self,
        outgoing: Outgoing,
        memory: Memory,
        echo: EchoChallenge,
        settings: MessagingSettings,
        counters: MessageCounters,
        now: Callable[[], float],
    ) -> None:
        self._outgoing = outgoing
        self._memory = memory
        self._echo = echo
        self._settings = settings
        self._counters = counters
        self._now = now

    def send(self, exchange: Pending, answer: Answer) -> None:
        """Answer *exchange*, whose peer is still there."""
        if type(answer) is Response and exchange.wishes is NO_WISHES:
            code, body = answer
            if len(body) >= wire.SHORT_BODY_BYTES:
                code, body = self._shape(exchange, wire.response_message(answer))
        else:
            message = wire.response_message(answer) if isinstance(answer, Response) else answer
            if _is_unwanted(exchange, message):
                self._stay_silent(exchange)
                return
            code, body = self._shape(exchange, message)
        if self._is_too_long(exchange, body):
            code, body = self._shorten(exchange, code)
        self._send(exchange, code, body)

    def _stay_silent(self, exchange: Pending) -> None:
        """The peer does not want this class of answer: acknowledge at most (RFC 7967 §2)."""
        if not exchange.is_confirmable:
            self._memory.amend(exchange.remote, exchange.key, SILENT)
        elif not exchange.is_acknowledged:
            self._memory.amend(exchange.remote, exchange.key, EMPTY)
            exchange.remote.transmit(wire.encode_empty(wire.ACK, exchange.mid))

    def _shape(self, exchange: Pending, answer: Message) -> tuple[int, bytes]:
        """Put the Block options in, and cut the payload where they say so; gives code and body."""
        payload: bytes = answer.payload
        code = int(wire.code_of(answer))
        block1 = exchange.wishes.block1
        piece = cut(payload, exchange.wishes.block2 if wire.code_of(answer).is_successful() else None)
        if piece is None:
            self._counters.rejected_block += 1
            return int(Code.BAD_REQUEST), b""
        if block1 is None and piece[1] is None and answer.opt.no_response is None:
            return code, wire.encode_body(answer)
        shaped: Message = answer.copy(payload=piece[0], no_response=None)
        if block1 is not None:
            number, more, szx = block1
            shaped.opt.block1 = (number, more and answer.code is Code.CONTINUE, szx)
        if piece[1] is not None:
            shaped.opt.block2 = piece[1]
            shaped.opt.size2 = len(payload)
            if shaped.opt.etag is None:
                shaped.opt.etag = blake2s(payload, digest_size=_ETAG_BYTES).digest()
        return code, wire.encode_body(shaped)

    def _is_too_long(self, exchange: Pending, body: bytes) -> bool:
        """Whether the peer may not be where it says, and whoever is there would get too much."""
        if exchange.is_reachable:
            return False
        size = wire.HEADER_BYTES + len(exchange.token) + len(body)
        return size > self._settings.amplification_limit * exchange.request_bytes

    def _shorten(self, exchange: Pending, code: int) -> tuple[int, bytes]:
        """What goes in place of an answer too long: an error loses its words, all else waits for an Echo."""
        if code >= Code.BAD_REQUEST:
            return code, b""
        self._counters.challenged += 1
        challenge = Message(code=Code.UNAUTHORIZED)
        challenge.opt.echo = self._echo.make(exchange.remote.address, self._now())
        body = wire.encode_body(challenge)
        return int(Code.UNAUTHORIZED), b"" if self._is_too_long(exchange, body) else body

    def _send(self, exchange: Pending, code: int, body: bytes) -> None:
        remote = exchange.remote
        if exchange.is_confirmable and not exchange.is_acknowledged:
            reply = wire.encode_header(wire.ACK, code, exchange.mid, exchange.token) + body
            self._memory.amend(remote, exchange.key, reply if body else code)
            remote.transmit(reply)
            return
        mid = self._outgoing.next_mid(remote)
        if not exchange.is_confirmable:
            self._memory.amend(remote, exchange.key, SILENT)
            remote.transmit(wire.encode_header(wire.NON, code, mid, exchange.token) + body)
            return
        datagram = wire.encode_header(wire.CON, code, mid, exchange.token) + body
        try:
            self._outgoing.send_response(remote, mid, datagram)
        except TooManyTransmissions:
            self._counters.dropped_responses += 1


def _is_unwanted(exchange: Pending, answer: Message) -> bool:
    no_response = exchange.wishes.no_response | (answer.opt.no_response or 0)
    return bool(no_response & 1 << (wire.code_of(answer) >> 5) - 1)
