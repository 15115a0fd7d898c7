from dataclasses import replace

import pytest

from registry.adoption import adopt
from registry.events import DeviceCreated, DeviceDeleted, DeviceFrozen, DeviceUnfrozen, SecretReset
from registry.feed import ForeignEvents
from registry.memory import Memory
from registry.model import Device, Security
from tests.support.registry import make_registration

DEVICE = Device(1, "d-1", "n", Security.NONE, 60, 0)
REGISTRATION = make_registration(DEVICE)


@pytest.fixture
def memory():
    memory = Memory()
    memory.put_device(DEVICE)
    memory.put_registration(REGISTRATION)
    memory.grant(REGISTRATION, 100.0, 0)
    return memory


def feed(memory, *events, devices=()):
    foreign = ForeignEvents(list(events), {device.device_id: device for device in devices}, False)
    return adopt(memory, foreign, 100.0, 0)


def test_created_device_counts_down_from_its_notice():
    memory = Memory()
    assert feed(memory, ("device_created", "d-1", "n"), devices=[DEVICE]) == [DeviceCreated(DEVICE)]
    assert memory.devices == {"n": DEVICE}
    assert memory.claims.find(1) == 161


def test_device_created_and_deleted_unnoticed_leaves_no_trace():
    memory = Memory()
    assert feed(memory, ("device_created", "d-1", "n"), ("device_deleted", "d-1", "n")) == []
    assert memory.devices == {}


@pytest.mark.parametrize(("type_", "fact"), [("device_frozen", DeviceFrozen), ("secret_reset", SecretReset)])
def test_freeze_and_reset_end_the_registration(memory, type_, fact):
    changed = replace(DEVICE, is_frozen=type_ == "device_frozen", revision=1)
    assert feed(memory, (type_, "d-1", "n"), devices=[changed]) == [fact(changed, REGISTRATION)]
    assert memory.devices == {"n": changed}
    assert memory.registrations == {}


def test_freeze_and_unfreeze_at_once_end_the_registration_all_the_same(memory):
    now = replace(DEVICE, revision=2)
    facts = feed(memory, ("device_frozen", "d-1", "n"), ("device_unfrozen", "d-1", "n"), devices=[now])
    assert facts == [DeviceFrozen(now, REGISTRATION), DeviceUnfrozen(now)]
    assert memory.registrations == {}


def test_deleted_device_goes_with_its_registration(memory):
    assert feed(memory, ("device_deleted", "d-1", "n")) == [DeviceDeleted(DEVICE, REGISTRATION)]
    assert memory.devices == {}
    assert memory.locations == {}


def test_change_of_a_device_deleted_since_is_left_to_its_deletion(memory):
    assert feed(memory, ("device_frozen", "d-1", "n")) == []
    assert memory.devices == {"n": DEVICE}


def test_deletion_of_a_namesake_leaves_the_device(memory):
    assert feed(memory, ("device_deleted", "d-0", "n")) == []
    assert memory.devices == {"n": DEVICE}


def test_device_deleted_and_created_again_is_another_one(memory):
    new = replace(DEVICE, number=2, device_id="d-2")
    facts = feed(memory, ("device_deleted", "d-1", "n"), ("device_created", "d-2", "n"), devices=[new])
    assert facts == [DeviceDeleted(DEVICE, REGISTRATION), DeviceCreated(new)]
    assert memory.devices == {"n": new}
    assert memory.numbers == {2: new}
