from __future__ import annotations

import cbor2
import pytest

from gateway.lwm2m.answers import (
    Answer,
    LinkDescription,
    Response,
    describe_values,
    read_answer,
    read_notification,
)
from gateway.lwm2m.attributes import parse_attributes
from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.model import DeviceModel
from gateway.lwm2m.negotiation import DeviceProfile
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
)
from gateway.lwm2m.path import ROOT, Path, parse_path
from gateway.lwm2m.records import Record
from gateway.lwm2m.values import ObjectLink, Type
from gateway.lwm2m.versions import Version
from gateway.objectmodel import own_model

DEVICE = DeviceProfile(Version(1, 1), (), "/", DeviceModel(own_model()))
ROOTED = DeviceProfile(Version(1, 1), (), "/lwm2m", DeviceModel(own_model()))


def paths(*texts):
    return tuple(map(parse_path, texts))


def answer(
    operation, code="2.05", content_format=None, payload=b"", *, device=DEVICE, is_repeat=False, **options
):
    return read_answer(
        operation, device, Response(code, content_format, payload, **options), is_repeat=is_repeat
    )


@pytest.mark.parametrize(
    ("path", "content_format", "payload", "name", "values"),
    [
        ("/3/0/9", 0, b"95", "text", {"/3/0/9": 95}),
        ("/3/0/9", 1541, b"95", "text", {"/3/0/9": 95}),
        ("/3/0/9", 60, b"\x18\x5f", "cbor", {"/3/0/9": 95}),
        ("/3/0/9", 112, cbor2.dumps([{-2: "/3/0/9", 2: 95}]), "senml-cbor", {"/3/0/9": 95}),
        ("/3/0/9", None, b"95", "text", {"/3/0/9": 95}),
        ("/3/0", None, b"\xc1\x09\x5f", "tlv", {"/3/0/9": 95}),
        ("/42/0", 11542, b"\xc1\x09\x5f", "tlv", {"/42/0/9": "5f"}),
        ("/42/0/9", 112, cbor2.dumps([{-2: "/42/0/9", 2: 95}]), "senml-cbor", {"/42/0/9": 95}),
        ("/5/0/0", 42, b"\x00\xff", "opaque", {"/5/0/0": "00ff"}),
        ("/16", 110, b"[]", "senml-json", {}),
        ("/16", 112, b"", "senml-cbor", {}),
        ("/16", None, b"", "tlv", {}),
        ("/3/0/15", 0, b"", "text", {"/3/0/15": ""}),
    ],
)
def test_values_are_read_by_their_own_format(path, content_format, payload, name, values):
    found = answer(Read(paths(path)), content_format=content_format, payload=payload)
    assert (found.format, found.values(), found.links, found.error) == (name, values, None, None)
    assert found.is_usable


def test_composite_without_a_format_is_senml_cbor():
    payload = cbor2.dumps([{0: "/3/0/9", 2: 95}, {0: "/1/0/1", 2: 60}])
    found = answer(Read(paths("/3/0/9", "/1/0")), payload=payload)
    assert found.values() == {"/1/0/1": 60, "/3/0/9": 95}
    assert answer(Read((ROOT,)), content_format=112, payload=payload).is_usable


def test_alternate_path_is_taken_off():
    payload = b'[{"bn":"/lwm2m/3/0/","n":"9","v":95}]'
    found = answer(Read(paths("/3/0")), content_format=110, payload=payload, device=ROOTED)
    assert found.values() == {"/3/0/9": 95}


@pytest.mark.parametrize(
    ("content_format", "payload"),
    [
        (50, b"{}"),
        (40, b"</3>"),
        (110, b"{"),
        (11542, b"\xc1"),
        (110, b'[{"n":"/4/0/1","v":1}]'),
        (110, b'[{"n":"/4/0/1","v":"x"}]'),
    ],
)
def test_answer_that_cannot_be_read_fails_the_command(content_format, payload):
    found = answer(Read(paths("/3/0")), content_format=content_format, payload=payload)
    assert not found.is_usable
    assert found.error
    assert found.code == "2.05"
    assert not found.records


def test_linked_objects_may_come_along():
    payload = b'[{"n":"/3/0/22/0","vlo":"4:0"},{"n":"/4/0/2","v":-50}]'
    assert answer(Read(paths("/3/0/22")), content_format=110, payload=payload).values() == {
        "/3/0/22/0": "4:0",
        "/4/0/2": -50,
    }


def test_value_that_does_not_fit_fails_the_command_and_the_others_are_kept():
    payload = b'[{"bn":"/3/0/","n":"9","vs":"full"},{"n":"16","vs":"U"}]'
    found = answer(Read(paths("/3/0")), content_format=110, payload=payload)
    assert found.values() == {"/3/0/16": "U"}
    assert found.error.startswith("/3/0/9: ")
    assert not found.is_usable


def test_value_outside_its_range_is_what_the_device_says():
    assert answer(Read(paths("/3/0/9")), content_format=0, payload=b"101").values() == {"/3/0/9": 101}


def test_observation_needs_the_observe_option():
    operation = Observe(paths("/3/0/9"))
    assert answer(operation, content_format=0, payload=b"95", has_observe=True).is_usable
    found = answer(operation, content_format=0, payload=b"95")
    assert not found.is_usable
    assert found.error
    assert found.values() == {"/3/0/9": 95}
    assert answer(Cancel(paths("/3/0/9")), content_format=0, payload=b"95").is_usable


@pytest.mark.parametrize(
    ("content_format", "payload", "error"),
    [
        (None, b"", "Not Found"),
        (None, b"no such thing\0", "no such thing"),
        (0, b"no such thing", "no such thing"),
        (60, b"\x00", "Not Found"),
        (0, b"\xff", "\ufffd"),
        (0, b"x" * 1000, "x" * 256),
    ],
)
def test_refusal_of_the_device_is_handed_on(content_format, payload, error):
    found = answer(Read(paths("/3/0")), "4.04", content_format, payload)
    assert found == Answer("4.04", error=error)
    assert found.values() is None
    assert found.is_usable


def test_unknown_code_is_its_own_name():
    assert answer(Execute(parse_path("/3/0/4")), "4.99").error == "4.99"


@pytest.mark.parametrize("code", ["2.04", "2.31", "2.99"])
def test_read_is_answered_by_content_only(code):
    for operation in (Read(paths("/3/0")), Discover(parse_path("/3"))):
        found = answer(operation, code)
        assert not found.is_usable
        assert code in found.error


@pytest.mark.parametrize(
    "operation",
    [
        Write(parse_path("/1/0/1"), ()),
        Execute(parse_path("/3/0/4")),
        Delete(parse_path("/16/0")),
        WriteAttributes(parse_path("/3"), parse_attributes(["pmin=1"])),
    ],
)
def test_success_without_values_is_just_that(operation):
    assert answer(operation, "2.04", 0, b"ignored") == Answer("2.04")
    assert not answer(operation, "2.31").is_usable


def test_deleted_already_is_deleted():
    operation = Delete(parse_path("/16/0"))
    assert answer(operation, "4.04", is_repeat=True) == Answer("2.02")
    assert answer(operation, "4.04").error == "Not Found"
    assert answer(operation, "4.05", is_repeat=True).error == "Method Not Allowed"
    assert answer(Read(paths("/16/0")), "4.04", is_repeat=True).code == "4.04"


def test_links_are_described_in_their_order():
    payload = b"</lwm2m/3>;pmin=10, </lwm2m/3/0/>,</lwm2m/3/0/6>;dim=2;obs,<x>,<>"
    found = answer(Discover(parse_path("/3")), content_format=40, payload=payload, device=ROOTED)
    assert (found.format, found.values(), found.error) == ("link", None, None)
    assert [link.describe() for link in found.links] == [
        {"path": "/3", "attributes": {"pmin": "10"}},
        {"path": "/3/0", "attributes": {}},
        {"path": "/3/0/6", "attributes": {"dim": "2", "obs": None}},
        {"path": "x", "attributes": {}},
        {"path": "", "attributes": {}},
    ]
    assert answer(Discover(parse_path("/3")), payload=b"</3>").links == (LinkDescription("/3"),)


@pytest.mark.parametrize(("content_format", "payload"), [(0, b"</3>"), (40, b"3")])
def test_links_in_another_format_fail_the_command(content_format, payload):
    assert not answer(Discover(parse_path("/3")), content_format=content_format, payload=payload).is_usable


@pytest.mark.parametrize(
    ("path", "location", "made"),
    [
        ((16,), ("16", "3"), ["/16/3"]),
        ((16,), ("lwm2m", "16", "3"), ["/16/3"]),
        ((16,), (), []),
        ((16,), ("rd", "x"), []),
        ((16,), ("16",), []),
        ((16, 2), (), ["/16/2"]),
    ],
)
def test_create_tells_what_was_made(path, location, made):
    found = answer(Create(Path(path)), "2.01", location=location, device=ROOTED)
    assert [link.path for link in found.links] == made
    assert (found.code, found.values(), found.is_usable) == ("2.01", None, True)


def test_notification_is_read_like_the_observation():
    response = Response("2.05", 110, b'[{"n":"/3/0/9","v":95},{"n":"/1/0/1","v":60}]', has_observe=True)
    decoded = read_notification(paths("/3/0/9", "/1/0/1"), DEVICE, response)
    assert [record.value for record in decoded.records] == [95, 60]
    with pytest.raises(DecodeError):
        read_notification(paths("/3/0/9"), DEVICE, Response("2.05", 50, b"{}"))


def test_newest_value_of_each_path_is_shown():
    path, other, empty = paths("/3/0/9", "/3/0/22/0", "/3/0/11")
    records = (
        Record(path, 1, Type.INTEGER, 1_700_000_010),
        Record(path, 2, Type.INTEGER, 1_700_000_000),
        Record(other, ObjectLink(1, 2), Type.OBJLNK),
        Record(empty, (), Type.MULTIPLE),
    )
    assert describe_values(records) == {"/3/0/9": 1, "/3/0/22/0": "1:2"}
