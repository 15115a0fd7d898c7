import pytest

from registry.leases import NONE
from registry.memory import Memory
from registry.model import Device, Security
from tests.support.registry import OBJECTS, make_registration

DEVICE = Device(1, "d-1", "n", Security.NONE, 60, 0)


@pytest.fixture
def memory():
    memory = Memory()
    memory.put_device(DEVICE)
    return memory


def test_device_is_found_by_both_keys(memory):
    assert memory.devices == {"n": DEVICE}
    assert memory.numbers == {1: DEVICE}


def test_new_registration_takes_the_place_of_the_old(memory):
    memory.put_registration(make_registration(DEVICE, "old"))
    new = make_registration(DEVICE, "new")
    memory.put_registration(new)
    assert memory.locations == {"new": new}
    memory.put_registration(new._replace(lifetime_s=9))
    assert list(memory.locations) == ["new"]
    assert memory.registrations[1].lifetime_s == 9


def test_profile_is_remembered_with_the_list_it_came_with(memory):
    memory.remember_profile(make_registration(DEVICE, profile_id="p"))
    assert memory.profiles == {1: ("p", OBJECTS)}
    memory.remember_profile(make_registration(DEVICE))
    assert memory.profiles == {1: ("p", OBJECTS)}


def test_lease_has_the_lifetime_and_the_grace(memory):
    memory.grant(make_registration(DEVICE, lifetime_s=10), 100.0, 5)
    assert memory.leases.find(1) == 116
    memory.grant(make_registration(DEVICE, lifetime_s=0), 100.0, 5)
    assert memory.leases.due(10_000, 10) == []


def test_removed_device_leaves_nothing(memory):
    registration = make_registration(DEVICE, profile_id="p")
    memory.put_registration(registration)
    memory.remember_profile(registration)
    memory.grant(registration, 100.0, 0)
    memory.arm_claim(DEVICE, 100.0, 0)
    assert memory.remove_device(DEVICE) is registration
    assert not any((memory.devices, memory.numbers, memory.registrations, memory.locations, memory.profiles))
    assert memory.leases.find(1) == NONE
    assert memory.claims.find(1) == NONE
    assert memory.remove_registration(1) is None


def test_claim_counts_down_until_the_first_connection(memory):
    memory.arm_claim(DEVICE, 100.0, 20_000)
    assert memory.claims.find(1) == 141
    memory.connect(DEVICE, 30_000)
    assert memory.claims.find(1) == NONE
    assert memory.devices["n"].connected_at_ms == 30_000
    memory.arm_claim(memory.devices["n"], 100.0, 20_000)
    assert memory.claims.find(1) == NONE
