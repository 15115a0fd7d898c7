from __future__ import annotations

import pytest

from gateway.lwm2m.errors import DecodeError, TooLarge
from gateway.lwm2m.formats import senml
from gateway.lwm2m.formats.senml import decode_pack, decode_path_pack, plan_names, value_field
from gateway.lwm2m.path import ROOT, parse_path
from gateway.lwm2m.records import Context, EncodeError, Record
from gateway.lwm2m.values import ObjectLink, Type, Unfit

PATH = parse_path("/3/0/9")


def read_octets(item):
    if not isinstance(item, bytes):
        raise Unfit("no bytes")
    return item


def decode(*records, is_patch=False, types=None, root="/"):
    context = Context(ROOT, (types or {}).get, root)
    return decode_pack([list(record.items()) for record in records], context, read_octets, is_patch=is_patch)


def misfits(decoded):
    return [str(misfit.path) for misfit in decoded.misfits]


def rows(decoded):
    return [(str(record.path), record.value, record.time_s) for record in decoded.records]


def test_base_fields_persist_until_they_are_replaced():
    decoded = decode(
        {"bn": "/3/0/", "bt": 1_700_000_000, "bver": 10, "n": "9", "v": 1},
        {"n": "10", "v": 2, "t": -5, "u": "s"},
        {"bn": "/6/0/", "bt": 0, "n": "0", "v": 1.5, "t": 7},
    )
    assert rows(decoded) == [
        ("/3/0/9", 1, 1_700_000_000),
        ("/3/0/10", 2, 1_699_999_995),
        ("/6/0/0", 1.5, 7),
    ]


def test_base_value_is_added_to_numbers():
    assert rows(decode({"n": "/3/0/9", "bv": 100, "v": 5}, {"n": "/3/0/1", "vs": "x"})) == [
        ("/3/0/9", 105, None),
        ("/3/0/1", "x", None),
    ]
    too_big = decode({"n": "/3/0/9", "bv": 0.5, "v": 10**400})
    assert (rows(too_big), misfits(too_big)) == ([], ["/3/0/9"])


def test_base_name_may_be_all():
    assert rows(decode({"bn": "/3/0/9", "v": 1})) == [("/3/0/9", 1, None)]
    assert rows(decode({"bn": "/lwm2m/3/0", "n": "/9", "v": 1}, root="/lwm2m")) == [("/3/0/9", 1, None)]


@pytest.mark.parametrize(
    "record",
    [
        {"n": "/3/0/9"},
        {"n": "/3/0/9", "s": 5},
        {"n": "/3/0/9", "v": 1, "vs": "1"},
        {"n": "/3/0", "v": 1},
        {"n": "temperature", "v": 1},
        {"n": 5, "v": 1},
        {"bn": None, "v": 1},
        {"v": 1},
        {"n": "/3/0/9", "v": 1, "must_": 1},
        {"n": "/3/0/9", "v": 1, "bver": 11},
        {"n": "/3/0/9", "v": 1, "bver": "5"},
        {"n": "/3/0/9", "v": 1, "t": "now"},
        {"n": "/3/0/9", "v": 1, "t": True},
        {"n": "/3/0/9", "v": 1, "bt": 2**63},
        {"n": "/3/0/9", "v": 1, "bv": float("nan")},
    ],
)
def test_records_that_say_nothing_or_too_much_are_refused(record):
    with pytest.raises(DecodeError):
        decode(record)


@pytest.mark.parametrize(
    "record",
    [{"v": "1"}, {"v": True}, {"v": None}, {"vs": 1}, {"vb": 1}, {"vd": "AA"}, {"vlo": 1}, {"vlo": "1"}],
)
def test_value_of_another_kind_does_not_fit(record):
    decoded = decode({"n": "/3/0/9", **record}, {"n": "/3/0/1", "vs": "x"})
    assert [misfit.path for misfit in decoded.misfits] == [PATH]
    assert rows(decoded) == [("/3/0/1", "x", None)]


def test_unknown_fields_are_ignored():
    assert rows(decode({"n": "/3/0/9", "v": 1, "x-vendor": 5, 17: 2, "ut": 5})) == [("/3/0/9", 1, None)]


def test_null_takes_away_in_patches():
    decoded = decode({"n": "/16/0/0/1", "v": None}, is_patch=True)
    assert decoded.records == (Record(parse_path("/16/0/0/1"), None, Type.NONE),)
    no_text = decode({"n": "/16/0/0/1", "vs": None}, is_patch=True)
    assert (rows(no_text), misfits(no_text)) == ([], ["/16/0/0/1"])


def test_lists_of_paths_have_no_values_and_an_end(monkeypatch):
    assert decode_path_pack([[("n", "/3/0")], [("n", "/")]], "/") == (parse_path("/3/0"), ROOT)
    with pytest.raises(DecodeError):
        decode_path_pack([[("n", "/3/0/9"), ("v", 1)]], "/")
    monkeypatch.setattr(senml, "MAX_RECORDS", 1)
    with pytest.raises(TooLarge):
        decode_path_pack([[("n", "/3")], [("n", "/4")]], "/")


def test_names_are_relative_to_the_target():
    record = Record(PATH, 1, Type.INTEGER)
    other = Record(parse_path("/3/0/10"), 1, Type.INTEGER)
    empty = Record(parse_path("/3/0/11"), (), Type.MULTIPLE)
    assert plan_names([record, empty, other], Context(parse_path("/3/0"))) == [
        ("/3/0/", "9", record),
        (None, "10", other),
    ]
    assert plan_names([record], Context(PATH, root="/lwm2m")) == [("/lwm2m/3/0/9", "", record)]
    assert plan_names([record], Context(ROOT, root="/lwm2m")) == [(None, "/lwm2m/3/0/9", record)]
    with pytest.raises(EncodeError):
        plan_names([record], Context(parse_path("/4")))


@pytest.mark.parametrize(
    ("value", "field"),
    [
        (True, ("vb", True)),
        (1, ("v", 1)),
        (1.5, ("v", 1.5)),
        ("x", ("vs", "x")),
        (b"x", ("vd", b"x")),
        (ObjectLink(1, 2), ("vlo", "1:2")),
        (None, ("v", None)),
    ],
)
def test_each_kind_of_value_has_a_field(value, field):
    assert value_field(value) == field
