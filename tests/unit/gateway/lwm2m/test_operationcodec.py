from __future__ import annotations

import cbor2
import pytest

from gateway.lwm2m.attributes import parse_attributes
from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.formats import Format
from gateway.lwm2m.operationcodec import decode_operation, encode_operation
from gateway.lwm2m.operations import (
    Cancel,
    Create,
    Delete,
    Discover,
    Execute,
    Observe,
    Read,
    Write,
    WriteAttributes,
    WriteComposite,
)
from gateway.lwm2m.path import ROOT, Path, parse_path
from gateway.lwm2m.records import Record
from gateway.lwm2m.values import ObjectLink, Type

PATH = parse_path("/3/0/9")
RECORDS = (
    Record(PATH, 2**63 - 1, Type.INTEGER),
    Record(parse_path("/19/0/0/0"), b"\0\xff", Type.OPAQUE, 1.5),
    Record(parse_path("/3/0/22/0"), ObjectLink(1, 2), Type.OBJLNK),
    Record(parse_path("/3/0/11"), (), Type.MULTIPLE),
    Record(parse_path("/3/0/11/1"), None, Type.NONE),
)


@pytest.mark.parametrize(
    "operation",
    [
        Read((PATH, ROOT), Format.SENML_JSON),
        Read((PATH,)),
        Observe((PATH,), attributes=parse_attributes(["pmin=1", "gt=2.5", "lt"])),
        Cancel((PATH,), Format.TLV),
        Discover(parse_path("/3"), 2),
        Discover(parse_path("/3")),
        Write(PATH, RECORDS, is_partial=True, format=Format.CBOR),
        Write(PATH, RECORDS),
        WriteComposite(RECORDS, Format.LWM2M_CBOR),
        WriteAttributes(PATH, parse_attributes(["pmax"])),
        Execute(PATH, "0='1'"),
        Create(Path((16,)), (Record(Path((16, 65535, 0, 0)), "x", Type.STRING),)),
        Delete(parse_path("/16/0")),
    ],
    ids=lambda operation: type(operation).__name__,
)
def test_operation_is_read_as_it_was_stored(operation):
    assert decode_operation(encode_operation(operation)) == operation


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff",
        cbor2.dumps(1),
        cbor2.dumps(["paint", {}]),
        cbor2.dumps(["read", {"paths": 1}]),
        cbor2.dumps(["read", {"colour": 1}]),
        cbor2.dumps(["read", []]),
        cbor2.dumps(["discover", {}]),
        cbor2.dumps(["read", {"paths": [], "format": "x"}]),
        cbor2.dumps(["write", {"path": [1], "records": [1]}]),
    ],
)
def test_anything_else_is_refused(content):
    with pytest.raises(DecodeError):
        decode_operation(content)
