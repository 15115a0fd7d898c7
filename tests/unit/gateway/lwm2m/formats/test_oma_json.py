from __future__ import annotations

import json
import math

import pytest

from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.formats import oma_json
from gateway.lwm2m.path import ROOT, parse_path
from gateway.lwm2m.records import Context, EncodeError, Record
from gateway.lwm2m.values import ObjectLink, Type

PATH = parse_path("/3/0/9")
INSTANCE = parse_path("/3/0")


def decode(document, target=INSTANCE, types=None):
    return oma_json.decode(json.dumps(document).encode(), Context(target, (types or {}).get))


@pytest.mark.parametrize(
    "document",
    [
        {"bn": "/3/0/", "e": [{"n": "9", "v": 1}]},
        {"bn": "/3/0", "e": [{"n": "9", "v": 1}]},
        {"bn": "/3/0", "e": [{"n": "/9", "v": 1}]},
        {"bn": "/3/0/", "e": [{"n": "/9", "v": 1}]},
        {"bn": "/3/0/9", "e": [{"n": "", "v": 1}]},
        {"bn": "/3/0/9", "e": [{"v": 1}]},
        {"e": [{"n": "/3/0/9", "v": 1}]},
        {"e": [{"n": "9", "v": 1}]},
        {"bn": "/", "e": [{"n": "3/0/9", "v": 1}]},
    ],
)
def test_names_are_found_however_they_are_split(document):
    assert decode(document).records == (Record(PATH, 1, Type.INTEGER),)


def test_name_may_be_left_out_where_the_target_says_it():
    assert decode({"e": [{"v": 1}]}, PATH).records[0].path == PATH
    assert decode({"e": [{"n": "3/0/9", "v": 1}]}, ROOT).records[0].path == PATH


def test_times_count_from_the_base_time():
    decoded = decode({"bn": "/3/0/", "bt": 1000, "e": [{"n": "9", "v": 1, "t": -5}, {"n": "9", "v": 2}]})
    assert [record.time_s for record in decoded.records] == [995, 1000]


@pytest.mark.parametrize(
    ("entry", "value"),
    [
        ({"v": 1.5}, 1.5),
        ({"bv": True}, True),
        ({"sv": "x"}, "x"),
        ({"ov": "1:2"}, ObjectLink(1, 2)),
    ],
)
def test_each_kind_of_value_has_a_field(entry, value):
    assert decode({"bn": "/3/0/", "e": [{"n": "9", **entry}]}).records[0].value == value


def test_bytes_are_base64_where_the_definition_says_so():
    document = {"bn": "/3/0/9", "e": [{"sv": "AQI="}]}
    assert decode(document, types={PATH: Type.OPAQUE}).records[0].value == b"\1\2"
    decoded = decode({"bn": "/3/0/9", "e": [{"sv": "*"}]}, types={PATH: Type.OPAQUE})
    assert (decoded.records, [misfit.path for misfit in decoded.misfits]) == ((), [PATH])


@pytest.mark.parametrize("entry", [{"v": True}, {"v": "1"}, {"bv": 1}, {"sv": 1}, {"ov": 1}, {"ov": "1"}])
def test_value_of_another_kind_does_not_fit(entry):
    decoded = decode({"bn": "/3/0/9", "e": [entry]})
    assert (decoded.records, [misfit.path for misfit in decoded.misfits]) == ((), [PATH])


@pytest.mark.parametrize(
    "document",
    [
        [],
        5,
        {},
        {"e": {}},
        {"e": 5},
        {"bn": 5, "e": []},
        {"bt": "x", "e": []},
        {"bt": True, "e": []},
        {"bt": 2**70, "e": []},
        {"e": [5]},
        {"e": [{"n": 5, "v": 1}]},
        {"e": [{"n": "x", "v": 1}]},
        {"e": [{"n": "9"}]},
        {"e": [{"n": "9", "v": 1, "sv": "x"}]},
        {"bn": "/3", "e": [{"n": "0", "v": 1}]},
    ],
    ids=repr,
)
def test_other_documents_are_refused(document):
    with pytest.raises(DecodeError):
        decode(document)


def encode(target, *records, root="/"):
    return json.loads(oma_json.encode(records, Context(target, root=root)))


def test_document_is_written_relative_to_the_target():
    records = (
        Record(PATH, 1, Type.INTEGER, 5),
        Record(parse_path("/3/0/0"), "x", Type.STRING),
        Record(parse_path("/3/0/1"), b"\xfb", Type.OPAQUE),
        Record(parse_path("/3/0/2"), True, Type.BOOLEAN),
        Record(parse_path("/3/0/22/0"), ObjectLink(1, 2), Type.OBJLNK),
        Record(parse_path("/3/0/11"), (), Type.MULTIPLE),
    )
    assert encode(INSTANCE, *records) == {
        "bn": "/3/0/",
        "e": [
            {"n": "9", "v": 1, "t": 5},
            {"n": "0", "sv": "x"},
            {"n": "1", "sv": "+w=="},
            {"n": "2", "bv": True},
            {"n": "22/0", "ov": "1:2"},
        ],
    }
    assert encode(PATH, records[0], root="/lwm2m")["bn"] == "/lwm2m/3/0/9"
    assert encode(parse_path("/3/0/22"), records[4])["bn"] == "/3/0/22/"


def test_what_it_cannot_say_is_refused():
    for target, record in (
        (parse_path("/4"), Record(PATH, 1, Type.INTEGER)),
        (INSTANCE, Record(PATH, math.nan, Type.FLOAT)),
        (INSTANCE, Record(PATH, None, Type.NONE)),
    ):
        with pytest.raises(EncodeError):
            encode(target, record)
