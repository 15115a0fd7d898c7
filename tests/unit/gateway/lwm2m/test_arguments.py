from __future__ import annotations

import json
from pathlib import Path

import pytest

from gateway.lwm2m.arguments import format_arguments, parse_arguments
from gateway.lwm2m.errors import DecodeError

FILE = Path(__file__).parents[3] / "vectors/lwm2m/execute-arguments.json"
VECTORS = json.loads(FILE.read_text())["vectors"]


@pytest.mark.parametrize("vector", [pytest.param(vector, id=vector["id"]) for vector in VECTORS])
def test_published_arguments(vector):
    if vector["expected"] == "error":
        with pytest.raises(DecodeError):
            parse_arguments(vector["text"])
        return
    arguments = parse_arguments(vector["text"])
    assert [list(argument) for argument in arguments] == vector["expected"]
    assert format_arguments(arguments) == vector["text"]


def test_several_arguments_and_none():
    assert parse_arguments("0,1='',2='a,3=b'") == ((0, None), (1, ""), (2, "a,3=b"))
    assert parse_arguments("") == ()


@pytest.mark.parametrize(
    "text",
    [
        ",",
        "0,",
        "0;1",
        "a",
        "0=x",
        "0='a",
        "0='a'b",
        "0,0='1'",
        "0='a b'",
        "0='\"'",
        "0='\\'",
        "0='ü'",
        "0='''",
        " 0",
    ],
)
def test_ill_formed_ones_are_refused(text):
    with pytest.raises(DecodeError):
        parse_arguments(text)


def test_what_devices_get_may_be_read_leniently():
    assert parse_arguments("0='a b\"\\ü'", is_lenient=True) == ((0, 'a b"\\ü'),)
    with pytest.raises(DecodeError):
        parse_arguments("0='''", is_lenient=True)
