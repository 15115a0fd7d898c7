"""The datagrams of the benchmark: what a plain LwM2M 1.1 client sends, ready to go."""

from __future__ import annotations

from collections.abc import Sequence

import cbor2
from aiocoap.message import Message
from aiocoap.numbers.codes import Code
from aiocoap.numbers.types import Type

OBJECTS = b"</1/0>,</2>,</3/0>,</4/0>,</5/0>,</6>,</7/0>,</3303/0>,</3303/1>,</3304/0>,</10250>;ver=1.1"
"About 100 bytes, as a small device has."

# Labels of RFC 8428 §6.
SENML_BASE_NAME, SENML_NAME, SENML_VALUE = -2, 0, 2

CREATED = Code.CREATED
CHANGED = Code.CHANGED
NOT_FOUND = Code.NOT_FOUND


def register(node_id: str, mid: int, lifetime_s: int = 86_400) -> bytes:
    """A confirmable Register (OMA Core TS 1.2 §6.2.1)."""
    query = ("lwm2m=1.1", f"ep={node_id}", f"lt={lifetime_s}", "b=U")
    return _post(("rd",), mid, query, OBJECTS, content_format=40)


def update(location: Sequence[str], mid: int) -> bytes:
    """A confirmable Update without parameters: it renews the lifetime."""
    return _post(location, mid)


def send(mid: int) -> bytes:
    """A confirmable Send of ten values in SenML CBOR (OMA Core TS 1.2 §6.4.5); no two are alike."""
    records = [{SENML_NAME: str(5700 + number), SENML_VALUE: mid + number / 2} for number in range(10)]
    records[0][SENML_BASE_NAME] = "/3303/0/"
    return _post(("dp",), mid, payload=cbor2.dumps(records), content_format=112)


def ping(mid: int) -> bytes:
    """An empty confirmable message; the answer is a Reset (RFC 7252 §4.3)."""
    return bytes((0x40, 0, *mid.to_bytes(2, "big")))


def location_of(answer: bytes) -> tuple[str, ...]:
    """The Location-Path of a 2.01."""
    path: tuple[str, ...] = Message.decode(answer).opt.location_path
    return path


def is_answer(code: int) -> _HasCode:
    """A check for piggybacked answers of *code*."""
    return _HasCode(int(code))


class _HasCode:
    def __init__(self, code: int) -> None:
        self._code = code

    def __call__(self, answer: bytes) -> bool:
        return len(answer) >= 4 and answer[1] == self._code


def _post(
    path: Sequence[str],
    mid: int,
    query: Sequence[str] = (),
    payload: bytes = b"",
    content_format: int | None = None,
) -> bytes:
    message = Message(code=Code.POST, payload=payload, uri_path=path, uri_query=query)
    message.mtype = Type.CON
    message.mid = mid & 0xFFFF
    message.token = mid.to_bytes(8, "big")
    if content_format is not None:
        message.opt.content_format = content_format
    encoded: bytes = message.encode()
    return encoded
