"""A registry of dictionaries: what ``gateway.site`` uses of it, with a disk that does what the test says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from registry.model import Device, ObjectList, Origin, Reading, Registration, Security
from registry.outcomes import CommitFailure, CommitOutcome

Done = Callable[[CommitOutcome], None]


@dataclass
class FakeRegistry:
    """Keeps devices and registrations; commits at once, at `flush`, or never."""

    is_overloaded: bool = False
    is_deferred: bool = False
    failure: CommitFailure | None = None
    "What becomes of every commit."

    devices: dict[str, Device] = field(default_factory=dict)
    registrations: dict[str, Registration] = field(default_factory=dict)
    profiles: dict[tuple[int, str], ObjectList] = field(default_factory=dict)
    calls: list[tuple[str, Registration]] = field(default_factory=list)
    refusals: list[tuple[str, str, str]] = field(default_factory=list)
    reported: list[tuple[str, Origin, tuple[Reading, ...]]] = field(default_factory=list)
    _waiting: list[Done] = field(default_factory=list)

    def add(self, node_id: str, security: Security = Security.NONE, *, is_frozen: bool = False) -> Device:
        """A device, as the command line would have created it."""
        number = len(self.devices) + 1
        device = Device(number, f"d-{number:016}", node_id, security, 0, 0, is_frozen=is_frozen)
        self.devices[node_id] = device
        return device

    def flush(self) -> None:
        """Commit what was deferred."""
        waiting, self._waiting = self._waiting, []
        for done in waiting:
            done(CommitOutcome(self.failure))

    def find_device(self, node_id: str) -> Device | None:
        return self.devices.get(node_id)

    def find_registration(self, location: str) -> Registration | None:
        return self.registrations.get(location)

    def find_registration_of(self, device_number: int) -> Registration | None:
        held = (one for one in self.registrations.values() if one.device == device_number)
        return next(held, None)

    def find_registration_from(self, address: str) -> Registration | None:
        plain = (one for one in self.registrations.values() if one.identity is None)
        return next((one for one in plain if one.address == address), None)

    def find_profile(self, device_number: int, profile_id: str) -> ObjectList | None:
        return self.profiles.get((device_number, profile_id))

    def register(self, registration: Registration, done: Done) -> None:
        if self.failure is None:
            self._drop(registration)
            self._learn(registration)
            self.registrations[registration.location] = registration
        self._commit("register", registration, done)

    def change(self, registration: Registration, done: Done) -> None:
        if self.failure is None:
            self._learn(registration)
            self.registrations[registration.location] = registration
        self._commit("change", registration, done)

    def renew(self, registration: Registration, address: str) -> None:
        assert self.registrations[registration.location] == registration
        self.calls.append((f"renew {address}", registration))

    def deregister(self, registration: Registration, done: Done) -> None:
        if self.failure is None:
            self._drop(registration)
        self._commit("deregister", registration, done)

    def keep_values(
        self, device_number: int, readings: Sequence[Reading], origin: Origin, done: Done
    ) -> None:
        registration = self.find_registration_of(device_number)
        assert registration is not None
        if self.failure is None:
            self.reported.append((registration.node_id, origin, tuple(readings)))
        self._commit("keep values", registration, done)

    def refuse(self, node_id: str, address: str, reason: str) -> None:
        self.refusals.append((node_id, address, reason))

    def _learn(self, registration: Registration) -> None:
        if registration.profile_id is not None:
            self.profiles[registration.device, registration.profile_id] = registration.objects

    def _drop(self, registration: Registration) -> None:
        held = self.find_registration_of(registration.device)
        if held is not None:
            del self.registrations[held.location]

    def _commit(self, name: str, registration: Registration, done: Done) -> None:
        self.calls.append((name, registration))
        self._waiting.append(done)
        if not self.is_deferred:
            self.flush()
