from __future__ import annotations

from pathlib import Path

import pytest

from gateway.lwm2m import coreobjects
from gateway.lwm2m.coreobjects import FILE, decode_table
from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.values import Type

OWN = decode_table(Path(coreobjects.__file__).with_name(FILE).read_text(encoding="utf-8"))
BY_ID = {definition.id: definition for definition in OWN}


def test_table_has_the_core_and_the_common_objects():
    core = {0, 1, 2, 3, 4, 5, 6, 7, 9, 16, 19, 21, 23, 25, 26}
    ipso = {*range(3200, 3204), *range(3300, 3307), 3308, *range(3310, 3349)}
    assert {definition.id for definition in OWN} == core | ipso


@pytest.mark.parametrize(
    ("object_id", "version", "resource_id", "facts"),
    [
        (3, "1.2", 9, ("Battery Level", "R", False, False, Type.INTEGER, "0..100", "/100")),
        (3, "1.2", 11, ("Error Code", "R", True, True, Type.INTEGER, "0..32", "")),
        (3, "1.2", 4, ("Reboot", "E", False, True, Type.NONE, "", "")),
        (0, "1.2", 5, ("Secret Key", "", False, True, Type.OPAQUE, "", "")),
        (1, "1.2", 1, ("Lifetime", "RW", False, True, Type.INTEGER, "", "s")),
        (5, "1.2", 0, ("Package", "W", False, True, Type.OPAQUE, "", "")),
        (25, "2.0", 3, ("IoT Device Objects", "R", False, True, Type.CORELNK, "", "")),
        (3303, "1.1", 5700, ("Sensor Value", "R", False, True, Type.FLOAT, "", "")),
        (3, "1.2", 22, ("ExtDevInfo", "R", True, False, Type.OBJLNK, "", "")),
        (1, "1.2", 13, ("Registration Priority Order", "R", False, False, Type.UNSIGNED, "", "")),
    ],
)
def test_facts_are_those_of_the_registry(object_id, version, resource_id, facts):
    definition = BY_ID[object_id]
    assert definition.version == version
    resource = definition.resources[resource_id]
    assert (
        resource.name,
        resource.operations,
        resource.is_multiple,
        resource.is_mandatory,
        resource.type,
        resource.range,
        resource.unit,
    ) == facts


def test_single_instance_objects_are_told_from_the_others():
    assert not BY_ID[3].is_multiple
    assert BY_ID[3].is_mandatory
    assert BY_ID[3303].is_multiple
    assert not BY_ID[3303].is_mandatory


@pytest.mark.parametrize(
    "text",
    [
        "0 R single optional string Name",
        "object 3 1.0 single mandatory Device\n0 R single",
        "object 3 1.0 single mandatory Device\n0 R once optional string Name",
        "object 3 1.0 single mandatory Device\n0 R single optional colour Name",
        "object 3 1.0 single mandatory Device\nx R single optional string Name",
        "object 3 1.0 once mandatory Device",
        "object 3 1.0 single",
        "object x 1.0 single mandatory Device",
    ],
)
def test_other_lines_are_refused(text):
    with pytest.raises(DecodeError):
        decode_table(text)
