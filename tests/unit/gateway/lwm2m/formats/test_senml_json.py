from __future__ import annotations

import math

import pytest

from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.formats import senml_json
from gateway.lwm2m.path import ROOT, parse_path
from gateway.lwm2m.records import Context, Decoded, EncodeError, Misfit, Record
from gateway.lwm2m.values import Type

PATH = parse_path("/3303/0/5700")


def test_pack_is_written_with_base_name_time_and_bytes():
    records = (
        Record(PATH, 1.5, Type.FLOAT, 1_700_000_000),
        Record(parse_path("/3303/0/1"), b"\xfb\xff", Type.OPAQUE),
    )
    assert senml_json.encode(records, Context(parse_path("/3303/0"))) == (
        b'[{"bn":"/3303/0/","n":"5700","v":1.5,"t":1700000000},{"n":"1","vd":"-_8"}]'
    )
    assert senml_json.encode(records[:1], Context(PATH)) == b'[{"bn":"/3303/0/5700","v":1.5,"t":1700000000}]'


@pytest.mark.parametrize("value", [math.nan, -math.inf])
def test_nan_and_infinities_have_no_form(value):
    with pytest.raises(EncodeError):
        senml_json.encode((Record(PATH, value, Type.FLOAT),), Context(ROOT))


@pytest.mark.parametrize("payload", [b"{}", b"5", b"[5]", b"[[]]", b"[null]"])
def test_pack_is_an_array_of_objects(payload):
    with pytest.raises(DecodeError):
        senml_json.decode(payload, Context(ROOT))


def test_bytes_are_text():
    decoded = senml_json.decode(b'[{"n":"/3303/0/5700","vd":5}]', Context(ROOT))
    assert decoded == Decoded((), (Misfit(PATH, "vd is no text"),))
