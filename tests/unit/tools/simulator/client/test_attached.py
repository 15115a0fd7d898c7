from aiocoap.numbers.codes import Code

from gateway.lwm2m.attributes import parse_attributes
from gateway.lwm2m.path import parse_path
from tools.simulator.client.attached import AttachedAttributes

INSTANCE, RESOURCE = parse_path("/3/0"), parse_path("/3/0/9")


def write(attached, path, *items):
    return attached.write(path, parse_attributes(items))


def test_lower_level_holds_and_adds_to_the_levels_above():
    attached = AttachedAttributes()
    assert attached.effective(RESOURCE) == {}
    write(attached, INSTANCE.up_to(1), "pmin=10", "pmax=200")
    write(attached, INSTANCE, "pmax=320")
    write(attached, RESOURCE, "gt=50")
    assert attached.effective(RESOURCE) == {"pmin": 10, "pmax": 320, "gt": 50.0}
    assert attached.effective(INSTANCE) == {"pmin": 10, "pmax": 320}
    assert attached.own(INSTANCE) == {"pmax": 320}


def test_name_without_a_value_takes_the_attribute_away():
    attached = AttachedAttributes()
    write(attached, RESOURCE, "pmin=10", "pmax=20")
    write(attached, RESOURCE, "pmin")
    assert attached.own(RESOURCE) == {"pmax": 20}
    write(attached, RESOURCE, "pmax")
    assert attached.own(RESOURCE) == {}


def test_misplaced_and_contradictory_attributes_are_refused_and_change_nothing():
    attached = AttachedAttributes()
    assert write(attached, INSTANCE, "gt=5") is Code.BAD_REQUEST
    write(attached, RESOURCE, "lt=10")
    assert write(attached, RESOURCE, "gt=5") is Code.BAD_REQUEST
    assert attached.own(RESOURCE) == {"lt": 10.0}


def test_deleted_instance_takes_its_attributes_along():
    attached = AttachedAttributes()
    write(attached, RESOURCE, "pmin=10")
    write(attached, INSTANCE.up_to(1), "pmax=20")
    attached.forget(INSTANCE)
    assert attached.effective(RESOURCE) == {"pmax": 20}
