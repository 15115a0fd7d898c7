"""Answers that take longer than the handler's call. Values and a callback; sends nothing itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Self

from aiocoap.message import Message

from gateway.messaging.blocks import Block
from gateway.messaging.handling import Response
from gateway.messaging.remote import Remote

Answer = Response | Message
"Of a handler or of an aiocoap resource."


class Wishes(NamedTuple):
    """What a request wants of the form of its answer."""

    no_response: int = 0
    "Bits of classes the peer does not want to hear of (RFC 7967)."

    block1: Block | None = None
    block2: Block | None = None


NO_WISHES = Wishes()


class Pending:
    """A request from its arrival until its answer has left.

    What a handler returns when its answer is not known yet. The handler keeps it and calls `complete`, once,
    in the loop's thread: later, or even before it returns. Meanwhile the request is acknowledged and its
    repetitions are absorbed. All else belongs to the message layer.
    """

    __slots__ = (
        "_answer",
        "_deliver",
        "is_acknowledged",
        "is_confirmable",
        "is_for_resources",
        "is_open",
        "is_reachable",
        "key",
        "mid",
        "opened_at",
        "remote",
        "request_bytes",
        "serial",
        "token",
        "wishes",
    )

    remote: Remote
    token: bytes
    mid: int
    is_confirmable: bool

    key: int
    "By which its repetitions are known."

    request_bytes: int
    opened_at: float
    serial: int
    is_open: bool
    is_acknowledged: bool

    is_reachable: bool
    "Whether the peer is known to get what is sent to its address."

    is_for_resources: bool
    "Whether it waits for aiocoap's resources, which know it by its remote and token."

    wishes: Wishes

    def __init__(self) -> None:
        self._answer: Answer | None = None
        self._deliver: Callable[[Pending, Answer], None] | None = None

    def complete(self, answer: Response) -> None:
        """Answer the request. Too late, or for a peer that is gone, it is dropped without a word."""
        if self._answer is not None:
            raise RuntimeError("a request is answered once")
        self._answer = answer
        if self._deliver is not None:
            self._deliver(self, answer)

    def open(self, datagram: bytes, remote: Remote, key: int, now: float) -> Self:
        """Called by the message layer: which request this is."""
        token_end = 4 + (datagram[0] & 0x0F)
        self.remote = remote
        self.token = datagram[4:token_end]
        self.mid = datagram[2] << 8 | datagram[3]
        self.is_confirmable = not datagram[0] & 0x30
        self.key = key
        self.request_bytes = len(datagram)
        self.opened_at = now
        self.serial = 0
        self.is_open = True
        self.is_acknowledged = False
        self.is_reachable = remote.is_secure
        self.is_for_resources = False
        self.wishes = NO_WISHES
        return self

    def bind(self, deliver: Callable[[Pending, Answer], None]) -> Self:
        """Called by the message layer: where the answer goes, at once if it is there already."""
        self._deliver = deliver
        if self._answer is not None:
            deliver(self, self._answer)
        return self
