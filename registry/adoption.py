"""Bringing memory up to what administrators did, and the facts that follow from it. Pure."""

from __future__ import annotations

from registry.events import (
    DeviceCreated,
    DeviceDeleted,
    DeviceFrozen,
    DeviceUnfrozen,
    EventType,
    Fact,
    SecretReset,
)
from registry.feed import ForeignEvents
from registry.memory import Memory
from registry.model import Device


def adopt(memory: Memory, foreign: ForeignEvents, now: float, wall_ms: int) -> list[Fact]:
    """Apply *foreign* to *memory*; *now* is an instant of the leases' axis.

    Devices get the state they have now, so an earlier event of the same batch may tell of more than memory
    ever shows. One that is gone by now is left to the event of its deletion.
    """
    facts: list[Fact] = []
    for type_, device_id, node_id in foreign.events:
        known = memory.devices.get(node_id)
        if known is not None and known.device_id != device_id:
            known = None
        current = foreign.devices.get(device_id)
        if type_ == EventType.DEVICE_DELETED:
            if known is not None:
                facts.append(DeviceDeleted(known, memory.remove_device(known)))
        elif current is not None:
            memory.put_device(current)
            facts.append(_apply(memory, type_, current, now, wall_ms))
    return facts


def _apply(memory: Memory, type_: str, device: Device, now: float, wall_ms: int) -> Fact:
    if type_ == EventType.DEVICE_CREATED:
        memory.arm_claim(device, now, wall_ms)
        return DeviceCreated(device)
    if type_ == EventType.DEVICE_UNFROZEN:
        # A deadline that passed while it was frozen is looked at again.
        memory.claims.refile(device.number, int(now))
        return DeviceUnfrozen(device)
    registration = memory.remove_registration(device.number)
    if type_ == EventType.DEVICE_FROZEN:
        return DeviceFrozen(device, registration)
    assert type_ == EventType.SECRET_RESET
    return SecretReset(device, registration)
