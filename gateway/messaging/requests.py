"""Requests from peers: from the datagram to the handler, and on to the answer (`gateway.messaging.answers`).

    seen before? ─▶ decode ─▶ options in order? ─▶ blocks ─▶ dispatch ─▶ answer
         │                                                       │
         └─ the same answer                                      ├─ a `Response`: sent
                                                                 ├─ `Pending`: sent when complete
                                                                 └─ None: aiocoap's resources, by a Message

Knows the limits on what peers may make us keep. Knows no sockets, no resources and no registry.
"""

# mypy: allow-untyped-calls
from __future__ import annotations

import asyncio
from collections.abc import Callable

from aiocoap.message import Message
from aiocoap.numbers.codes import Code
from aiocoap.numbers.optionnumbers import OptionNumber

from gateway.messaging import format as wire
from gateway.messaging.answers import Answers
from gateway.messaging.blocks import RESERVED_SZX, BlockAssembler, BlockError
from gateway.messaging.counters import MessageCounters
from gateway.messaging.deduplication import EMPTY, PENDING, Memory, Outcome, key_of
from gateway.messaging.echo import EchoChallenge
from gateway.messaging.handling import Request, Response, respond
from gateway.messaging.outgoing import Outgoing
from gateway.messaging.pending import Answer, Pending
from gateway.messaging.remote import PlainRemote, Remote, SessionRemote, sender_of
from gateway.messaging.seam import Tokens, with_payload
from gateway.messaging.settings import MessagingSettings

Dispatch = Callable[[Request], Response | Pending | None]
"Answers a request at once, later, or not at all: None leaves it to aiocoap's resources."

MAX_METHOD = 7
HOUSEKEEPING_S = 10.0
_UNHANDLED_OPTIONS = (OptionNumber.URI_HOST, OptionNumber.URI_PORT)

_BLOCK_CODES = {
    BlockError.MALFORMED: Code.BAD_REQUEST,
    BlockError.INCOMPLETE: Code.REQUEST_ENTITY_INCOMPLETE,
    BlockError.TOO_LARGE: Code.REQUEST_ENTITY_TOO_LARGE,
}


class Requests:
    """All requests being worked on."""

    def __init__(
        self,
        tokens: Tokens,
        dispatch: Dispatch,
        outgoing: Outgoing,
        memory: Memory,
        settings: MessagingSettings,
        counters: MessageCounters,
        loop: asyncio.AbstractEventLoop,
        entropy: Callable[[int], bytes],
    ) -> None:
        self._tokens = tokens
        self._dispatch = dispatch
        self._outgoing = outgoing
        self._memory = memory
        self._settings = settings
        self._counters = counters
        self._loop = loop
        self._now = loop.time
        self._busy = respond(Code.SERVICE_UNAVAILABLE, max_age_s=settings.busy_max_age_s)
        self._echo = EchoChallenge(entropy, settings.echo_window_s)
        self._answers = Answers(outgoing, memory, self._echo, settings, counters, loop.time)
        self._plain_bodies = BlockAssembler(settings)
        self._secure_bodies = BlockAssembler(settings)
        self._open: dict[int, Pending] = {}
        self._by_token: dict[tuple[Remote, bytes], Pending] = {}
        self._serial = 0
        self._young: list[Pending] = []
        self._old: list[Pending] = []
        self._sweeper: asyncio.TimerHandle | None = None
        self._housekeeping_at = loop.time() + HOUSEKEEPING_S

    def __len__(self) -> int:
        """Requests without an answer yet."""
        return len(self._open)

    def receive(self, datagram: bytes, remote: Remote) -> None:
        """Take a datagram whose type is `CON` or `NON` and whose code is a method.

        Raises:
            DecodeError: a message format error.
        """
        now = self._now()
        key = key_of(remote, datagram)
        memory = self._memory
        known = memory.recall(remote, key, now)
        if known is not None:
            self._repeat(known, datagram, remote)
            return
        request, traits, bad_option = wire.decode_request(datagram, remote)
        self._counters.requests += 1
        if traits & ~wire.OBSERVE or datagram[1] > MAX_METHOD or now >= self._housekeeping_at:
            self._receive_unusual(datagram, request, traits, bad_option, key, now)
            return
        if len(self._open) >= self._settings.max_open_exchanges:
            self._refuse_busy(Pending().open(datagram, remote, key, now))
            return
        answer = self._dispatch(request)
        if type(answer) is Response and not datagram[0] & 0x10:
            code, body = answer
            head = bytes((datagram[0] | 0x20, code))
            reply = head + datagram[2 : wire.HEADER_BYTES + (datagram[0] & 0x0F)] + body
            if len(body) < wire.SHORT_BODY_BYTES and (
                remote.is_secure or len(reply) <= self._settings.amplification_limit * len(datagram)
            ):
                memory.remember(remote, key, now, reply if body else code)
                remote.transmit(reply)
                return
        memory.remember(remote, key, now, PENDING)
        exchange = answer if type(answer) is Pending else Pending()
        self._go_on(exchange.open(datagram, remote, key, now), datagram, request, answer)

    def respond(self, answer: Message) -> None:
        """Take what an aiocoap resource answers; its remote and token say to what."""
        exchange = self._by_token.get((sender_of(answer), answer.token))
        if exchange is None:
            self._counters.dropped_responses += 1
        else:
            self._answer(exchange, answer)

    def forget(self, remote: SessionRemote) -> None:
        """Drop what is kept of a session that has ended."""
        self._secure_bodies.forget(remote.blockwise_key)
        if remote.has_dialogue:
            for exchange in [each for each in self._by_token.values() if each.remote is remote]:
                self._close(exchange)

    def close(self) -> None:
        """Stop the sweep and drop everything."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            self._sweeper = None
        for exchange in list(self._open.values()):
            self._close(exchange)

    def fail(self, datagram: bytes, remote: Remote) -> None:
        """Answer 5.00, without a word, a request that our own error kept from being answered."""
        now = self._now()
        key = key_of(remote, datagram)
        token = datagram[4 : 4 + (datagram[0] & 0x0F)]
        stale = self._by_token.get((remote, token))
        if stale is not None:
            self._close(stale)
        if datagram[0] >> 4 & 3 == wire.CON:
            mid = datagram[2] << 8 | datagram[3]
            reply = wire.encode_header(wire.ACK, Code.INTERNAL_SERVER_ERROR, mid, token)
        else:
            mid = self._outgoing.next_mid(remote)
            reply = wire.encode_header(wire.NON, Code.INTERNAL_SERVER_ERROR, mid, token)
        if self._memory.recall(remote, key, now) is None:
            self._memory.remember(remote, key, now, reply)
        else:
            self._memory.amend(remote, key, reply)
        remote.transmit(reply)

    # --- on the way in

    def _repeat(self, known: Outcome, datagram: bytes, remote: Remote) -> None:
        """Answer a repetition as the first copy was answered."""
        self._counters.duplicates += 1
        if isinstance(known, bytes):
            remote.transmit(known)
        elif known == EMPTY:
            remote.transmit(wire.encode_empty(wire.ACK, datagram[2] << 8 | datagram[3]))
        elif known > 0:
            token_end = wire.HEADER_BYTES + (datagram[0] & 0x0F)
            remote.transmit(bytes((datagram[0] | 0x20, known)) + datagram[2:token_end])

    def _receive_unusual(
        self, datagram: bytes, request: Request, traits: int, bad_option: int, key: int, now: float
    ) -> None:
        """A request with more to it than path, query and payload."""
        if now >= self._housekeeping_at:
            self._keep_house(now)
        remote = request.remote
        exchange = Pending().open(datagram, remote, key, now)
        if traits & wire.BAD_OPTION:
            self._counters.rejected_option += 1
            if exchange.is_confirmable:
                self._memory.remember(remote, key, now, PENDING)
                self._answer(exchange, _diagnostic(Code.BAD_OPTION, f"option {bad_option}"))
            return
        self._memory.remember(remote, key, now, PENDING)
        if traits & wire.PROXY:
            self._counters.rejected_proxy += 1
            self._answer(exchange, Response(Code.PROXYING_NOT_SUPPORTED))
            return
        if request.code > MAX_METHOD:
            self._answer(exchange, Response(Code.METHOD_NOT_ALLOWED))
            return
        if len(self._open) >= self._settings.max_open_exchanges:
            self._refuse_busy(exchange)
            return
        message = self._read_traits(exchange, wire.message_of(request, datagram), traits, now)
        if message is None:
            return
        request.payload = message.payload
        answer = self._dispatch(request)
        if type(answer) is Pending:
            answer = answer.open(datagram, remote, key, now)
            answer.is_reachable, answer.wishes = exchange.is_reachable, exchange.wishes
            exchange = answer
        self._go_on(exchange, datagram, request, answer, message)

    def _read_traits(self, exchange: Pending, message: Message, traits: int, now: float) -> Message | None:
        """Take Echo, No-Response and Block options out of *message*; None when that ended in an answer."""
        options = message.opt
        remote = sender_of(message)
        if traits & wire.ECHO:
            if isinstance(remote, PlainRemote):
                exchange.is_reachable = self._echo.is_valid(options.echo, remote.address, now)
            options.echo = None
        if traits & wire.NO_RESPONSE:
            exchange.wishes = exchange.wishes._replace(no_response=options.no_response)
            options.no_response = None
        if traits & wire.BLOCK2:
            block2 = tuple(options.block2)
            options.block2 = None
            if block2[2] == RESERVED_SZX:
                self._counters.rejected_block += 1
                self._answer(exchange, Response(Code.BAD_REQUEST))
                return None
            exchange.wishes = exchange.wishes._replace(block2=block2)
        return self._take_block(exchange, message, now) if traits & wire.BLOCK1 else message

    def _take_block(self, exchange: Pending, message: Message, now: float) -> Message | None:
        number, more, szx = message.opt.block1
        block1 = (number, more, min(szx, RESERVED_SZX - 1))
        exchange.wishes = exchange.wishes._replace(block1=block1)
        bodies = self._secure_bodies if sender_of(message).is_secure else self._plain_bodies
        body = bodies.feed(message, now)
        if body is None:
            self._answer(exchange, Response(Code.CONTINUE))
            return None
        if isinstance(body, BlockError):
            self._counters.rejected_block += 1
            refusal = Message(code=_BLOCK_CODES[body])
            if body is BlockError.TOO_LARGE:
                refusal.opt.size1 = self._settings.max_body_bytes
            self._answer(exchange, refusal)
            return None
        message.opt.block1 = None
        message.opt.size1 = None
        return with_payload(message, body)

    def _go_on(
        self,
        exchange: Pending,
        datagram: bytes,
        request: Request,
        answer: Response | Pending | None,
        message: Message | None = None,
    ) -> None:
        """What the handler's word leads to; *message* is the request, where it was needed already."""
        if answer is None:
            self._leave_to_resources(exchange, message or wire.message_of(request, datagram))
        elif isinstance(answer, Pending):
            self._keep_open(exchange)
            exchange.bind(self._answer)
        else:
            self._answer(exchange, answer)

    def _leave_to_resources(self, exchange: Pending, message: Message) -> None:
        if len(self._by_token) >= self._settings.max_open_exchanges // 2:
            self._refuse_busy(exchange)
            return
        remote = sender_of(message)
        if isinstance(remote, SessionRemote):
            remote.has_dialogue = True
        for number in _UNHANDLED_OPTIONS:
            message.opt.delete_option(number)
        # The token manager lets go of an earlier request with this token: it will not be answered.
        earlier = self._by_token.get((remote, exchange.token))
        if earlier is not None:
            self._acknowledge(earlier)
            self._close(earlier)
        self._keep_open(exchange)
        exchange.is_for_resources = True
        self._by_token[(remote, exchange.token)] = exchange
        self._tokens.process_request(message)

    def _refuse_busy(self, exchange: Pending) -> None:
        self._counters.rejected_busy += 1
        self._answer(exchange, self._busy)

    # --- open exchanges

    def _keep_open(self, exchange: Pending) -> None:
        self._serial += 1
        exchange.serial = self._serial
        self._open[self._serial] = exchange
        if exchange.is_confirmable:
            self._young.append(exchange)
            if self._sweeper is None:
                self._sweeper = self._loop.call_later(self._settings.empty_ack_delay_s, self._sweep)

    def _close(self, exchange: Pending) -> None:
        exchange.is_open = False
        self._open.pop(exchange.serial, None)
        if exchange.is_for_resources:
            exchange.is_for_resources = False
            del self._by_token[(exchange.remote, exchange.token)]

    def _sweep(self) -> None:
        """Acknowledge what has waited since the sweep before the last one."""
        for exchange in self._old:
            if exchange.is_open:
                self._acknowledge(exchange)
        self._old, self._young = self._young, []
        self._sweeper = (
            self._loop.call_later(self._settings.empty_ack_delay_s, self._sweep) if self._old else None
        )

    def _acknowledge(self, exchange: Pending) -> None:
        if exchange.is_confirmable and not exchange.is_acknowledged:
            exchange.is_acknowledged = True
            self._counters.separate += 1
            self._memory.amend(exchange.remote, exchange.key, EMPTY)
            exchange.remote.transmit(wire.encode_empty(wire.ACK, exchange.mid))

    def _keep_house(self, now: float) -> None:
        """Give up what nobody answered within the lifetime of an exchange, and overdue blocks."""
        self._housekeeping_at = now + HOUSEKEEPING_S
        self._plain_bodies.sweep(now)
        self._secure_bodies.sweep(now)
        for exchange in list(self._open.values()):
            if now - exchange.opened_at < self._settings.exchange_lifetime_s:
                break
            self._counters.expired += 1
            self._close(exchange)

    # --- on the way out

    def _answer(self, exchange: Pending, answer: Answer) -> None:
        is_awaited = exchange.is_open and exchange.remote.is_usable
        self._close(exchange)
        if is_awaited:
            self._answers.send(exchange, answer)
        else:
            self._counters.dropped_responses += 1


def _diagnostic(code: Code, text: str) -> Response:
    return respond(code, payload=text.encode())
