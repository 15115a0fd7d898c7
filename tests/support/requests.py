"""Requests of devices the way they come out of the message layer, and answers as a device reads them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from aiocoap import Message
from aiocoap.numbers.codes import Code

from gateway.address import Address
from gateway.messaging.handling import Request, Response
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
) -> Request:
    """A request for */path*, from *identity* at *address*."""
    segments = path.split("/") if path else []
    remote = FakeRemote(identity, address)
    return Request(int(code), segments, list(queries), content_format, [], payload, remote)


def read_response(response: object) -> Message:
    """*response* as a device reads it: by aiocoap's own codec, in a message with its code."""
    assert isinstance(response, Response)
    return Message.decode(bytes([0x60, response.code, 0, 0]) + response.body)


def answer_of(answer: Response | Pending | None) -> Message:
    """The answer, which a `Pending` must have by now."""
    if isinstance(answer, Pending):
        (message,) = collect(answer)()
        return message
    return read_response(answer)


def collect(pending: object) -> Callable[[], list[Message]]:
    """What *pending* was completed with so far, whenever it is asked."""
    assert isinstance(pending, Pending)
    answers: list[Message] = []
    pending.bind(lambda _, answer: answers.append(read_response(answer)))
    return lambda: list(answers)
