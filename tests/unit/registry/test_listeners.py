"""`registry.listeners`: who is told what, and how often."""

from __future__ import annotations

from registry.errors import KeyUnusable
from registry.events import DevicePurged, Fact, RegistrationExpired
from registry.listeners import Listeners
from registry.model import Device, Refusal, Security
from tests.support.registry import make_registration

DEVICE = Device(1, "d-1", "n", Security.NONE, 0, 0)


def listening() -> tuple[Listeners, list[Fact], list[Fact], list[str | None]]:
    listeners = Listeners()
    facts: list[Fact] = []
    ends: list[Fact] = []
    faults: list[str | None] = []
    listeners.on_fact.append(facts.append)
    listeners.on_end.append(ends.append)
    listeners.on_fault.append(faults.append)
    return listeners, facts, ends, faults


def test_every_fact_is_told_and_ends_also_to_those_who_listen_for_ends() -> None:
    listeners, facts, ends, _ = listening()
    expired, purged = RegistrationExpired(DEVICE, make_registration(DEVICE)), DevicePurged(DEVICE)
    listeners.tell(expired)
    listeners.tell(purged)
    assert facts == [expired, purged]
    assert expired in ends


def test_fault_is_told_when_it_begins_changes_and_ends() -> None:
    listeners, _, _, faults = listening()
    for fault in (None, "disk full", "disk full", "I/O error", None, None):
        listeners.tell_fault(fault)
    assert faults == ["disk full", "I/O error", None]
    assert listeners.fault is None


def test_fault_of_the_key_is_told_once_for_each_key() -> None:
    listeners, _, _, faults = listening()
    for _ in range(2):
        listeners.tell_key_fault(KeyUnusable("another key"))
    listeners.renew_key()
    listeners.tell_key_fault(KeyUnusable("another key"))
    assert faults == ["another key", "another key"]
    assert listeners.fault is None, "commits go on"


def test_refusal_is_told_with_the_node_id() -> None:
    listeners = Listeners()
    told = []
    listeners.on_refusal.append(lambda node_id, refusal: told.append((node_id, refusal)))
    refusal = Refusal(0, "192.0.2.1:1", "unknown")
    listeners.tell_refusal("n", refusal)
    assert told == [("n", refusal)]
