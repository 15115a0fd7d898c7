"""All devices and registrations as dictionaries, and their leases and claim deadlines.

Knows no disk, no clock, no pending changes: what is here is committed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from registry.leases import Leases, expiry_after
from registry.model import Device, ObjectList, Registration, Security
from registry.purge import claim_remaining_s


def fold(name: str) -> bytes:
    """*name* for comparing DNS names: only the letters A to Z have another case (RFC 4343)."""
    return name.encode("utf-8", "surrogatepass").lower()


class Memory:
    """The committed state, by every key that a request brings."""

    def __init__(self) -> None:
        self.devices: dict[str, Device] = {}
        "By node ID."
        self.numbers: dict[int, Device] = {}
        self.public_keys: dict[bytes, Device] = {}
        "By SHA-256 of the SubjectPublicKeyInfo."
        self.folded_names: dict[bytes, tuple[str, ...]] = {}
        "Node IDs of X.509 devices, by `fold`."
        self.registrations: dict[int, Registration] = {}
        "By device number."
        self.locations: dict[str, Registration] = {}
        self._sources: dict[str, int] | None = None
        "Address → device number, of registrations without an identity; made when first asked for."
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
        if device.node_id not in self.devices and device.security is Security.X509:
            folded = fold(device.node_id)
            self.folded_names[folded] = (*self.folded_names.get(folded, ()), device.node_id)
        self.devices[device.node_id] = device
        self.numbers[device.number] = device
        if device.public_key_sha256 is not None:
            self.public_keys[device.public_key_sha256] = device

    def arm_claim(self, device: Device, now: float, wall_ms: int) -> None:
        """Start counting down to the purge of a device that has yet to connect."""
        remaining_s = claim_remaining_s(device, wall_ms)
        if remaining_s is not None:
            self.claims.grant(device.number, int(now + remaining_s) + 1)

    def remove_device(self, device: Device) -> Registration | None:
        """Forget the device and all that belongs to it; returns the registration it had."""
        del self.devices[device.node_id]
        del self.numbers[device.number]
        self._forget_credential(device)
        self.profiles.pop(device.number, None)
        self.claims.drop(device.number)
        return self.remove_registration(device.number)

    def _forget_credential(self, device: Device) -> None:
        digest = device.public_key_sha256
        # A key that was given to another device meanwhile stays with that one.
        if digest is not None and self.public_keys[digest].number == device.number:
            del self.public_keys[digest]
        if device.security is Security.X509:
            folded = fold(device.node_id)
            left = tuple(name for name in self.folded_names[folded] if name != device.node_id)
            if left:
                self.folded_names[folded] = left
            else:
                del self.folded_names[folded]

    def find_named(self, names: Iterable[str], dns_names: Iterable[str]) -> list[Device]:
        """The X.509 devices with one of *names*, or with one of *dns_names* in whatever case; each once."""
        found = dict.fromkeys(names)
        for name in dns_names:
            found.update(dict.fromkeys(self.folded_names.get(fold(name), ())))
        devices = (self.devices.get(name) for name in found)
        return [device for device in devices if device is not None and device.security is Security.X509]

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
        if self._sources is not None:
            self._forget_source(before)
            if registration.identity is None:
                self._sources[registration.address] = number

    def find_source(self, address: str) -> Registration | None:
        """The registration that was made without an identity and last heard from *address*.

        Of several the latest to be there. Deployments in which nobody asks pay nothing for the index.
        """
        if self._sources is None:
            held = self.registrations.items()
            self._sources = {each.address: number for number, each in held if each.identity is None}
        number = self._sources.get(address)
        return None if number is None else self.registrations[number]

    def _forget_source(self, registration: Registration | None) -> None:
        sources = self._sources
        if sources is None or registration is None:
            return
        if sources.get(registration.address) == registration.device:
            del sources[registration.address]

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
            self._forget_source(registration)
            self.leases.drop(number)
        return registration
