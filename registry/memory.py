"""All devices and registrations as dictionaries, and their leases and claim deadlines.

Knows no disk, no clock, no pending changes: what is here is committed.
"""

from __future__ import annotations

from dataclasses import replace

from registry.leases import Leases, expiry_after
from registry.model import Device, ObjectList, Registration
from registry.purge import claim_remaining_s


class Memory:
    """The committed state, by every key that a request brings."""

    def __init__(self) -> None:
        self.devices: dict[str, Device] = {}
        "By node ID."
        self.numbers: dict[int, Device] = {}
        self.registrations: dict[int, Registration] = {}
        "By device number."
        self.locations: dict[str, Registration] = {}
        self.profiles: dict[int, tuple[str, ObjectList]] = {}
        "By device number: the last ``pid`` that came with an object list, and that list."
        self.start_timers(0)

    def start_timers(self, second: int) -> None:
        """Begin with no leases and no deadlines; *second* is the present one."""
        self.leases = Leases(second)
        self.claims = Leases(second)
        "Claim deadlines, on the same axis."

    def put_device(self, device: Device) -> None:
        """Add *device*, or a newer version of it."""
        self.devices[device.node_id] = device
        self.numbers[device.number] = device

    def arm_claim(self, device: Device, now: float, wall_ms: int) -> None:
        """Start counting down to the purge of a device that has yet to connect."""
        remaining_s = claim_remaining_s(device, wall_ms)
        if remaining_s is not None:
            self.claims.grant(device.number, int(now + remaining_s) + 1)

    def remove_device(self, device: Device) -> Registration | None:
        """Forget the device and all that belongs to it; returns the registration it had."""
        del self.devices[device.node_id]
        del self.numbers[device.number]
        self.profiles.pop(device.number, None)
        self.claims.drop(device.number)
        return self.remove_registration(device.number)

    def connect(self, device: Device, at_ms: int) -> None:
        """The first accepted Register ends the claim deadline for ever."""
        self.put_device(replace(device, connected_at_ms=at_ms))
        self.claims.drop(device.number)

    def put_registration(self, registration: Registration) -> None:
        """Add *registration* in place of whatever its device had."""
        number = registration.device
        before = self.registrations.get(number)
        if before is not None and before.location != registration.location:
            del self.locations[before.location]
        self.registrations[number] = registration
        self.locations[registration.location] = registration

    def remember_profile(self, registration: Registration) -> None:
        """The device has sent this ``pid`` and this object list together."""
        if registration.profile_id is not None:
            self.profiles[registration.device] = (registration.profile_id, registration.objects)

    def grant(self, registration: Registration, now: float, grace_s: int) -> None:
        """Begin a full lifetime at *now*."""
        lifetime_s = registration.lifetime_s
        self.leases.grant(registration.device, expiry_after(now, lifetime_s + grace_s if lifetime_s else 0))

    def remove_registration(self, number: int) -> Registration | None:
        """Forget the registration of device *number*, if it has one."""
        registration = self.registrations.pop(number, None)
        if registration is not None:
            del self.locations[registration.location]
            self.leases.drop(number)
        return registration
