"""Hand-made answers of a CoAP server, for devices under test."""

from __future__ import annotations

from aiocoap.numbers.codes import Code
from aiocoap.numbers.types import Type

from tests.support.coap import read
from tools.simulator.messages import encode_message, new_message


def reply(
    request: bytes,
    code: Code,
    *,
    location: tuple[str, ...] = (),
    mtype: Type = Type.ACK,
    mid: int | None = None,
    **options,
) -> bytes:
    """A response to *request*: piggybacked, unless *mtype* says otherwise."""
    asked = read(request)
    answer = new_message(code, token=asked.token)
    answer.opt.location_path = location
    for name, value in options.items():
        setattr(answer.opt, name, value)
    return encode_message(answer, mtype, asked.mid if mid is None else mid)


def empty(mtype: Type, mid: int) -> bytes:
    """An empty message: ACK, RST or, confirmable, a ping."""
    return encode_message(new_message(Code.EMPTY), mtype, mid)


def request(code: Code, *path: str, mtype: Type = Type.CON, mid: int = 7, token: bytes = b"s") -> bytes:
    """A request of the server's own."""
    message = new_message(code, token=token)
    message.opt.uri_path = path
    return encode_message(message, mtype, mid)
