"""The CoAP message format (RFC 7252 §3, RFC 8974 not spoken) and the options this gateway understands.

Bytes in, a `Request` or an `aiocoap.Message` out, and back. Knows no peers, no time, no state. Equal to
aiocoap's own codec on every well-formed message, only stricter; a property test holds them together.
"""

# mypy: allow-untyped-calls
from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

from aiocoap.message import Message
from aiocoap.numbers.codes import Code
from aiocoap.numbers.optionnumbers import OptionNumber
from aiocoap.numbers.types import Type
from aiocoap.options import Options
from aiocoap.optiontypes import ContentFormatOption, OptionType, StringOption

from gateway.messaging.handling import PAYLOAD_MARKER, Request, Response
from gateway.messaging.remote import Remote
from gateway.messaging.seam import incoming_message

VERSION_BITS = 0x40
HEADER_BYTES = 4
MAX_TOKEN_BYTES = 8
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

_URI_PATH: Final = int(OptionNumber.URI_PATH)
_CONTENT_FORMAT: Final = int(OptionNumber.CONTENT_FORMAT)
_URI_QUERY: Final = int(OptionNumber.URI_QUERY)
_LONGEST_TEXT: Final = 255
_LONGEST_CONTENT_FORMAT: Final = 2

_Options = tuple[list[str], list[str], int | None, list[tuple[int, bytes]], int, int, int]
"Path, query, Content-Format, others, where the payload begins, traits, first bad option."

_CODES = tuple(Code(number) for number in range(256))
TYPES = (Type.CON, Type.NON, Type.ACK, Type.RST)


class DecodeError(Exception):
    """The datagram is no CoAP message: a message format error (RFC 7252 §4.2, §4.3)."""

    def __init__(self, what: str, offset: int) -> None:
        super().__init__(what)
        self.offset = offset


class _Rule:
    """What is known of one option: RFC 7252 §5.10, RFC 7641, RFC 7959, RFC 7967, RFC 9175."""

    __slots__ = ("_is_repeatable", "_longest", "_make", "_shortest", "number", "trait")

    def __init__(
        self, number: OptionNumber, shortest: int, longest: int, *, repeatable: bool = False, trait: int = 0
    ) -> None:
        self.number = int(number)
        self._make = cast("Any", number.format)
        "The class of its values."

        self._shortest = shortest
        self._longest = longest
        self._is_repeatable = repeatable
        self.trait = trait

    def accepts(self, value: bytes, earlier: Sequence[tuple[int, bytes]]) -> bool:
        """Whether the option may stand with *value* behind those that were accepted *earlier*."""
        if not self._shortest <= len(value) <= self._longest:
            return False
        if not self._is_repeatable and earlier and earlier[-1][0] == self.number:
            return False
        return self._make is not StringOption or _is_text(value)

    def make_option(self, value: bytes) -> OptionType:
        """The option as aiocoap keeps it."""
        option: OptionType = self._make(OptionNumber(self.number))
        option.decode(value)
        return option


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True


# Uri-Path, Uri-Query and Content-Format are read without a rule.
# If-Match and If-None-Match are left out on purpose: no resource here is conditional, and a condition
# must not be ignored (§5.10.8). As unknown critical options they get 4.02.
_RULES: Final[dict[int, _Rule]] = {
    rule.number: rule
    for rule in (
        _Rule(OptionNumber.URI_HOST, 1, 255),
        _Rule(OptionNumber.ETAG, 1, 8, repeatable=True),
        _Rule(OptionNumber.OBSERVE, 0, 3, trait=OBSERVE),
        _Rule(OptionNumber.URI_PORT, 0, 2),
        _Rule(OptionNumber.LOCATION_PATH, 0, 255, repeatable=True),
        _Rule(OptionNumber.MAX_AGE, 0, 4),
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


def decode_request(datagram: bytes, remote: Remote) -> tuple[Request, int, int]:
    """Decode *datagram*, at least `HEADER_BYTES` long, of version 1, with a method's code in CON or NON.

    Gives the request, the traits of its options (`BLOCK1` …) and, with `BAD_OPTION` among them, the number
    of the first critical option that cannot be accepted: unknown, repeated against its nature, of a wrong
    length or not UTF-8 (RFC 7252 §5.4.1, §5.4.3, §5.4.5). Elective options of that kind are left out.

    Raises:
        DecodeError: a message format error.
    """
    size = len(datagram)
    start = check_token(datagram, size)
    path, query, content_format, others, end, traits, bad_option = decode_options(datagram, start, size)
    payload = datagram[end:]
    return Request(datagram[1], path, query, content_format, others, payload, remote), traits, bad_option


def decode_message(datagram: bytes, remote: Remote | None = None) -> tuple[Message, int, int]:
    """Decode *datagram* of any type and code likewise.

    Raises:
        DecodeError: a message format error.
    """
    size = len(datagram)
    start = check_token(datagram, size)
    check_code(datagram[1], datagram[0] >> 4 & 3, size)
    path, query, content_format, others, end, traits, bad_option = decode_options(datagram, start, size)
    options = _make_options(path, query, content_format, others)
    return _make_message(datagram, options, datagram[end:], remote), traits, bad_option


def message_of(request: Request, datagram: bytes) -> Message:
    """The message that *request* is, as aiocoap's resources want it; *datagram* is the one it came in."""
    options = _make_options(request.uri_path, request.uri_query, request.content_format, request.others)
    return _make_message(datagram, options, request.payload, request.remote)


def response_message(response: Response) -> Message:
    """*response* as a message of aiocoap's, to be given other options."""
    body = response.body
    path, query, content_format, others, end, _, _ = decode_options(body, 0, len(body))
    message = Message(code=_CODES[response.code], payload=body[end:])
    message.opt = _make_options(path, query, content_format, others)
    return message


def check_token(datagram: bytes, size: int) -> int:
    """Where the token ends and the options begin.

    Raises:
        DecodeError: it is too long or cut off.
    """
    length = datagram[0] & 0x0F
    if length > MAX_TOKEN_BYTES:
        raise DecodeError("token longer than 8 bytes", 0)
    if HEADER_BYTES + length > size:
        raise DecodeError("token cut off", HEADER_BYTES)
    return HEADER_BYTES + length


def check_code(code: int, message_type: int, size: int) -> None:
    """See that *code* may stand in that type of message (RFC 7252 §4.1-4.3, table 1).

    Raises:
        DecodeError: it may not.
    """
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


def decode_options(datagram: bytes, position: int, size: int) -> _Options:
    """The options from *position* on, and where the payload begins.

    Raises:
        DecodeError: a message format error.
    """
    path: list[str] = []
    query: list[str] = []
    content_format: int | None = None
    others: list[tuple[int, bytes]] = []
    number = traits = bad_option = 0
    while position < size:
        byte = datagram[position]
        position += 1
        if byte == 0xFF:
            if position == size:
                raise DecodeError("payload marker without payload", position - 1)
            break
        delta = byte >> 4
        length = byte & 0x0F
        if delta > 12:
            delta, position = _extend(datagram, position, delta)
        if length == 13 and position < size:
            length = datagram[position] + 13
            position += 1
        elif length > 12:
            length, position = _extend(datagram, position, length)
        number += delta
        end = position + length
        if end > size:
            raise DecodeError("option cut off", position)
        value = datagram[position:end]
        position = end
        # The options of an ordinary request first, without a table.
        if (number == _URI_PATH or number == _URI_QUERY) and length <= _LONGEST_TEXT:  # noqa: SIM109
            try:
                text = value.decode()
            except UnicodeDecodeError:
                traits |= BAD_OPTION
                bad_option = bad_option or number
            else:
                (path if number == _URI_PATH else query).append(text)
        elif number == _CONTENT_FORMAT and length <= _LONGEST_CONTENT_FORMAT:
            if content_format is None:
                content_format = int.from_bytes(value, "big")
        else:
            rule = _RULES.get(number)
            if rule is not None and rule.accepts(value, others):
                others.append((number, value))
                traits |= rule.trait
            elif number & 1:
                traits |= BAD_OPTION
                bad_option = bad_option or number
    return path, query, content_format, others, position, traits, bad_option


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


def _make_options(
    path: Sequence[str], query: Sequence[str], content_format: int | None, others: Sequence[tuple[int, bytes]]
) -> Options:
    options = Options()
    for text in path:
        options.add_option(StringOption(OptionNumber.URI_PATH, text))
    if content_format is not None:
        options.add_option(ContentFormatOption(OptionNumber.CONTENT_FORMAT, content_format))
    for text in query:
        options.add_option(StringOption(OptionNumber.URI_QUERY, text))
    for number, value in others:
        options.add_option(_RULES[number].make_option(value))
    return options


def _make_message(datagram: bytes, options: Options, payload: bytes, remote: Remote | None) -> Message:
    first = datagram[0]
    return incoming_message(
        TYPES[first >> 4 & 3],
        _CODES[datagram[1]],
        datagram[2] << 8 | datagram[3],
        datagram[HEADER_BYTES : HEADER_BYTES + (first & 0x0F)],
        payload,
        options,
        remote,
    )


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
