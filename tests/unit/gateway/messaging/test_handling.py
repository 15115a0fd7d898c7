"""What handlers answer, written as aiocoap would write it."""

from __future__ import annotations

import pytest
from aiocoap import Message
from aiocoap.numbers.codes import Code

from gateway.messaging.handling import Response, below, respond
from tests.support.requests import read_response


def test_response_without_options_is_its_code() -> None:
    assert respond(Code.CHANGED) == Response(0x44, b"")


@pytest.mark.parametrize(
    "options",
    [
        {"location_path": ("rd", "x" * 22)},
        {"location_path": ("", "123456789012", "1234567890123", "ä" * 127)},
        {"content_format": 0},
        {"content_format": 11_542},
        {"max_age": 5},
        {"max_age": 2**32 - 1},
        {"location_path": ("rd",), "content_format": 40, "max_age": 60},
        {"content_format": 40, "max_age": 60},
    ],
)
@pytest.mark.parametrize("payload", [b"", b"</1/0>"])
def test_options_and_payload_are_encoded_as_by_aiocoap(options: dict, payload: bytes) -> None:
    named = {name.replace("max_age", "max_age_s"): value for name, value in options.items()}
    response = respond(Code.CREATED, payload=payload, **named)
    stock = Message(code=Code.CREATED, payload=payload, **options)
    assert response.body == stock.opt.encode() + (b"\xff" + payload if payload else b"")
    read = read_response(response)
    assert (read.code, read.opt, read.payload) == (stock.code, stock.opt, payload)


def test_segment_longer_than_255_bytes_is_no_location() -> None:
    with pytest.raises(ValueError, match="256 bytes"):
        respond(Code.CREATED, location_path=("x" * 256,))


@pytest.mark.parametrize("segment", ["", "x" * 22, "ä" * 127])
def test_location_grows_by_a_segment(segment: str) -> None:
    grown = below(respond(Code.CREATED, location_path=("rd",)), segment)
    assert grown == respond(Code.CREATED, location_path=("rd", segment))
