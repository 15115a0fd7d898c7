"""The CoAP message format (RFC 7252 §3, RFC 8974 not spoken) and the options this gateway understands.

Bytes in, `aiocoap.Message` out, and back. Knows no peers, no time, no state. Equal to aiocoap's own codec
on every well-formed message, only stricter and some four times faster; a property test holds them together.
"""

# mypy: allow-untyped-calls
from __future__ import annotations

from typing import Any, Final, cast

from aiocoap.message import Message
from aiocoap.numbers.codes import Code
from aiocoap.numbers.optionnumbers import OptionNumber
from aiocoap.numbers.types import Type
from aiocoap.options import Options
from aiocoap.optiontypes import OpaqueOption, StringOption, UintOption

from gateway.messaging.remote import Remote
from gateway.messaging.seam import incoming_message

VERSION_BITS = 0x40
HEADER_BYTES = 4
MAX_TOKEN_BYTES = 8
PAYLOAD_MARKER = b"\xff"

SHORT_BODY_BYTES = 1024
"Options and payload of an answer up to this size need no blocks."

CON: Final = 0
NON: Final = 1
ACK: Final = 2
RST: Final = 3

# What the exchange has to look at; an ordinary request has none of them and takes the short way.
BLOCK1: Final = 1
BLOCK2: Final = 2
NO_RESPONSE: Final = 4
ECHO: Final = 8
PROXY: Final = 16
OBSERVE: Final = 32
BAD_OPTION: Final = 64

_CODES = tuple(Code(number) for number in range(256))
TYPES = (Type.CON, Type.NON, Type.ACK, Type.RST)


class DecodeError(Exception):
    """The datagram is no CoAP message: a message format error (RFC 7252 §4.2, §4.3)."""

    def __init__(self, what: str, offset: int) -> None:
        super().__init__(what)
        self.offset = offset


class _Rule:
    """What is known of one option: RFC 7252 §5.10, RFC 7641, RFC 7959, RFC 7967, RFC 9175."""

    __slots__ = ("is_repeatable", "longest", "make", "number", "shortest", "trait")

    def __init__(
        self, number: OptionNumber, shortest: int, longest: int, *, repeatable: bool = False, trait: int = 0
    ) -> None:
        self.number = number
        self.make = cast("Any", number.format)
        "The class of its values."

        self.shortest = shortest
        self.longest = longest
        self.is_repeatable = repeatable
        self.trait = trait


# If-Match and If-None-Match are left out on purpose: no resource here is conditional, and a condition
# must not be ignored (§5.10.8). As unknown critical options they get 4.02.
_RULES: Final[dict[int, _Rule]] = {
    int(rule.number): rule
    for rule in (
        _Rule(OptionNumber.URI_HOST, 1, 255),
        _Rule(OptionNumber.ETAG, 1, 8, repeatable=True),
        _Rule(OptionNumber.OBSERVE, 0, 3, trait=OBSERVE),
        _Rule(OptionNumber.URI_PORT, 0, 2),
        _Rule(OptionNumber.LOCATION_PATH, 0, 255, repeatable=True),
        _Rule(OptionNumber.URI_PATH, 0, 255, repeatable=True),
        _Rule(OptionNumber.CONTENT_FORMAT, 0, 2),
        _Rule(OptionNumber.MAX_AGE, 0, 4),
        _Rule(OptionNumber.URI_QUERY, 0, 255, repeatable=True),
        _Rule(OptionNumber.ACCEPT, 0, 2),
        _Rule(OptionNumber.LOCATION_QUERY, 0, 255, repeatable=True),
        _Rule(OptionNumber.BLOCK2, 0, 3, trait=BLOCK2),
        _Rule(OptionNumber.BLOCK1, 0, 3, trait=BLOCK1),
        _Rule(OptionNumber.SIZE2, 0, 4),
        _Rule(OptionNumber.PROXY_URI, 1, 1034, trait=PROXY),
        _Rule(OptionNumber.PROXY_SCHEME, 1, 255, trait=PROXY),
        _Rule(OptionNumber.SIZE1, 0, 4),
        _Rule(OptionNumber.ECHO, 1, 40, trait=ECHO),
        _Rule(OptionNumber.NO_RESPONSE, 0, 1, trait=NO_RESPONSE),
        _Rule(OptionNumber.REQUEST_TAG, 0, 8, repeatable=True),
    )
}


def decode_message(datagram: bytes, remote: Remote | None = None) -> tuple[Message, int, int]:
    """Decode *datagram*, which is at least `HEADER_BYTES` long and of version 1.

    Gives the message, the traits of its options (`BLOCK1` …) and, with `BAD_OPTION` among them, the number
    of the first critical option that cannot be accepted: unknown, repeated against its nature, of a wrong
    length or not UTF-8 (RFC 7252 §5.4.1, §5.4.3, §5.4.5). Elective options of that kind are left out.

    Raises:
        DecodeError: a message format error.
    """
    first = datagram[0]
    code = datagram[1]
    token_end = HEADER_BYTES + (first & 0x0F)
    if first & 0x0F > MAX_TOKEN_BYTES:
        raise DecodeError("token longer than 8 bytes", 0)
    size = len(datagram)
    if token_end > size:
        raise DecodeError("token cut off", HEADER_BYTES)
    _check_code(code, first >> 4 & 3, size)
    options, payload, traits, bad_option = _decode_options(datagram, token_end, size)
    message = incoming_message(
        TYPES[first >> 4 & 3],
        _CODES[code],
        datagram[2] << 8 | datagram[3],
        datagram[HEADER_BYTES:token_end],
        payload,
        options,
        remote,
    )
    return message, traits, bad_option


def _check_code(code: int, message_type: int, size: int) -> None:
    """Which codes may stand in which type of message (RFC 7252 §4.1-4.3, table 1)."""
    if code == 0:
        if size > HEADER_BYTES:
            raise DecodeError("empty message with content", HEADER_BYTES)
        if message_type == NON:
            raise DecodeError("empty non-confirmable message", 0)
    elif message_type == RST:
        raise DecodeError("Reset with a code", 1)
    elif code < 0x20:
        if message_type == ACK:
            raise DecodeError("acknowledgement with a request", 1)
    elif code < 0x40 or code >= 0xC0:
        raise DecodeError("reserved code class", 1)


def _decode_options(datagram: bytes, position: int, size: int) -> tuple[Options, bytes, int, int]:
    options = Options()
    number = traits = bad_option = 0
    while position < size:
        byte = datagram[position]
        if byte == 0xFF:
            if position + 1 == size:
                raise DecodeError("payload marker without payload", position)
            return options, datagram[position + 1 :], traits, bad_option
        position += 1
        delta = byte >> 4
        length = byte & 0x0F
        if delta > 12:
            delta, position = _extend(datagram, position, delta)
        if length > 12:
            length, position = _extend(datagram, position, length)
        number += delta
        end = position + length
        if end > size:
            raise DecodeError("option cut off", position)
        rule = _RULES.get(number)
        if (
            rule is not None
            and rule.shortest <= length <= rule.longest
            and (delta or rule.is_repeatable or not options.get_option(rule.number))
            and _add(options, rule, datagram[position:end])
        ):
            traits |= rule.trait
        elif number & 1:
            traits |= BAD_OPTION
            bad_option = bad_option or number
        position = end
    return options, b"", traits, bad_option


def _extend(datagram: bytes, position: int, nibble: int) -> tuple[int, int]:
    """An option delta or length beyond 12 (RFC 7252 §3.1), and where reading goes on."""
    width = nibble - 12
    if width == 3:
        raise DecodeError("option delta or length 15", position)
    if position + width > len(datagram):
        raise DecodeError("option header cut off", position)
    if width == 1:
        return datagram[position] + 13, position + 1
    return (datagram[position] << 8 | datagram[position + 1]) + 269, position + 2


def _add(options: Options, rule: _Rule, value: bytes) -> bool:
    """Append the option; False when its value is not UTF-8 where it should be."""
    make = rule.make
    if make is StringOption:
        try:
            text = value.decode()
        except UnicodeDecodeError:
            return False
        options.add_option(StringOption(rule.number, text))
    elif make is UintOption:
        options.add_option(UintOption(rule.number, int.from_bytes(value, "big")))
    elif make is OpaqueOption:
        options.add_option(OpaqueOption(rule.number, value))
    else:
        option = make(rule.number)
        option.decode(value)
        options.add_option(option)
    return True


def encode_body(message: Message) -> bytes:
    """Options and payload, as they follow the token."""
    options: bytes = message.opt.encode()
    payload: bytes = message.payload
    return options + PAYLOAD_MARKER + payload if payload else options


def code_of(message: Message) -> Code:
    """The code, which every message has that comes in or goes out."""
    return cast("Code", message.code)


def encode_header(message_type: int, code: int, mid: int, token: bytes = b"") -> bytes:
    """Version 1 header and token."""
    return bytes((0x40 | message_type << 4 | len(token), code, mid >> 8, mid & 0xFF)) + token


def encode_empty(message_type: int, mid: int) -> bytes:
    """An empty message: `ACK` or `RST` for *mid*."""
    return bytes((0x40 | message_type << 4, 0, mid >> 8, mid & 0xFF))
