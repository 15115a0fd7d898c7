"""One device on disk, changes to it, and the committer: for tests of what a transaction writes."""

from __future__ import annotations

from typing import Any

from registry.changes import Alter, Change, Register, Remove, Report
from registry.commit import Committer
from registry.events import EventType
from registry.model import Device, Origin, Reading, Registration
from registry.outcomes import CommitOutcome
from registry.registrations import SharedObjects
from tests.support.registry import OBJECTS, Place, make_registration


def ignore(outcome: CommitOutcome) -> None:
    """Nobody waits."""


class Scene:
    """One device ``n`` on disk, and a committer."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.device = place.create("n", timeout_s=60)
        self.database = place.database()
        self.committer = Committer(self.database, place.clock)
        self.shared = SharedObjects(OBJECTS)
        self.registration = make_registration(self.device, "first")

    def register(self, registration: Registration | None = None, device: Device | None = None) -> Register:
        return Register(device or self.device, registration or self.registration, self.shared, ignore)

    def alter(self, **values: Any) -> Alter:
        after = self.registration._replace(**values)
        shared = self.shared if after.objects is OBJECTS else SharedObjects(after.objects)
        return Alter(self.device, self.registration, after, shared, ignore)

    def remove(self, type_: EventType = EventType.DEREGISTERED) -> Remove:
        return Remove(self.device, self.registration, type_, ignore)

    def report(self, *readings: Reading) -> Report:
        return Report(self.device, readings, Origin.SEND, 100, ignore)

    def commit(self, *changes: Change) -> list[CommitOutcome]:
        return self.committer.commit(changes)

    def locations(self) -> list[str]:
        return [row[0] for row in self.place.rows("SELECT location FROM registration")]

    def events(self) -> list[str]:
        """The types of the events since the device was created."""
        return [row[0] for row in self.place.rows("SELECT type FROM event ORDER BY id")][1:]
