from __future__ import annotations

import cbor2
import pytest

from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.formats import lwm2m_cbor
from gateway.lwm2m.path import ROOT, Path, parse_path
from gateway.lwm2m.records import Context, EncodeError, Record
from gateway.lwm2m.values import Type


def decode(item, is_create=False):
    return lwm2m_cbor.decode(cbor2.dumps(item), Context(ROOT, is_create=is_create))


@pytest.mark.parametrize("payload", [b"", b"\xa0"])
def test_nothing_is_no_value(payload):
    assert lwm2m_cbor.decode(payload, Context(ROOT)).records == ()


@pytest.mark.parametrize(
    "item",
    [
        [],
        {3: {0: {}}},
        {(): 1},
        {"3": {0: {9: 1}}},
        {True: {0: {9: 1}}},
        {(3, 0.0, 9): 1},
        {(3, -1, 9): 1},
        {(3, 65535, 9): 1},
        {(3, 0, 65535): 1},
        {(3, 0): 1},
        {3: 1},
        {(3, 0): {9: 1}, 3: {0: {9: 1}}},
        {(3, 0, 6, 0, 0): 1},
    ],
    ids=repr,
)
def test_other_maps_are_refused(item):
    with pytest.raises(DecodeError):
        decode(item)


def test_instance_of_a_create_may_be_without_a_number():
    assert decode({(16, 65535): {0: "x"}}, is_create=True).records[0].path == Path((16, 65535, 0))
    with pytest.raises(DecodeError):
        decode({(65535, 0): {0: "x"}}, is_create=True)


def test_null_and_lists_do_not_fit():
    decoded = decode({(3, 0): {0: None, 1: [1], 2: "x"}})
    assert len(decoded.misfits) == 2
    assert [record.value for record in decoded.records] == ["x"]


def encode(*records):
    return cbor2.loads(lwm2m_cbor.encode(records, Context(ROOT)))


def record(path, value, type_=Type.INTEGER):
    return Record(parse_path(path), value, type_)


def test_values_are_grouped_by_instance():
    assert encode(record("/3/0/9", 1)) == {(3, 0, 9): 1}
    assert encode(
        record("/3/0/9", 1), record("/3/0/6/0", 1), record("/3/0/6/1", 5), record("/1/0/1", 60)
    ) == {
        (3, 0): {9: 1, 6: {0: 1, 1: 5}},
        (1, 0): {1: 60},
    }


def test_what_it_cannot_say_is_refused():
    for records in (
        (),
        (record("/3/0/6", (), Type.MULTIPLE),),
        (record("/3/0/6", None, Type.NONE),),
        (record("/3/0/6", 1), record("/3/0/6/1", 1)),
    ):
        with pytest.raises(EncodeError):
            encode(*records)
