"""A device that answers what it is asked, block by block, over a network that may lose and double.

Made by hand from RFC 7252 and 7959, with nothing of the gateway's in it: a second opinion.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from aiocoap import Message

from tests.support.coap import (
    ACK,
    BLOCK1,
    BLOCK2,
    CON,
    OBSERVE,
    RST,
    Options,
    block,
    coap,
    read,
)

ETAG = 4
GET, POST, PUT, FETCH = 1, 2, 3, 5
_ACK_TIMEOUT_S = 2.0
_RETRANSMISSIONS = 4


@dataclass
class _Body:
    tag: bytes
    data: bytearray = field(default_factory=bytearray)


class AnsweringDevice:
    """Resources by path; what is put replaces them, what is posted is counted as executed."""

    def __init__(
        self, send: Callable[[bytes], object], *, szx: int = 6, separate_s: float | None = None
    ) -> None:
        """*separate_s*: acknowledge first and answer that much later, in a message of its own."""
        self._send = send
        self._szx = szx
        self._separate_s = separate_s
        self._mid = 30_000
        self._replies: dict[int, bytes | None] = {}
        self._bodies: dict[tuple[str, ...], _Body] = {}
        self._unacknowledged: dict[int, asyncio.TimerHandle] = {}
        self._loop = asyncio.get_running_loop()
        self.resources: dict[tuple[str, ...], bytes] = {}
        self.executed: list[bytes] = []
        self.observed: dict[bytes, tuple[str, ...]] = {}
        self.sequence = 1
        self.resets = 0

    def receive(self, datagram: bytes) -> None:
        """Take a datagram of the gateway's."""
        kind = datagram[0] >> 4 & 3
        if kind in (ACK, RST):
            timer = self._unacknowledged.pop(int.from_bytes(datagram[2:4], "big"), None)
            if timer is not None:
                timer.cancel()
                self.resets += kind == RST
            return
        request = read(datagram)
        if request.mid in self._replies:
            reply = self._replies[request.mid]
            if reply is not None:
                self._send(reply)
            return
        code, options, payload = self._answer(request)
        if self._separate_s is None:
            reply = coap(ACK, code, request.mid, request.token, options, payload)
        else:
            reply = coap(ACK, "0.00", request.mid)
            self._loop.call_later(self._separate_s, self.say, code, request.token, options, payload)
        self._replies[request.mid] = reply
        self._send(reply)

    def notify(self, token: bytes) -> None:
        """Tell the value of what is observed under *token*."""
        self.sequence += 1
        options, payload = self._piece(self.observed[token], None)
        self.say("2.05", token, [*options, (OBSERVE, bytes([self.sequence]))], payload)

    def say(self, code: str, token: bytes, options: Options, payload: bytes) -> None:
        """Send a confirmable message of its own until it is acknowledged."""
        self._mid += 1
        self._transmit(self._mid, coap(CON, code, self._mid, token, options, payload), 0)

    def stop(self) -> None:
        """Repeat nothing any more."""
        for timer in self._unacknowledged.values():
            timer.cancel()

    def _transmit(self, mid: int, datagram: bytes, attempt: int) -> None:
        self._unacknowledged.pop(mid, None)
        if attempt <= _RETRANSMISSIONS:
            wait_s = _ACK_TIMEOUT_S * 2**attempt
            self._unacknowledged[mid] = self._loop.call_later(
                wait_s, self._transmit, mid, datagram, attempt + 1
            )
            self._send(datagram)

    def _answer(self, request: Message) -> tuple[str, Options, bytes]:
        path = request.opt.uri_path
        code = int(request.code)
        options: list[tuple[int, bytes]] = []
        payload: bytes = request.payload
        if request.opt.block1:
            number, more, szx = request.opt.block1
            body = self._bodies.setdefault(path, _Body(b""))
            if number == 0:
                body.data.clear()
            if len(body.data) != number << szx + 4:
                return "4.08", [(BLOCK1, block(number, more, szx))], b""
            body.data += payload
            options.append((BLOCK1, block(number, more, min(szx, self._szx))))
            if more:
                return "2.31", options, b""
            payload = bytes(self._bodies.pop(path).data)
        if code == POST:
            self.executed.append(payload)
            return "2.04", options, b""
        if code == PUT:
            self.resources[path] = payload
            return "2.04", options, b""
        if path not in self.resources:
            return "4.04", options, b""
        if request.opt.observe == 0:
            self.observed[request.token] = path
            options.append((OBSERVE, bytes([self.sequence])))
        elif request.opt.observe == 1:
            self.observed.pop(request.token, None)
        more_options, piece = self._piece(path, request.opt.block2)
        return "2.05", [*options, *more_options], piece

    def _piece(
        self, path: tuple[str, ...], wanted: Sequence[int] | None
    ) -> tuple[list[tuple[int, bytes]], bytes]:
        value = self.resources[path]
        number, szx = (wanted[0], min(wanted[2], self._szx)) if wanted else (0, self._szx)
        size = 1 << szx + 4
        if len(value) <= size and not number:
            return [], value
        tag = hash(value).to_bytes(8, "big", signed=True)
        more = (number + 1) * size < len(value)
        options = [(ETAG, tag), (BLOCK2, block(number, more, szx))]
        return options, value[number * size : (number + 1) * size]
