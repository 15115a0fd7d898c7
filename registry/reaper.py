"""Ends what is due: registrations whose lifetime passed, devices that never connected.

Works in chunks: the end of one chunk's commit sends the next, so that a great many devices falling silent at
once hold nobody up for long. What is changing at this moment is looked at again a second later.
"""

from __future__ import annotations

from collections.abc import Callable

from registry.axis import Axis
from registry.changes import Change, Purge, Remove
from registry.clock import Clock
from registry.events import EventType
from registry.leases import Leases
from registry.memory import Memory
from registry.outcomes import CommitOutcome
from registry.overlay import Overlay
from registry.purge import CHUNK

_RETRY_S = 5


class Reaper:
    """Two queues of things due, each with at most one chunk on its way to the disk."""

    def __init__(
        self,
        memory: Memory,
        overlay: Overlay,
        axis: Axis,
        clock: Clock,
        submit: Callable[[Change], None],
    ) -> None:
        self._memory = memory
        self._overlay = overlay
        self._axis = axis
        self._clock = clock
        self._submit = submit
        self._expiring = 0
        self._purging = 0

    def expire(self, now: float) -> None:
        """Send the registrations whose lifetime has passed by monotonic *now*."""
        if self._expiring:
            return
        second = int(self._axis.at(now))
        for number in self._memory.leases.due(second, CHUNK):
            registration = self._memory.registrations[number]
            if number in self._overlay.devices:
                self._memory.leases.refile(number, second + 1)
                continue
            self._expiring += 1
            self._overlay.begin(number, registration, None)
            device = self._memory.numbers[number]
            self._submit(Remove(device, registration, EventType.REGISTRATION_EXPIRED, _ignore))

    def expired(self, change: Remove, outcome: CommitOutcome) -> None:
        """The commit of one expiry is reported; memory is up to date."""
        self._expiring -= 1
        now = self._clock.monotonic()
        if not outcome.is_committed:
            _retry(self._memory.leases, change.registration.device, self._axis.at(now))
        if not self._expiring and self._memory.leases.is_behind(int(self._axis.at(now))):
            self.expire(now)

    def purge(self, now: float) -> None:
        """Send the devices whose claim deadline has passed by monotonic *now*."""
        if self._purging:
            return
        second = int(self._axis.at(now))
        for number in self._memory.claims.due(second, CHUNK):
            device = self._memory.numbers[number]
            if device.is_frozen:
                # Out of the wheel until it is unfrozen.
                continue
            if number in self._overlay.devices:
                self._memory.claims.refile(number, second + 1)
                continue
            self._purging += 1
            self._submit(Purge(device))

    def purged(self, change: Purge, outcome: CommitOutcome) -> None:
        """The commit of one purge is reported; memory is up to date."""
        self._purging -= 1
        now = self._clock.monotonic()
        if not outcome.is_committed:
            _retry(self._memory.claims, change.device.number, self._axis.at(now))
        if not self._purging and self._memory.claims.is_behind(int(self._axis.at(now))):
            self.purge(now)


def _retry(leases: Leases, number: int, now: float) -> None:
    leases.refile(number, int(now) + _RETRY_S)


def _ignore(outcome: CommitOutcome) -> None:
    """Nobody waits for the end of what was due."""
