from __future__ import annotations

import math

import pytest

from gateway.lwm2m.errors import DecodeError, TooLarge
from gateway.lwm2m.formats import tlv
from gateway.lwm2m.path import Path, parse_path
from gateway.lwm2m.records import Context, EncodeError, Record
from gateway.lwm2m.values import Type


def decode(target, payload, types=None, is_create=False):
    return tlv.decode(
        bytes.fromhex(payload), Context(parse_path(target), (types or {}).get, is_create=is_create)
    )


def values(decoded):
    return {str(record.path): record.value for record in decoded.records}


@pytest.mark.parametrize(
    ("target", "payload", "expected"),
    [
        ("/3", "080003c10964", {"/3/0/9": b"d"}),
        ("/3", "0000", {}),
        ("/3/0", "080003c10964", {"/3/0/9": b"d"}),
        ("/3/0", "c10964", {"/3/0/9": b"d"}),
        ("/3/0", "0000", {}),
        ("/3/0/6", "860641000141010 5".replace(" ", ""), {"/3/0/6/0": b"\1", "/3/0/6/1": b"\5"}),
        ("/3/0/6", "410001410105", {"/3/0/6/0": b"\1", "/3/0/6/1": b"\5"}),
        ("/3/0/6", "", {}),
        ("/3/0/6/1", "8306410105", {"/3/0/6/1": b"\5"}),
        ("/3/0/6/1", "410105", {"/3/0/6/1": b"\5"}),
        ("/3/0/6/1", "8006", {}),
    ],
)
def test_wrapped_and_bare_answers_mean_the_same(target, payload, expected):
    assert values(decode(target, payload)) == expected


@pytest.mark.parametrize(
    ("target", "payload"),
    [
        ("/", "c10964"),
        ("/3", "c10964"),
        ("/3", "0802"),
        ("/3", "2"[:0] + "20ffff"),
        ("/3", "00000000"),
        ("/3/0", "080103c10964"),
        ("/3/0", "08 00 03 c10964 08 01 03 c10964".replace(" ", "")),
        ("/3/0", "4100"),
        ("/3/0", "c10964c10964"),
        ("/3/0", "c9"),
        ("/3/0", "c909"),
        ("/3/0", "c90964"),
        ("/3/0", "c109"),
        ("/3/0", "e100"),
        ("/3/0", "d8090001"),
        ("/3/0", "8306c10964"),
        ("/3/0", "86064100014100 05".replace(" ", "")),
        ("/3/0/9", "c10a64"),
        ("/3/0/9", "c10964c10a64"),
        ("/3/0/6", "410001c10105"),
        ("/3/0/6/1", "8307410105"),
        ("/3/0/6/1", "410205"),
        ("/3/0/6/1", "c10105"),
        ("/3/0", "e0ffff"),
    ],
)
def test_wrong_nesting_and_other_paths_are_refused(target, payload):
    with pytest.raises(DecodeError):
        decode(target, payload)


def test_instance_of_a_create_may_be_without_a_number():
    assert values(decode("/16", "c10001", is_create=True)) == {"/16/65535/0": b"\1"}
    assert values(decode("/16", "080103c10001", is_create=True)) == {"/16/1/0": b"\1"}


@pytest.mark.parametrize(
    ("octets", "type_"),
    [
        ("c0", Type.INTEGER),
        ("c3", Type.TIME),
        ("c3", Type.UNSIGNED),
        ("c2", Type.FLOAT),
        ("c3", Type.OBJLNK),
        ("c3", Type.BOOLEAN),
        ("c3", Type.NONE),
    ],
)
def test_octets_of_another_length_do_not_fit(octets, type_):
    payload = octets + "09" + "00" * (int(octets, 16) & 7)
    decoded = decode("/3/0", payload + "c10a01", {parse_path("/3/0/9"): type_})
    assert [str(misfit.path) for misfit in decoded.misfits] == ["/3/0/9"]
    assert values(decoded) == {"/3/0/10": b"\1"}


def test_text_that_is_not_utf_8_does_not_fit():
    decoded = decode("/3/0", "c109ff", {parse_path("/3/0/9"): Type.STRING})
    assert (values(decoded), [str(misfit.path) for misfit in decoded.misfits]) == ({}, ["/3/0/9"])


def test_size_is_bounded(monkeypatch):
    monkeypatch.setattr(tlv, "MAX_PAYLOAD_BYTES", 2)
    with pytest.raises(TooLarge):
        decode("/3/0", "c10964")


def encode(target, *records, is_create=False):
    return tlv.encode(records, Context(parse_path(target), is_create=is_create)).hex()


def record(path, value, type_=Type.INTEGER):
    return Record(Path(map(int, path.split("/")[1:])), value, type_)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, "c4007fc00000"),
        (math.inf, "c4007f800000"),
        (1e300, "c800087e37e43c8800759c"),
        (0.1, "c800083fb999999999999a"),
        (0.5, "c4003f000000"),
    ],
)
def test_floats_are_short_where_nothing_is_lost(value, expected):
    assert encode("/6/0", record("/6/0/0", value, Type.FLOAT)) == expected


@pytest.mark.parametrize(
    ("value", "type_", "expected"),
    [
        (255, Type.UNSIGNED, "ff"),
        (255, Type.INTEGER, "00ff"),
        (256, Type.UNSIGNED, "0100"),
        (2**63, Type.UNSIGNED, "8000000000000000"),
        (0, Type.UNSIGNED, "00"),
        (-128, Type.INTEGER, "80"),
    ],
)
def test_integers_take_the_octets_they_need(value, type_, expected):
    assert encode("/6/0/0", record("/6/0/0", value, type_)).endswith(expected)


def test_bodies_are_wrapped_by_target():
    instance = (record("/16/1/0/0", "a", Type.STRING), record("/16/1/3", 1))
    assert encode("/16/1", *instance) == "830041006 1c10301".replace(" ", "")
    assert encode("/16", *instance) == "08010883004100 61c10301".replace(" ", "")
    assert encode("/16", record("/16/65535/3", 1), is_create=True) == "c10301"
    assert encode("/16/1/0/0", instance[0]) == "830041006 1".replace(" ", "")
    assert encode("/16/1/0", record("/16/1/0", (), Type.MULTIPLE)) == "8000"
    assert tlv.encode_empty_instance(1).hex() == "0001"


def test_what_tlv_cannot_say_is_refused():
    for target, path in (("/", "/3/0/9"), ("/4", "/3/0/9"), ("/3", "/3/0")):
        with pytest.raises(EncodeError):
            encode(target, record(path, 1))
    with pytest.raises(EncodeError):
        encode("/3", record("/3/0/9", None, Type.NONE))
    with pytest.raises(EncodeError):
        encode("/5/0", record("/5/0/0", bytes(2**24), Type.OPAQUE))
