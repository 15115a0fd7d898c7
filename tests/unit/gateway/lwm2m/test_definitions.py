from __future__ import annotations

import pytest

from gateway.lwm2m.definitions import (
    ResourceDefinition,
    check_range,
    describe_definition,
    make_definition,
    parse_version,
    read_definition,
)
from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.values import ObjectLink, Type, Unfit


def resource(type_=Type.INTEGER, range_="", id_=0, operations="RW"):
    return ResourceDefinition(id_, "Name", operations, False, True, type_, range_, "s")


def definition(*resources, version="1.1", id_=3):
    return make_definition(
        id_, "Device", version, is_multiple=False, is_mandatory=True, resources=list(resources)
    )


@pytest.mark.parametrize(
    ("range_", "type_", "value"),
    [
        ("0..100", Type.INTEGER, 100),
        ("0-50", Type.INTEGER, 0),
        ("[1:4]", Type.INTEGER, 4),
        ("1...15", Type.INTEGER, 15),
        ("-30..46", Type.INTEGER, -30),
        ("-30..-120", Type.INTEGER, -75),
        ("0..247, 255", Type.INTEGER, 255),
        ("5, 10, 15, 20", Type.INTEGER, 15),
        ("0..18446744073709551615", Type.UNSIGNED, 2**64 - 1),
        ("0.0..1.0", Type.FLOAT, 0.5),
        ("0; 3.8..20.5", Type.FLOAT, 3.8),
        ("0..255 bytes", Type.STRING, "x" * 255),
        ("64", Type.STRING, "x" * 64),
        ("0 or 26 Bytes", Type.STRING, ""),
        ("16,32,48", Type.OPAQUE, bytes(32)),
        ("<7 to >12.5", Type.INTEGER, 9),
        ("255", Type.INTEGER, 1000),
        ("0..65535", Type.BOOLEAN, True),
        ("0..1", Type.OBJLNK, ObjectLink(5, 5)),
        ("", Type.INTEGER, -5),
        ("0..5", Type.STRING, ()),
    ],
)
def test_value_in_its_range_is_taken(range_, type_, value):
    check_range(value, resource(type_, range_))


@pytest.mark.parametrize(
    ("range_", "type_", "value"),
    [
        ("0..100", Type.INTEGER, 101),
        ("1-65534", Type.INTEGER, 0),
        ("-30..-120", Type.INTEGER, 0),
        ("0..247, 255", Type.INTEGER, 250),
        ("0..9223372036854775806", Type.INTEGER, 2**63 - 1),
        ("0..1", Type.FLOAT, 1.01),
        ("0..1", Type.FLOAT, float("nan")),
        ("0..255", Type.STRING, "x" * 256),
        ("16,32,48", Type.OPAQUE, bytes(17)),
    ],
)
def test_value_outside_its_range_is_refused(range_, type_, value):
    with pytest.raises(Unfit, match="is outside"):
        check_range(value, resource(type_, range_))


@pytest.mark.parametrize("text", ["", "1", "1.", "1.0.0", "a.b", "1.٣", "123456.0"])
def test_version_has_two_numbers(text):
    assert parse_version("1.10") > parse_version("1.9")
    with pytest.raises(DecodeError):
        parse_version(text)


def test_description_is_read_back():
    made = definition(resource(), resource(Type.NONE, id_=4, operations="E"))
    assert read_definition(describe_definition(made)) == made
    assert made.number == (1, 1)
    assert made.resources[4].is_executable
    assert not made.resources[0].is_executable


@pytest.mark.parametrize(
    "change",
    [
        {"object_id": "x"},
        {"object_id": 65535},
        {"version": "1"},
        {"resources": None},
        {"resources": [5]},
        {"resources": [{}]},
    ],
)
def test_other_descriptions_are_refused(change):
    description = describe_definition(definition(resource()))
    with pytest.raises(DecodeError):
        read_definition({**description, **change})
    with pytest.raises(DecodeError):
        read_definition({})


def test_type_of_a_description_has_to_be_known():
    description = describe_definition(definition(resource()))
    description["resources"][0]["type"] = "colour"
    with pytest.raises(DecodeError):
        read_definition(description)


def test_ids_are_in_range_and_stand_once():
    for resources in ([resource(id_=65535)], [resource(id_=1), resource(id_=1)]):
        with pytest.raises(DecodeError):
            definition(*resources)
    with pytest.raises(DecodeError):
        definition(id_=-1)
