"""Requests of devices as `aiocoap.Message`, the way they come out of the message layer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from aiocoap import Message
from aiocoap.message import Direction
from aiocoap.numbers.codes import Code

from gateway.address import Address
from gateway.messaging.pending import Pending

HOME = Address("192.0.2.7", 5683)
OBJECT_LIST = b"</1/0>,</3/0>"


class FakeRemote(NamedTuple):
    """What a handler asks of a remote."""

    identity: str | None = None
    address: Address = HOME


def request(
    code: Code,
    path: str,
    queries: Sequence[str] = (),
    *,
    payload: bytes = b"",
    content_format: int | None = None,
    identity: str | None = None,
    address: Address = HOME,
) -> Message:
    """A request for */path*, from *identity* at *address*."""
    message = Message(code=code, payload=payload, uri_path=path.split("/") if path else (), uri_query=queries)
    message.direction = Direction.INCOMING
    message.remote = FakeRemote(identity, address)
    if content_format is not None:
        message.opt.content_format = content_format
    return message


def answer_of(answer: Message | Pending | None) -> Message:
    """The answer, which a `Pending` must have by now."""
    if isinstance(answer, Pending):
        answers: list[Message] = []
        answer.bind(answers.append)
        (answer,) = answers
    assert answer is not None
    return answer


def collect(pending: object) -> Callable[[], list[Message]]:
    """What *pending* was completed with so far, whenever it is asked."""
    assert isinstance(pending, Pending)
    answers: list[Message] = []
    pending.bind(answers.append)
    return lambda: list(answers)
