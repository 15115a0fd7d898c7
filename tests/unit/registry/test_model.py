import dataclasses

import pytest

from registry.model import Created, Device, NewDevice, ObjectLink, Registration, Security
from tests.support.registry import make_registration

DEVICE = Device(1, "d-aaaaaaaaaaaaaaaa", "n", Security.PSK, 60, 1_000, sealed_secret=b"sealed-bytes")


def test_claim_deadline_counts_from_creation_until_the_first_connection():
    assert DEVICE.claim_deadline_ms == 61_000
    assert dataclasses.replace(DEVICE, timeout_s=0).claim_deadline_ms is None
    assert dataclasses.replace(DEVICE, connected_at_ms=2_000).claim_deadline_ms is None


def test_secrets_stay_out_of_representations():
    assert "sealed-bytes" not in repr(DEVICE)
    assert "in-the-clear" not in repr(Created(DEVICE, b"in-the-clear"))
    assert "in-the-clear" not in repr(NewDevice("n", secret=b"in-the-clear"))


def test_path_of_an_object_and_of_an_instance():
    assert ObjectLink(3).path == "/3"
    assert ObjectLink(3, 0).path == "/3/0"


@pytest.mark.parametrize(("binding", "sleeps"), [("U", False), ("UQ", True), ("Q", True)])
def test_queue_mode_is_in_the_binding(binding, sleeps):
    registration = make_registration(DEVICE, binding=binding)
    assert isinstance(registration, Registration)
    assert registration.is_queue_mode is sleeps
