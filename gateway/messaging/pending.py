"""Answers that take longer than the handler's call. Values and a callback; sends nothing itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Self

from aiocoap.message import Message

from gateway.messaging.blocks import Block
from gateway.messaging.remote import Remote


class Pending:
    """What a handler returns when its answer is not known yet.

    The handler keeps it and calls `complete`, once, in the loop's thread: later, or even before it returns.
    Meanwhile the request is acknowledged and its repetitions are absorbed.
    """

    __slots__ = ("_answer", "_deliver")

    def __init__(self) -> None:
        self._answer: Message | None = None
        self._deliver: Callable[[Message], None] | None = None

    def complete(self, answer: Message) -> None:
        """Answer the request. Too late, or for a peer that is gone, it is dropped without a word."""
        if self._answer is not None:
            raise RuntimeError("a request is answered once")
        self._answer = answer
        if self._deliver is not None:
            self._deliver(answer)

    def bind(self, deliver: Callable[[Message], None]) -> Self:
        """Called by the message layer: where the answer goes, at once if it is there already."""
        self._deliver = deliver
        if self._answer is not None:
            deliver(self._answer)
        return self


class Exchange:
    """A request from its arrival until its answer has left."""

    __slots__ = (
        "block1",
        "block2",
        "is_acknowledged",
        "is_confirmable",
        "is_open",
        "is_reachable",
        "key",
        "mid",
        "no_response",
        "opened_at",
        "remote",
        "request_bytes",
        "serial",
        "token",
    )

    def __init__(self, remote: Remote, request: Message, key: int, request_bytes: int, now: float) -> None:
        self.remote = remote
        self.token: bytes = request.token
        self.mid: int = request.mid
        self.is_confirmable = request.mtype == 0
        self.key = key
        "By which its repetitions are known."
        self.request_bytes = request_bytes
        self.opened_at = now
        self.serial = 0
        self.is_open = True
        self.is_acknowledged = False
        self.is_reachable = remote.is_secure
        "Whether the peer is known to get what is sent to its address."
        self.no_response = 0
        "Bits of classes the peer does not want to hear of (RFC 7967)."
        self.block1: Block | None = None
        self.block2: Block | None = None
