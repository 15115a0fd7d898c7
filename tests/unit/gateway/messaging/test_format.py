"""The message format of RFC 7252 §3: what is read, what is refused, what is left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aiocoap import Message
from aiocoap.numbers.codes import Code

from gateway.messaging import format as wire
from gateway.messaging.format import DecodeError, decode_message, encode_body, encode_header
from tests.support.coap import (
    ACK,
    BLOCK1,
    BLOCK2,
    CON,
    CONTENT_FORMAT,
    ECHO,
    NO_RESPONSE,
    NON,
    OBSERVE,
    PROXY_SCHEME,
    PROXY_URI,
    REQUEST_TAG,
    RST,
    SIZE1,
    URI_HOST,
    URI_PATH,
    URI_QUERY,
    coap,
    path,
)

_VECTORS = json.loads((Path(__file__).parents[3] / "vectors" / "coap.json").read_text())["vectors"]
_NAMES = {
    "ETag": 4,
    "Observe": 6,
    "Location-Path": 8,
    "Uri-Path": 11,
    "Content-Format": 12,
    "Max-Age": 14,
    "Uri-Query": 15,
    "Accept": 17,
    "Block2": 23,
    "Block1": 27,
    "Size2": 28,
    "Size1": 60,
    "Echo": 252,
    "Request-Tag": 292,
}
_TEXTS = {"Location-Path", "Uri-Path", "Uri-Query"}


def _value(name: str, value: Any) -> bytes:
    if isinstance(value, int):
        return value.to_bytes((value.bit_length() + 7) // 8, "big")
    return value.encode() if name in _TEXTS else bytes.fromhex(value)


def _good(kind: str = "") -> list[Any]:
    return [
        pytest.param(vector, id=vector["id"])
        for vector in _VECTORS
        if vector["expected"] != "error" and kind in vector["direction"]
    ]


def _bad() -> list[Any]:
    return [pytest.param(vector, id=vector["id"]) for vector in _VECTORS if vector["expected"] == "error"]


@pytest.mark.parametrize("vector", _good())
def test_vector_is_read(vector: dict[str, Any]) -> None:
    expected = vector["expected"]
    message, traits, bad_option = decode_message(bytes.fromhex(vector["hex"]))
    assert (str(message.mtype), message.code.dotted) == (expected["type"], expected["code"])
    assert (message.mid, message.token.hex()) == (expected["mid"], expected["token"])
    options = [(int(option.number), option.encode()) for option in message.opt.option_list()]
    assert options == [(_NAMES[name], _value(name, value)) for name, value in expected["options"]]
    payload = expected.get("payload_hex") or expected.get("payload_text", "").encode().hex()
    assert message.payload.hex() == payload
    assert not traits & wire.BAD_OPTION
    assert bad_option == 0


@pytest.mark.parametrize("vector", _good("both"))
def test_vector_is_written(vector: dict[str, Any]) -> None:
    datagram = bytes.fromhex(vector["hex"])
    message, _, _ = decode_message(datagram)
    header = encode_header(int(message.mtype), int(message.code), message.mid, message.token)
    assert header + encode_body(message) == datagram


@pytest.mark.parametrize(
    "vector", [pytest.param(v, id=v["id"]) for v in _VECTORS if v["expected"] == "error"]
)
def test_vector_is_refused(vector: dict[str, Any]) -> None:
    datagram = bytes.fromhex(vector["hex"])
    if len(datagram) < wire.HEADER_BYTES or datagram[0] & 0xC0 != wire.VERSION_BITS:
        return  # the layer drops these before decoding: tests of the exchange
    with pytest.raises(DecodeError):
        decode_message(datagram)


@pytest.mark.parametrize("length", range(9, 16))
def test_F2_token_of_9_to_15_bytes_is_a_format_error(length: int) -> None:
    with pytest.raises(DecodeError, match="token longer"):
        decode_message(bytes([0x40 | length, 1, 0, 1]) + bytes(length))


@pytest.mark.parametrize(
    ("datagram", "what"),
    [
        pytest.param(bytes([0x44, 1, 0, 1, 9, 9]), "token cut off", id="token-cut-off"),
        pytest.param(coap(CON, "0.01") + b"\xf1x", "delta or length 15", id="delta-15"),
        pytest.param(coap(CON, "0.01") + b"\x1fx", "delta or length 15", id="length-15"),
        pytest.param(coap(CON, "0.01") + b"\xb5rd", "option cut off", id="length-overrun"),
        pytest.param(coap(CON, "0.01") + b"\xd1", "header cut off", id="delta-13-cut-off"),
        pytest.param(coap(CON, "0.01") + b"\xe1\x00", "header cut off", id="delta-14-cut-off"),
        pytest.param(coap(CON, "0.01") + b"\x1e\xff", "header cut off", id="length-14-cut-off"),
        pytest.param(coap(CON, "0.01") + b"\x1e\xff\xffx", "option cut off", id="length-65804"),
        pytest.param(coap(CON, "0.01") + b"\xff", "without payload", id="marker-without-payload"),
        pytest.param(coap(CON, "0.01", options=path("rd")) + b"\xff", "without payload", id="marker-at-end"),
    ],
)
def test_F3_broken_options_are_format_errors(datagram: bytes, what: str) -> None:
    with pytest.raises(DecodeError, match=what):
        decode_message(datagram)


@pytest.mark.parametrize(
    "datagram",
    [
        pytest.param(coap(CON, "0.00") + b"x", id="ping-with-content"),
        pytest.param(coap(CON, "0.00", token=b"t"), id="ping-with-token"),
        pytest.param(coap(NON, "0.00"), id="empty-non-confirmable"),
        pytest.param(coap(RST, "0.00") + b"\xffx", id="F9-reset-with-payload"),
        pytest.param(coap(RST, "2.05"), id="F9-reset-with-code"),
        pytest.param(coap(RST, "0.01"), id="F9-reset-with-method"),
        pytest.param(coap(ACK, "0.00") + b"\xffx", id="F9-empty-ack-with-payload"),
        pytest.param(coap(ACK, "0.02"), id="F9-ack-with-method"),
        pytest.param(coap(CON, "1.01"), id="class-1"),
        pytest.param(coap(CON, "6.01"), id="class-6"),
        pytest.param(coap(CON, "7.01"), id="signalling"),
    ],
)
def test_code_that_does_not_fit_is_a_format_error(datagram: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_message(datagram)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param([(9, b"")], id="oscore"),
        pytest.param([(1, b"tag")], id="if-match"),
        pytest.param([(5, b"")], id="if-none-match"),
        pytest.param([(65001, b"x")], id="unknown"),
        pytest.param([(URI_PATH, b"\xff\xfe")], id="path-not-utf8"),
        pytest.param([(URI_QUERY, b"ep=\xc3")], id="query-cut-inside-a-character"),
        pytest.param([(URI_PATH, bytes(256))], id="path-too-long"),
        pytest.param([(URI_HOST, b"")], id="host-empty"),
        pytest.param([(17, b"\x01\x00\x00")], id="accept-too-long"),
        pytest.param([(BLOCK1, b"\x01\x00\x00\x00")], id="block1-too-long"),
        pytest.param([(BLOCK1, b"\x02"), (BLOCK1, b"\x12")], id="block1-twice"),
        pytest.param([(PROXY_URI, b"")], id="proxy-uri-empty"),
    ],
)
def test_F4_critical_option_that_cannot_be_accepted_is_named(options: list[tuple[int, bytes]]) -> None:
    _, traits, bad_option = decode_message(coap(CON, "0.02", options=options))
    assert traits & wire.BAD_OPTION
    assert bad_option == options[0][0]


@pytest.mark.parametrize(
    "options",
    [
        pytest.param([(65000, b"x")], id="unknown"),
        pytest.param([(CONTENT_FORMAT, b"\x01\x00\x00")], id="content-format-too-long"),
        pytest.param([(ECHO, b"")], id="echo-empty"),
        pytest.param([(ECHO, bytes(41))], id="echo-too-long"),
        pytest.param([(8, b"\xff")], id="location-not-utf8"),
        pytest.param([(SIZE1, bytes(5))], id="size1-too-long"),
        pytest.param([(REQUEST_TAG, bytes(9))], id="request-tag-too-long"),
        pytest.param([(0, b"")], id="number-0"),
    ],
)
def test_elective_option_that_cannot_be_accepted_is_left_out(options: list[tuple[int, bytes]]) -> None:
    message, traits, _ = decode_message(coap(CON, "0.02", options=[*options, *path("rd")]))
    assert [int(option.number) for option in message.opt.option_list()] == [URI_PATH]
    assert traits == 0


def test_elective_option_counts_once() -> None:
    message, traits, _ = decode_message(
        coap(CON, "0.02", options=[(CONTENT_FORMAT, b"\x28"), (CONTENT_FORMAT, b"")])
    )
    assert message.opt.content_format == 40
    assert traits == 0


def test_first_of_several_bad_options_is_named() -> None:
    _, _, bad_option = decode_message(coap(CON, "0.01", options=[(9, b""), (65001, b"")]))
    assert bad_option == 9


@pytest.mark.parametrize(
    ("option", "trait"),
    [
        (BLOCK1, wire.BLOCK1),
        (BLOCK2, wire.BLOCK2),
        (NO_RESPONSE, wire.NO_RESPONSE),
        (ECHO, wire.ECHO),
        (PROXY_URI, wire.PROXY),
        (PROXY_SCHEME, wire.PROXY),
        (OBSERVE, wire.OBSERVE),
        (URI_HOST, 0),
        (REQUEST_TAG, 0),
    ],
)
def test_traits_tell_what_the_exchange_must_look_at(option: int, trait: int) -> None:
    assert decode_message(coap(CON, "0.01", options=[(option, b"1")]))[1] == trait


def test_long_options_and_deltas_are_read() -> None:
    query = "x" * 255
    message, _, _ = decode_message(coap(CON, "0.01", options=[(URI_QUERY, query.encode()), (292, b"tag")]))
    assert message.opt.uri_query == (query,)
    assert message.opt.request_tag == (b"tag",)


def test_message_with_long_option_is_written_and_read_back() -> None:
    message = Message(code=Code.CONTENT, payload=b"p", location_query=["y" * 255], echo=bytes(20))
    datagram = encode_header(wire.ACK, int(Code.CONTENT), 0xFFFF, b"12345678") + encode_body(message)
    decoded, _, _ = decode_message(datagram)
    assert decoded.opt == message.opt
    assert (decoded.mid, decoded.token, decoded.payload) == (0xFFFF, b"12345678", b"p")
