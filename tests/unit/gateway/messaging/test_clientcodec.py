"""Requests of ours and the answers to them, as bytes."""

from __future__ import annotations

import pytest
from aiocoap import Message

from gateway.lwm2m.requests import Method, Request
from gateway.messaging.clientcodec import Reply, decode_reply, encode_options, encode_request
from gateway.messaging.format import DecodeError
from tests.support.coap import ACK, BLOCK1, BLOCK2, CON, NON, OBSERVE, RST, block, coap, read
from tests.support.coap import encode_options as encode_any_options


def _message(request: Request, payload: bytes = b"", **options: object) -> Message:
    return read(b"\x40\x01\x00\x01" + encode_request(request, payload, **options))


def test_request_has_its_options_in_order() -> None:
    request = Request(
        Method.FETCH, ("lwm2m", "3"), ("pmin=1", "pmax=" + "9" * 300), content_format=112, accept=110
    )
    message = _message(
        request, b"body", observe=0, block1=(2, True, 3), size1=5000, block2=(1 << 19, False, 6)
    )
    options = message.opt
    assert options.uri_path == ("lwm2m", "3")
    assert options.uri_query == ("pmin=1", "pmax=" + "9" * 300)
    assert (options.content_format, options.accept, options.observe, options.size1) == (112, 110, 0, 5000)
    assert (tuple(options.block1), tuple(options.block2)) == ((2, True, 3), (1 << 19, False, 6))
    assert message.payload == b"body"


def test_request_without_anything_is_empty() -> None:
    assert encode_request(Request(Method.GET), b"") == b""


@pytest.mark.parametrize(
    ("payload", "piece", "is_told"), [(b"all", b"all", True), (b"all", b"", False), (b"", b"", True)]
)
def test_content_format_belongs_to_the_payload(payload: bytes, piece: bytes, is_told: bool) -> None:
    request = Request(Method.POST, ("3",), content_format=0, payload=payload)
    assert (_message(request, piece).opt.content_format is not None) is is_told


@pytest.mark.parametrize("length", [0, 12, 13, 268, 269, 2000])
@pytest.mark.parametrize("delta", [1, 12, 13, 268, 269, 60000])
def test_options_of_any_number_and_length(delta: int, length: int) -> None:
    options = [(delta, bytes(length)), (delta, b"again"), (delta + 3, b"")]
    assert encode_options(options) == encode_any_options(options)


def test_reply_is_read_with_its_format_and_its_payload() -> None:
    assert decode_reply(coap(ACK, "2.05", 1, b"token", [(12, b"\x70")], b"x")) == Reply(
        0x45, b"token", b"x", 112
    )


def test_reply_with_every_option_it_may_have() -> None:
    options = [
        (4, b"tag"),
        (OBSERVE, b"\x01\x00"),
        (8, b"3303"),
        (8, b"1"),
        (BLOCK1, block(1, True, 5)),
        (BLOCK2, block(0, True, 6)),
        (28, b"\x07\xd0"),
    ]
    assert decode_reply(coap(NON, "2.01", 1, b"t", options)) == Reply(
        0x41, b"t", b"", None, 256, b"tag", ("3303", "1"), (1, True, 5), (0, True, 6), 2000
    )


def test_reply_with_a_critical_option_nobody_knows_says_which() -> None:
    reply = decode_reply(coap(CON, "2.05", 1, b"t", [(65001, b"x"), (BLOCK2, b"long")]))
    assert (reply.bad_option, reply.block2) == (BLOCK2, None)


@pytest.mark.parametrize(
    "datagram",
    [
        coap(RST, "2.05"),
        coap(CON, "6.01"),
        coap(CON, "1.00"),
        coap(ACK, "0.01"),
        b"\x49\x45\0\0",
        b"\x41\x45\0\0",
    ],
)
def test_what_is_no_response_is_refused(datagram: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_reply(datagram)
