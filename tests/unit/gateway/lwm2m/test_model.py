from __future__ import annotations

import pytest

from gateway.lwm2m.definitions import ResourceDefinition, make_definition
from gateway.lwm2m.model import DeviceModel, Model
from gateway.lwm2m.path import parse_path
from gateway.lwm2m.values import Type
from registry.model import ObjectLink, ObjectList


def define(version, *resource_ids, id_=3303, name="", operations="R", type_=Type.FLOAT):
    return make_definition(
        id_,
        name or version,
        version,
        is_multiple=True,
        is_mandatory=False,
        resources=[
            ResourceDefinition(number, f"{version} {number}", operations, False, False, type_)
            for number in resource_ids
        ],
    )


MODEL = Model([define("1.4", 1, 4), define("1.1", 1), define("2.0", 1, 20), define("1.2", 1, 2)])


@pytest.mark.parametrize(
    ("asked", "given"),
    [
        ("1.1", "1.1"),
        ("1.2", "1.2"),
        ("1.3", "1.4"),
        ("1.0", "1.1"),
        ("1.9", "1.4"),
        ("2.5", "2.0"),
        (None, "1.4"),
        ("3.0", None),
        ("x", None),
    ],
)
def test_nearest_definition_of_the_same_major_version_is_taken(asked, given):
    found = MODEL.find(3303, asked)
    assert (found and found.version) == given


def test_without_a_1_x_the_newest_is_taken():
    assert Model([define("2.0"), define("3.1"), define("3.0")]).find(3303).version == "3.1"


def test_object_that_nobody_defined_is_unknown():
    assert MODEL.find(42) is None
    assert MODEL.find_resource(42, None, 0) is None


def test_resource_of_another_minor_version_is_better_than_none():
    assert MODEL.find_resource(3303, "1.1", 4).name == "1.4 4"
    assert MODEL.find_resource(3303, "1.1", 1).name == "1.1 1"
    assert MODEL.find_resource(3303, "1.1", 20) is None


def test_extension_replaces_the_same_version_and_leaves_the_old_model_alone():
    extended = MODEL.extended([define("1.1", 1, name="new"), define("1.0", id_=5)])
    assert extended.find(3303, "1.1").name == "new"
    assert MODEL.find(3303, "1.1").name == "1.1"
    assert [(entry.id, entry.version) for entry in extended.definitions()] == [
        (5, "1.0"),
        (3303, "1.1"),
        (3303, "1.2"),
        (3303, "1.4"),
        (3303, "2.0"),
    ]


def test_device_sees_its_own_version():
    objects = ObjectList((ObjectLink(3303, 0, "2.0"), ObjectLink(3303, 1, "2.0"), ObjectLink(5)))
    device = DeviceModel.of(MODEL, objects)
    assert device.find_object(3303).version == "2.0"
    assert device.find_resource(parse_path("/3303/0/20")).name == "2.0 20"
    assert device.find_type(parse_path("/3303/0/20")) is Type.FLOAT
    assert device.find_type(parse_path("/3303/0/20/5")) is Type.FLOAT
    assert device.find_type(parse_path("/3303/0/4")) is None
    assert device.find_resource(parse_path("/3303/0")) is None
    assert device.find_type(parse_path("/5/0/0")) is None


def test_definition_that_forgets_the_type_is_none():
    model = Model(
        [define("1.0", 0, type_=Type.NONE), define("1.0", 0, id_=5, type_=Type.NONE, operations="E")]
    )
    device = DeviceModel(model)
    assert device.find_type(parse_path("/3303/0/0")) is None
    assert device.find_type(parse_path("/5/0/0")) is Type.NONE


def test_older_definition_forbids_nothing():
    assert DeviceModel(MODEL).is_authoritative(3303)
    assert DeviceModel(MODEL, {3303: "1.3"}).is_authoritative(3303)
    assert not DeviceModel(MODEL, {3303: "1.5"}).is_authoritative(3303)
    assert not DeviceModel(MODEL).is_authoritative(42)
