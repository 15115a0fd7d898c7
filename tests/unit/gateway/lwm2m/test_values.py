from __future__ import annotations

import math

import pytest

from gateway.lwm2m.values import (
    ObjectLink,
    Type,
    Unfit,
    coerce,
    from_json,
    guess_type,
    parse_argument,
    parse_object,
    parse_object_link,
    parse_text,
    to_json,
)

LINK = ObjectLink(33606, 0)


@pytest.mark.parametrize(
    ("value", "type_", "expected"),
    [
        ("U", Type.STRING, "U"),
        ("</3/0>", Type.CORELNK, "</3/0>"),
        (2**63 - 1, Type.INTEGER, 2**63 - 1),
        (-(2**63), Type.INTEGER, -(2**63)),
        (86400.0, Type.INTEGER, 86400),
        (2**64 - 1, Type.UNSIGNED, 2**64 - 1),
        (1367491215, Type.TIME, 1367491215),
        (1367491215.9, Type.TIME, 1367491215),
        (-0.5, Type.TIME, -1),
        (23, Type.FLOAT, 23.0),
        (1.5, Type.FLOAT, 1.5),
        (math.inf, Type.FLOAT, math.inf),
        (True, Type.BOOLEAN, True),
        (b"\x01", Type.OPAQUE, b"\x01"),
        (LINK, Type.OBJLNK, LINK),
        ("33606:0", Type.OBJLNK, LINK),
        ((), Type.MULTIPLE, ()),
        (None, Type.NONE, None),
    ],
)
def test_what_fits_is_taken(value, type_, expected):
    found = coerce(value, type_)
    assert found == expected
    assert type(found) is type(expected)


@pytest.mark.parametrize(
    ("value", "type_"),
    [
        (1, Type.STRING),
        (b"U", Type.STRING),
        (None, Type.CORELNK),
        (2**63, Type.INTEGER),
        (10**100, Type.INTEGER),
        (1.5, Type.INTEGER),
        (2.0**60, Type.INTEGER),
        (math.nan, Type.INTEGER),
        (True, Type.INTEGER),
        ("1", Type.INTEGER),
        (-1, Type.UNSIGNED),
        (math.nan, Type.TIME),
        (math.inf, Type.TIME),
        (1e300, Type.TIME),
        (True, Type.FLOAT),
        ("1.5", Type.FLOAT),
        (10**400, Type.FLOAT),
        (1, Type.BOOLEAN),
        ("01", Type.OPAQUE),
        (1, Type.OBJLNK),
        ("1:", Type.OBJLNK),
        ([], Type.MULTIPLE),
        (1, Type.NONE),
        ("x" * 99, Type.INTEGER),
        ({}, Type.STRING),
    ],
)
def test_what_does_not_fit_is_named(value, type_):
    with pytest.raises(Unfit) as caught:
        coerce(value, type_)
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize(
    ("value", "type_"),
    [
        (True, Type.BOOLEAN),
        (1, Type.INTEGER),
        (2**63, Type.UNSIGNED),
        (1.0, Type.FLOAT),
        ("", Type.STRING),
        (b"", Type.OPAQUE),
        (LINK, Type.OBJLNK),
        ((), Type.MULTIPLE),
        (None, Type.NONE),
        ([1], Type.NONE),
    ],
)
def test_type_is_guessed_from_the_value(value, type_):
    assert guess_type(value) is type_


@pytest.mark.parametrize("text", ["FFFF:FFFF", "ffff:ffff", "65535:65535", "65535:65535\0"])
def test_null_link_has_spellings(text):
    assert parse_object_link(text) == ObjectLink(65535, 65535)


@pytest.mark.parametrize("text", ["", "1", "1:2:3", "65536:0", "0:65536", "-1:0", "FFF:0", "1: 2"])
def test_what_is_no_link_is_refused(text):
    with pytest.raises(Unfit):
        parse_object_link(text)


@pytest.mark.parametrize(
    ("text", "type_", "expected"),
    [
        (" 42\n", Type.INTEGER, 42),
        ("-42", Type.INTEGER, -42),
        ("18446744073709551615", Type.UNSIGNED, 2**64 - 1),
        ("1476186613", Type.TIME, 1476186613),
        ("-.5e-3", Type.FLOAT, -0.0005),
        ("23.", Type.FLOAT, 23.0),
        ("1", Type.BOOLEAN, True),
        ("0", Type.BOOLEAN, False),
        ("33606:0", Type.OBJLNK, LINK),
        (" as it is ", Type.STRING, " as it is "),
    ],
)
def test_text_is_read_by_its_type(text, type_, expected):
    assert parse_text(text, type_) == expected


@pytest.mark.parametrize(
    ("text", "type_"),
    [
        ("1.0", Type.INTEGER),
        ("1_0", Type.INTEGER),
        ("", Type.INTEGER),
        ("9" * 21, Type.INTEGER),
        ("9223372036854775808", Type.INTEGER),
        ("-1", Type.UNSIGNED),
        ("nan", Type.FLOAT),
        ("inf", Type.FLOAT),
        ("1e9999", Type.FLOAT),
        ("1" * 401, Type.FLOAT),
        ("1e99999", Type.FLOAT),
        ("true", Type.BOOLEAN),
        ("x", Type.OBJLNK),
        ("x", Type.OPAQUE),
    ],
)
def test_text_that_is_no_value_is_refused(text, type_):
    with pytest.raises(Unfit):
        parse_text(text, type_)


@pytest.mark.parametrize(
    ("value", "json"),
    [
        ("U", "U"),
        (2**63 - 1, 2**63 - 1),
        (1.5, 1.5),
        (math.inf, "Infinity"),
        (-math.inf, "-Infinity"),
        (math.nan, "NaN"),
        (True, True),
        (b"\xff\x01", "ff01"),
        (LINK, "33606:0"),
        ((), {}),
        (None, None),
    ],
)
def test_values_have_a_json_notation(value, json):
    assert to_json(value) == json


@pytest.mark.parametrize(
    ("json", "type_", "value"),
    [
        ("hex:ff01", Type.OPAQUE, b"\xff\x01"),
        ("hex:", Type.OPAQUE, b""),
        ("hex:ff", None, b"\xff"),
        ("hex:ff", Type.STRING, "hex:ff"),
        (b"\x01", Type.OPAQUE, b"\x01"),
        ("Infinity", Type.FLOAT, math.inf),
        ("NaN", Type.STRING, "NaN"),
        (1, Type.BOOLEAN, True),
        (False, Type.BOOLEAN, False),
        ("1:2", Type.OBJLNK, ObjectLink(1, 2)),
        (7, None, 7),
        (7.5, None, 7.5),
        (True, None, True),
        ("x", None, "x"),
        (2**63, None, 2**63),
    ],
)
def test_json_is_read_by_type(json, type_, value):
    assert from_json(json, type_) == value


@pytest.mark.parametrize(
    ("json", "type_"),
    [
        ("ff01", Type.OPAQUE),
        ("hex:f", Type.OPAQUE),
        ("hex:zz", None),
        (2, Type.BOOLEAN),
        ("1", Type.INTEGER),
        (None, None),
        ([1], None),
        ({}, None),
        (2**64, None),
        ("inf", Type.FLOAT),
    ],
)
def test_json_that_is_no_value_is_refused(json, type_):
    with pytest.raises(Unfit):
        from_json(json, type_)


@pytest.mark.parametrize(
    ("text", "type_", "value"),
    [
        ("{not json", Type.STRING, "{not json"),
        ("-5", Type.INTEGER, -5),
        ("true", Type.BOOLEAN, True),
        ("false", Type.BOOLEAN, False),
        ("1", Type.BOOLEAN, True),
        ("-Infinity", Type.FLOAT, -math.inf),
        ("2.5", Type.FLOAT, 2.5),
        ("hex:00ff", Type.OPAQUE, b"\0\xff"),
        ("1:2", Type.OBJLNK, ObjectLink(1, 2)),
        ("</1>", Type.CORELNK, "</1>"),
        ("hex:00", None, b"\0"),
        ("17", None, 17),
        ("1.5", None, 1.5),
        ("true", None, True),
        ('"17"', None, "17"),
        ("plain words", None, "plain words"),
        ("NaN", None, "NaN"),
        pytest.param("[" * 100_000, None, "[" * 100_000, id="nested"),
        ('{"0": 1}', None, {"0": 1}),
    ],
)
def test_what_people_write_is_read_by_type(text, type_, value):
    assert parse_argument(text, type_) == value


def test_nan_is_written_as_a_word():
    value = parse_argument("NaN", Type.FLOAT)
    assert isinstance(value, float)
    assert math.isnan(value)


@pytest.mark.parametrize(
    ("text", "type_"),
    [
        ("x", Type.INTEGER),
        ("yes", Type.BOOLEAN),
        ("00ff", Type.OPAQUE),
        ("hex:0", Type.OPAQUE),
        ("1", Type.NONE),
        ("null", None),
        ("[1]", None),
        ('{"0": 1, "0": 2}', None),
    ],
)
def test_what_is_no_value_is_refused(text, type_):
    with pytest.raises(Unfit):
        parse_argument(text, type_)


def test_object_by_id_is_told_from_other_text():
    assert parse_object(' {"13": 9223372036854775807, "6": {"0": 1}}') == {"13": 2**63 - 1, "6": {"0": 1}}
    for text in ("5", "{", '{"0": NaN}', '{"a":' * 100_000):
        assert parse_object(text) is None
    with pytest.raises(Unfit):
        parse_object('{"0": {"1": 1, "1": 2}}')
