"""CoAP messages, typed: the simulator's border with aiocoap's codec (RFC 7252 §3)."""

from __future__ import annotations

from random import Random
from typing import Any

from aiocoap.error import UnparsableMessage
from aiocoap.message import Message
from aiocoap.numbers.codes import Code
from aiocoap.numbers.types import Type

_Message: Any = Message


class MessageIds:
    """The message ids of one endpoint, in a row from one that is drawn (RFC 7252 §4.4)."""

    __slots__ = ("_last",)

    def __init__(self, random: Random) -> None:
        self._last = random.getrandbits(16)

    def next(self) -> int:
        """The next one."""
        self._last = (self._last + 1) & 0xFFFF
        return self._last


def new_message(code: Code, payload: bytes = b"", token: bytes = b"") -> Message:
    """A message to be sent; options are set on ``opt``."""
    message: Message = _Message(code=code, payload=payload)
    message.token = token
    return message


def copy_message(source: Message, payload: bytes) -> Message:
    """The same message with another payload."""
    message: Message = _Message.copy(source, payload=payload)
    return message


def encode_message(message: Message, mtype: Type, mid: int) -> bytes:
    """*message* as it goes out."""
    message.mtype = mtype
    message.mid = mid
    wire: bytes = _Message.encode(message)
    return wire


def decode_message(data: bytes) -> Message | None:
    """The message in *data*, or None when it is malformed (RFC 7252 §4.2)."""
    try:
        message: Message = _Message.decode(data)
    except (UnparsableMessage, ValueError):
        return None
    return message


def code_of(message: Message) -> Code | None:
    """The code, or None for one that has no name."""
    return message.code if isinstance(message.code, Code) else None


def is_request(code: Code) -> bool:
    """Whether *code* is a method."""
    return 1 <= code < 32


def is_response(code: Code) -> bool:
    """Whether *code* is a response code."""
    return 64 <= code < 192


def is_success(code: Code) -> bool:
    """Whether *code* is 2.xx."""
    return 64 <= code < 96


def dotted(code: Code) -> str:
    """``4.04``."""
    return f"{code >> 5}.{code & 31:02d}"
