import pytest

from registry.leases import NONE
from registry.memory import Memory, fold
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


def test_plain_registration_is_found_by_where_it_was_last_heard(memory):
    other = Device(2, "d-2", "m", Security.PSK, 60, 0)
    memory.put_device(other)
    first = make_registration(DEVICE, "first", address="192.0.2.1:1")
    memory.put_registration(first)
    memory.put_registration(make_registration(other, "secure", identity="m", address="192.0.2.1:2"))
    assert memory.find_source("192.0.2.1:1") is first
    assert memory.find_source("192.0.2.1:2") is None, "it is held by its identity"
    moved = first._replace(address="192.0.2.1:3")
    memory.put_registration(moved)
    assert memory.find_source("192.0.2.1:1") is None
    assert memory.find_source("192.0.2.1:3") is moved
    memory.put_registration(make_registration(other, "again", identity="m", address="192.0.2.1:3"))
    assert memory.find_source("192.0.2.1:3") is moved
    memory.put_registration(make_registration(other, "plain", identity=None, address="192.0.2.1:3"))
    memory.remove_registration(1)
    latest = memory.find_source("192.0.2.1:3")
    assert latest is not None
    assert latest.location == "plain", "what the one before leaves is not the latest's"
    memory.remove_registration(2)
    memory.remove_registration(2)
    assert memory.find_source("192.0.2.1:3") is None


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


# Certificates and public keys


def make_x509(number, node_id):
    return Device(number, f"d-{number}", node_id, Security.X509, 0, 0)


def make_rpk(number, digest):
    return Device(number, f"d-{number}", f"n-{number}", Security.RPK, 0, 0, public_key_sha256=digest)


def test_certificate_devices_are_found_by_name_and_by_dns_name_in_any_case(memory):
    upper, lower = make_x509(2, "Meter-7"), make_x509(3, "meter-7")
    memory.put_device(upper)
    memory.put_device(lower)
    memory.connect(lower, 5)
    lower = memory.devices["meter-7"]
    assert memory.find_named(["Meter-7"], []) == [upper]
    assert memory.find_named(["METER-7", "n"], []) == []
    assert memory.find_named([], ["METER-7", "meter-8"]) == [upper, lower]
    assert memory.find_named(["meter-7"], ["meter-7"]) == [lower, upper]
    memory.remove_device(upper)
    assert memory.find_named([], ["METER-7"]) == [lower]
    memory.remove_device(lower)
    assert memory.find_named(["meter-7"], ["METER-7"]) == []
    assert memory.folded_names == {}


def test_only_the_letters_a_to_z_have_another_case():
    assert fold("AZaz-\u00c4\u212a") == "azaz-\u00c4\u212a".encode()
    assert fold("\ud800") == b"\xed\xa0\x80"


def test_device_is_found_by_its_public_key_until_it_is_removed(memory):
    device = make_rpk(2, b"k" * 32)
    memory.put_device(device)
    assert memory.public_keys == {b"k" * 32: device}
    memory.remove_device(device)
    assert memory.public_keys == {}


def test_public_key_that_another_device_has_by_now_stays_with_it(memory):
    first, second = make_rpk(2, b"k" * 32), make_rpk(3, b"k" * 32)
    memory.put_device(first)
    memory.put_device(second)
    memory.remove_device(first)
    assert memory.public_keys == {b"k" * 32: second}
