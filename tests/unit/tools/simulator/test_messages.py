import pytest
from aiocoap.numbers.codes import Code
from aiocoap.numbers.types import Type

from tools.simulator.messages import (
    code_of,
    copy_message,
    decode_message,
    dotted,
    encode_message,
    is_request,
    is_response,
    is_success,
    new_message,
)


def test_message_survives_the_wire():
    message = new_message(Code.POST, b"payload", b"tk")
    message.opt.uri_path = ("rd",)

    decoded = decode_message(encode_message(message, Type.CON, 77))

    assert (decoded.code, decoded.mtype, decoded.mid, decoded.token) == (Code.POST, Type.CON, 77, b"tk")
    assert (decoded.opt.uri_path, decoded.payload) == (("rd",), b"payload")


@pytest.mark.parametrize("data", [b"", b"\x40", b"\x00\x01\x00\x00", bytes.fromhex("40010000b1ff")])
def test_malformed_bytes_give_none(data):
    assert decode_message(data) is None


def test_copy_has_its_own_payload_and_options():
    source = new_message(Code.POST, b"whole")
    copied = copy_message(source, b"part")
    copied.opt.block1 = (0, True, 6)

    assert (source.payload, copied.payload) == (b"whole", b"part")
    assert source.opt.block1 is None


@pytest.mark.parametrize(
    ("code", "request_", "response", "success"),
    [
        (Code.EMPTY, False, False, False),
        (Code.GET, True, False, False),
        (Code.CREATED, False, True, True),
        (Code.NOT_FOUND, False, True, False),
        (Code.SERVICE_UNAVAILABLE, False, True, False),
        (Code.CSM, False, False, False),
    ],
)
def test_classes_of_codes(code, request_, response, success):
    assert (is_request(code), is_response(code), is_success(code)) == (request_, response, success)


def test_code_is_written_with_a_dot():
    assert dotted(Code.NOT_FOUND) == "4.04"
    assert dotted(Code.CREATED) == "2.01"


def test_code_without_a_name_is_still_a_code_or_none():
    message = decode_message(bytes.fromhex("40ff0000"))
    code = code_of(message)
    assert code is None or not (is_request(code) or is_response(code))
