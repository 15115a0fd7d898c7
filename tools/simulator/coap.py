"""The device's end of CoAP (RFC 7252, 7959): one request at a time, retransmitted until answered.

Knows messages, message ids, tokens, blocks and retransmission. Knows no LwM2M, no addresses and
no security; time and randomness are arguments.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from random import Random

from aiocoap.message import Message
from aiocoap.numbers.codes import Code
from aiocoap.numbers.types import Type

from tools.simulator.messages import (
    MessageIds,
    code_of,
    copy_message,
    decode_message,
    dotted,
    encode_message,
    is_request,
    is_response,
    new_message,
)

_LARGEST_BLOCK_EXPONENT = 6


@dataclass(frozen=True, slots=True)
class CoapSettings:
    """Transmission parameters (RFC 7252 §4.8)."""

    ack_timeout_s: float = 2.0
    ack_random_factor: float = 1.5
    max_retransmit: int = 4

    response_timeout_s: float = 60.0
    "How long a separate response is waited for once the request is acknowledged."

    block_exponent: int = _LARGEST_BLOCK_EXPONENT
    "Payloads above 2^(exponent + 4) bytes go block by block."


@dataclass(frozen=True, slots=True)
class Answer:
    """The response to the request at hand."""

    code: Code
    location: tuple[str, ...] = ()
    "Location-Path segments."

    max_age_s: int | None = None
    payload: bytes = field(default=b"", repr=False)
    "Of all blocks together."

    def __str__(self) -> str:
        return dotted(self.code)


class NoAnswer(Enum):
    """The request is over without a response."""

    TIMEOUT = "no answer"
    RESET = "reset"


Outcome = Answer | NoAnswer


class _Exchange:
    """One request, with the block of it that is under way."""

    __slots__ = (
        "block",
        "body",
        "due_at",
        "etag",
        "exponent",
        "is_acknowledged",
        "mid",
        "request",
        "retransmissions",
        "wait_s",
        "wire",
    )

    def __init__(self, request: Message, exponent: int) -> None:
        self.request = request
        self.exponent = exponent
        self.block = 0
        self.body = bytearray()
        self.etag: bytes | None = None
        self.mid = -1
        self.is_acknowledged = False
        self.retransmissions = 0
        self.wait_s = 0.0
        self.due_at = 0.0
        self.wire = b""


class CoapClient:
    """One request at a time towards one server (NSTART 1), and minimal manners as a server.

    A ping is answered with RST, a request with 4.04, an unexpected confirmable response with RST; what is not
    its own goes to `on_request` and `on_empty`, where they are set.
    """

    def __init__(self, settings: CoapSettings, random: Random, mids: MessageIds | None = None) -> None:
        """*mids*: shared with whatever else speaks for this endpoint."""
        self.on_request: Callable[[Message, float], None] | None = None
        "Answers a request of the server's."

        self.on_empty: Callable[[Type, int, float], None] | None = None
        "Takes an ACK or RST that belongs to no request of ours."

        self._settings = settings
        self._random = random
        self._mids = MessageIds(random) if mids is None else mids
        self._exchange: _Exchange | None = None
        self._answered_token = b""
        self._outgoing: list[bytes] = []

    @property
    def is_waiting(self) -> bool:
        """Whether a request is under way."""
        return self._exchange is not None

    def send_request(self, request: Message, now: float) -> None:
        """Begin *request* (code, options and whole payload set); forgets one still under way."""
        self._exchange = _Exchange(request, self._settings.block_exponent)
        self._send_block(self._exchange, now)

    def abandon(self) -> None:
        """Forget the request under way."""
        self._exchange = None

    def receive(self, data: bytes, now: float) -> Outcome | None:
        """Take one datagram from the server; the outcome when it ends the request."""
        message = decode_message(data)
        code = None if message is None else code_of(message)
        if message is None or code is None:
            return None
        if code is Code.EMPTY:
            return self._receive_empty(message, now)
        if is_request(code):
            self._answer_request(message, now)
            return None
        return self._receive_response(message, code, now) if is_response(code) else None

    def handle_timer(self, now: float) -> Outcome | None:
        """Retransmit what is due, or give the request up."""
        exchange = self._exchange
        if exchange is None or now < exchange.due_at:
            return None
        if exchange.is_acknowledged or exchange.retransmissions >= self._settings.max_retransmit:
            self._exchange = None
            return NoAnswer.TIMEOUT
        exchange.retransmissions += 1
        exchange.wait_s *= 2
        exchange.due_at = now + exchange.wait_s
        self._outgoing.append(exchange.wire)
        return None

    def get_timer(self) -> float | None:
        """When `handle_timer` has something to do."""
        return None if self._exchange is None else self._exchange.due_at

    def messages_to_send(self) -> list[bytes]:
        """Drain the outbox."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def _send_block(self, exchange: _Exchange, now: float) -> None:
        """Send the current block of the request as a new confirmable message."""
        source = exchange.request
        size = 1 << (exchange.exponent + 4)
        message = source
        if exchange.body:
            message = copy_message(source, b"")
            message.opt.block2 = (len(exchange.body) >> (exchange.exponent + 4), False, exchange.exponent)
        elif len(source.payload) > size:
            part = source.payload[exchange.block * size : (exchange.block + 1) * size]
            message = copy_message(source, part)
            has_more = (exchange.block + 1) * size < len(source.payload)
            message.opt.block1 = (exchange.block, has_more, exchange.exponent)
        message.token = self._random.randbytes(4)
        source.token = message.token
        exchange.mid = self._mids.next()
        exchange.wire = encode_message(message, Type.CON, exchange.mid)
        exchange.is_acknowledged = False
        exchange.retransmissions = 0
        factor = self._random.uniform(1, self._settings.ack_random_factor)
        exchange.wait_s = self._settings.ack_timeout_s * factor
        exchange.due_at = now + exchange.wait_s
        self._outgoing.append(exchange.wire)

    def _receive_empty(self, message: Message, now: float) -> Outcome | None:
        exchange = self._exchange
        if message.mtype is Type.CON:
            self._send_empty(Type.RST, message.mid)
        elif exchange is not None and message.mid == exchange.mid:
            if message.mtype is Type.RST:
                self._exchange = None
                return NoAnswer.RESET
            if message.mtype is Type.ACK and not exchange.is_acknowledged:
                exchange.is_acknowledged = True
                exchange.due_at = now + self._settings.response_timeout_s
        elif self.on_empty is not None and message.mtype in (Type.ACK, Type.RST):
            self.on_empty(message.mtype, message.mid, now)
        return None

    def _receive_response(self, message: Message, code: Code, now: float) -> Outcome | None:
        exchange = self._exchange
        is_ours = exchange is not None and message.token == exchange.request.token
        if message.mtype is Type.CON:
            is_known = is_ours or (message.token == self._answered_token != b"")
            self._send_empty(Type.ACK if is_known else Type.RST, message.mid)
        if exchange is None or not is_ours:
            return None
        if message.mtype is Type.ACK and message.mid != exchange.mid:
            return None
        if self._go_on(exchange, message, now):
            return None
        self._answered_token = message.token
        self._exchange = None
        whole = bytes(exchange.body) + bytes(message.payload)
        return Answer(code, tuple(message.opt.location_path), message.opt.max_age, whole)

    def _go_on(self, exchange: _Exchange, response: Message, now: float) -> bool:
        """Whether *response* asks for more: the next block, or a fresh address proof (RFC 9175)."""
        if response.code is Code.CONTINUE and response.opt.block1 is not None:
            return self._send_next_block(exchange, response, now)
        if response.code is Code.CONTENT and response.opt.block2 is not None:
            return self._fetch_next_block(exchange, response, now)
        echo = response.opt.echo
        if response.code is Code.UNAUTHORIZED and echo is not None and exchange.request.opt.echo is None:
            exchange.request.opt.echo = echo
            self._send_block(exchange, now)
            return True
        return False

    def _send_next_block(self, exchange: _Exchange, response: Message, now: float) -> bool:
        block = response.opt.block1
        if block.block_number != exchange.block:
            return False
        sent_bytes = (exchange.block + 1) << (exchange.exponent + 4)
        if sent_bytes >= len(exchange.request.payload):
            return False
        exchange.exponent = min(exchange.exponent, block.size_exponent)
        exchange.block = sent_bytes >> (exchange.exponent + 4)
        self._send_block(exchange, now)
        return True

    def _fetch_next_block(self, exchange: _Exchange, response: Message, now: float) -> bool:
        """Whether there is more of the answer to be had; one that has changed meanwhile is had anew."""
        block = response.opt.block2
        etag = bytes(response.opt.etag or b"")
        offset = block.block_number << (block.size_exponent + 4)
        if offset and (offset != len(exchange.body) or etag != exchange.etag):
            exchange.body.clear()
            exchange.exponent = self._settings.block_exponent
            self._send_block(exchange, now)
            return True
        exchange.etag = etag
        if not block.more:
            return False
        exchange.body += response.payload
        exchange.exponent = int(block.size_exponent)
        self._send_block(exchange, now)
        return True

    def _answer_request(self, request: Message, now: float) -> None:
        if self.on_request is not None:
            self.on_request(request, now)
            return
        response = new_message(Code.NOT_FOUND, token=request.token)
        if request.mtype is Type.CON:
            self._outgoing.append(encode_message(response, Type.ACK, request.mid))
        elif request.mtype is Type.NON:
            self._outgoing.append(encode_message(response, Type.NON, self._random.getrandbits(16)))

    def _send_empty(self, mtype: Type, mid: int) -> None:
        self._outgoing.append(encode_message(new_message(Code.EMPTY), mtype, mid))
