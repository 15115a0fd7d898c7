from __future__ import annotations

import math

import pytest

from gateway.lwm2m.errors import DecodeError, TooLarge
from gateway.lwm2m.formats import text
from gateway.lwm2m.path import parse_path
from gateway.lwm2m.records import Context, EncodeError, Record
from gateway.lwm2m.values import Type

PATH = parse_path("/3/0/9")


def context(type_=None, target=PATH):
    return Context(target, lambda path: type_)


def test_without_a_definition_it_is_a_string():
    assert text.decode(b"42", context()).records == (Record(PATH, "42", Type.STRING),)


@pytest.mark.parametrize("payload", [b"AQIDBAU=", b"AQIDBAU", b" AQIDBAU=\n"])
def test_bytes_are_base64(payload):
    assert text.decode(payload, context(Type.OPAQUE)).records[0].value == b"\1\2\3\4\5"


@pytest.mark.parametrize(
    ("payload", "type_"), [(b"x", Type.INTEGER), (b"A", Type.OPAQUE), (b"true", Type.BOOLEAN)]
)
def test_value_that_does_not_fit_is_named(payload, type_):
    decoded = text.decode(payload, context(type_))
    assert not decoded.records
    assert decoded.misfits[0].path == PATH


def test_text_is_utf_8_about_a_resource_and_bounded(monkeypatch):
    with pytest.raises(DecodeError):
        text.decode(b"\xff", context())
    with pytest.raises(DecodeError):
        text.decode(b"1", context(target=parse_path("/3/0")))
    monkeypatch.setattr(text, "MAX_PAYLOAD_BYTES", 3)
    with pytest.raises(TooLarge):
        text.decode(b"1234", context())


@pytest.mark.parametrize(
    ("value", "payload"), [(1e-7, b"0.0000001"), (1e21, b"1000000000000000000000"), (2.5, b"2.5")]
)
def test_floats_have_no_exponent(value, payload):
    assert text.encode((Record(PATH, value, Type.FLOAT),), context()) == payload


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_nan_and_infinities_have_no_form(value):
    with pytest.raises(EncodeError):
        text.encode((Record(PATH, value, Type.FLOAT),), context())
