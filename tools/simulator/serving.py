"""The device's other end of CoAP: requests of the server answered once, block by block, and notifications.

Knows messages, message ids, blocks (RFC 7959) and retransmission; no objects, no addresses, no security. Time
and randomness are arguments.
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import Any

from aiocoap.message import Message
from aiocoap.numbers.codes import Code
from aiocoap.numbers.types import Type

from tools.simulator.client.exchanges import Request, Response
from tools.simulator.client.observing import Notification
from tools.simulator.coap import CoapSettings
from tools.simulator.messages import MessageIds, code_of, encode_message, is_success, new_message

Handler = Callable[[Request, float], Response]

MAX_REPLIES = 8
"Answers kept for requests that come twice."

MAX_PENDING = 64
"Confirmable notifications that wait for the acknowledgement of the one before; then the oldest goes."

MAX_BODY_BYTES = 4_194_304

_SAFE = frozenset({Code.GET, Code.FETCH})


@dataclass(slots=True)
class _Body:
    """A request in the making."""

    key: object
    data: bytearray


@dataclass(slots=True)
class _Confirmation:
    """A confirmable notification under way."""

    token: bytes
    mid: int
    wire: bytes
    wait_s: float
    due_at: float
    retransmissions: int = 0


class CoapServer:
    """Answers one server. After each call take `messages_to_send`."""

    def __init__(
        self,
        handle: Handler,
        settings: CoapSettings,
        random: Random,
        mids: MessageIds,
        on_refused: Callable[[bytes], None],
        on_body: Callable[[tuple[str, ...], float], None],
    ) -> None:
        """*on_refused* is told the token of a notification that was reset, or never acknowledged; *on_body*
        the path of a request of which the first of many blocks has come.
        """
        self._handle = handle
        self._settings = settings
        self._random = random
        self._mids = mids
        self._on_refused = on_refused
        self._on_body = on_body
        self._replies: OrderedDict[tuple[int, bytes], bytes] = OrderedDict()
        self._body: _Body | None = None
        self._told: OrderedDict[int, bytes] = OrderedDict()
        self._confirmation: _Confirmation | None = None
        self._pending: OrderedDict[bytes, Notification] = OrderedDict()
        self._outgoing: list[bytes] = []

    # -- requests ---------------------------------------------------------------------------------

    def answer(self, message: Message, now: float) -> None:
        """Take a request: answer it, or repeat the answer that it has had."""
        if message.mtype not in (Type.CON, Type.NON):
            return
        key = (int(message.mid), bytes(message.token))
        wire = self._replies.get(key)
        if wire is None:
            reply = self._reply(message, now)
            is_confirmable = message.mtype is Type.CON
            mid = message.mid if is_confirmable else self._mids.next()
            wire = encode_message(reply, Type.ACK if is_confirmable else Type.NON, mid)
            self._replies[key] = wire
            if len(self._replies) > MAX_REPLIES:
                self._replies.popitem(last=False)
        self._outgoing.append(wire)

    def _reply(self, message: Message, now: float) -> Message:
        options = message.opt
        payload = bytes(message.payload)
        block1 = options.block1
        if block1 is not None:
            whole = self._collect(message, block1, now)
            if isinstance(whole, Code):
                return self._acknowledge_block(message, whole)
            payload = whole
        code = code_of(message)
        assert code is not None
        is_continuation = options.block2 is not None and options.block2.block_number > 0
        request = Request(
            code,
            tuple(options.uri_path),
            tuple(options.uri_query),
            None if options.content_format is None else int(options.content_format),
            None if options.accept is None else int(options.accept),
            None if is_continuation else options.observe,
            bytes(message.token),
            payload,
        )
        reply = self._build(self._handle(request, now), request.token, options.block2, code)
        if block1 is not None:
            reply.opt.block1 = (block1.block_number, False, self._exponent(block1))
        return reply

    def _collect(self, message: Message, block1: Any, now: float) -> bytes | Code:
        """The body so far as it is whole; 2.31 for more, or why it is refused."""
        key = (
            message.code,
            tuple(message.opt.uri_path),
            tuple(message.opt.uri_query),
            message.opt.request_tag,
        )
        offset = block1.block_number << (block1.size_exponent + 4)
        if offset == 0:
            self._body = _Body(key, bytearray())
            if block1.more:
                self._on_body(tuple(message.opt.uri_path), now)
        body = self._body
        if body is None or body.key != key or offset != len(body.data):
            return Code.REQUEST_ENTITY_INCOMPLETE
        # Of a block bigger than the device wants only its first part is taken.
        size = 1 << (self._exponent(block1) + 4)
        taken = message.payload[:size] if block1.more else message.payload
        if len(body.data) + len(taken) > MAX_BODY_BYTES:
            self._body = None
            return Code.REQUEST_ENTITY_TOO_LARGE
        body.data += taken
        if block1.more:
            return Code.CONTINUE
        self._body = None
        return bytes(body.data)

    def _acknowledge_block(self, message: Message, code: Code) -> Message:
        reply = new_message(code, token=bytes(message.token))
        block1 = message.opt.block1
        reply.opt.block1 = (block1.block_number, code is Code.CONTINUE, self._exponent(block1))
        return reply

    def _exponent(self, block: Any) -> int:
        return min(int(block.size_exponent), self._settings.block_exponent)

    def _build(self, response: Response, token: bytes, block2: Any, method: Code | None) -> Message:
        """*response* as a message; of a long one the block that is asked for."""
        payload = response.payload
        exponent = self._settings.block_exponent if block2 is None else self._exponent(block2)
        size = 1 << (exponent + 4)
        number = 0 if block2 is None else int(block2.block_number)
        is_cut = (number > 0 or len(payload) > size) and is_success(response.code)
        if is_cut and (method is None or method in _SAFE):
            if number and number * size >= len(payload):
                return new_message(Code.BAD_OPTION, token=token)
            piece = payload[number * size : (number + 1) * size]
            message = new_message(response.code, piece, token)
            message.opt.block2 = (number, (number + 1) * size < len(payload), exponent)
            message.opt.etag = hashlib.blake2b(payload, digest_size=4).digest()
        else:
            message = new_message(response.code, payload, token)
        message.opt.content_format = response.content_format
        message.opt.location_path = response.location
        message.opt.observe = response.observe
        return message

    # -- notifications ----------------------------------------------------------------------------

    def notify(self, notification: Notification, now: float) -> None:
        """Tell an observer. While a confirmable one is under way the next waits; of a relation the newest."""
        if not notification.is_confirmable:
            mid = self._mids.next()
            self._outgoing.append(self._encode(notification, Type.NON, mid))
            self._remember(mid, notification.token)
        elif self._confirmation is None:
            self._begin(notification, now)
        else:
            self._pending[notification.token] = notification
            if len(self._pending) > MAX_PENDING:
                self._pending.popitem(last=False)

    def receive_empty(self, mtype: Type, mid: int, now: float) -> None:
        """Take an ACK or a RST, perhaps for a notification."""
        confirmation = self._confirmation
        if confirmation is not None and mid == confirmation.mid:
            self._confirmation = None
            if mtype is Type.RST:
                self._refuse(confirmation.token)
            self._go_on(now)
        elif mtype is Type.RST and mid in self._told:
            self._refuse(self._told[mid])

    def handle_timer(self, now: float) -> None:
        """Retransmit the notification under way, or take its observer for gone (RFC 7641 §4.5)."""
        confirmation = self._confirmation
        if confirmation is None or now < confirmation.due_at:
            return
        if confirmation.retransmissions >= self._settings.max_retransmit:
            self._confirmation = None
            self._refuse(confirmation.token)
            self._go_on(now)
            return
        confirmation.retransmissions += 1
        confirmation.wait_s *= 2
        confirmation.due_at = now + confirmation.wait_s
        self._outgoing.append(confirmation.wire)

    def get_timer(self) -> float | None:
        """When `handle_timer` has something to do."""
        return None if self._confirmation is None else self._confirmation.due_at

    def forget(self) -> None:
        """The server's session or registration is over: nothing is told any more."""
        self._confirmation = self._body = None
        self._pending.clear()
        self._told.clear()

    def messages_to_send(self) -> list[bytes]:
        """Drain the outbox."""
        outgoing, self._outgoing = self._outgoing, []
        return outgoing

    def _begin(self, notification: Notification, now: float) -> None:
        mid = self._mids.next()
        wire = self._encode(notification, Type.CON, mid)
        wait_s = self._settings.ack_timeout_s * self._random.uniform(1, self._settings.ack_random_factor)
        self._confirmation = _Confirmation(notification.token, mid, wire, wait_s, now + wait_s)
        self._outgoing.append(wire)

    def _go_on(self, now: float) -> None:
        if self._pending and self._confirmation is None:
            self._begin(self._pending.popitem(last=False)[1], now)

    def _refuse(self, token: bytes) -> None:
        self._pending.pop(token, None)
        self._on_refused(token)

    def _encode(self, notification: Notification, mtype: Type, mid: int) -> bytes:
        return encode_message(self._build(notification.response, notification.token, None, None), mtype, mid)

    def _remember(self, mid: int, token: bytes) -> None:
        self._told[mid] = token
        if len(self._told) > MAX_REPLIES:
            self._told.popitem(last=False)
