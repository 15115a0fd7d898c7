from __future__ import annotations

import cbor2
import pytest

from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.formats import senml_cbor
from gateway.lwm2m.path import ROOT, parse_path
from gateway.lwm2m.records import Context, Decoded, Misfit, Record
from gateway.lwm2m.values import ObjectLink, Type


def test_pack_is_written_with_numbers_for_labels():
    records = (
        Record(parse_path("/3/0/22/0"), ObjectLink(33606, 0), Type.OBJLNK),
        Record(parse_path("/3/0/22/1"), ObjectLink(1, 2), Type.OBJLNK, 5),
    )
    assert cbor2.loads(senml_cbor.encode(records, Context(parse_path("/3/0/22")))) == [
        {-2: "/3/0/22/", 0: "0", "vlo": "33606:0"},
        {0: "1", "vlo": "1:2", 6: 5},
    ]
    assert cbor2.loads(senml_cbor.encode(records[:1], Context(parse_path("/3/0/22/0")))) == [
        {-2: "/3/0/22/0", "vlo": "33606:0"}
    ]


@pytest.mark.parametrize("payload", ["a0", "05", "8105", "8180"])
def test_pack_is_an_array_of_maps(payload):
    with pytest.raises(DecodeError):
        senml_cbor.decode(bytes.fromhex(payload), Context(ROOT))


def test_same_field_by_number_and_by_name_is_two_values():
    with pytest.raises(DecodeError):
        senml_cbor.decode(cbor2.dumps([{0: "/3/0/9", 2: 1, "v": 1}]), Context(ROOT))


def test_bytes_are_bytes():
    decoded = senml_cbor.decode(cbor2.dumps([{0: "/3/0/9", 8: "AA"}]), Context(ROOT))
    assert decoded == Decoded((), (Misfit(parse_path("/3/0/9"), "vd is no byte string"),))
