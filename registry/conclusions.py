"""What the end of a commit means: first for the memory, then for whoever waits, then for those who listen.

Loop thread only; called in the order of the commits.
"""

from __future__ import annotations

from registry.axis import Axis
from registry.changes import Alter, Attached, Change, Purge, Register, Remove
from registry.clock import Clock
from registry.events import DevicePurged, EventType, RegistrationExpired
from registry.listeners import Listeners
from registry.memory import Memory
from registry.outcomes import CommitOutcome
from registry.overlay import Overlay
from registry.reaper import Reaper
from registry.snapshots import Snapshots


class Conclusions:
    """Brings one registry's memory up to what is committed."""

    def __init__(
        self,
        memory: Memory,
        overlay: Overlay,
        axis: Axis,
        clock: Clock,
        grace_s: int,
        reaper: Reaper,
        snapshots: Snapshots,
        listeners: Listeners,
    ) -> None:
        """*grace_s* is added to every lifetime."""
        self._memory = memory
        self._overlay = overlay
        self._axis = axis
        self._clock = clock
        self._grace_s = grace_s
        self._reaper = reaper
        self._snapshots = snapshots
        self._listeners = listeners

    def conclude(self, change: Change, outcome: CommitOutcome) -> None:
        """*change* was committed, or was not."""
        if isinstance(change, Register):
            self._conclude_register(change, outcome)
        elif isinstance(change, Alter):
            self._conclude_placing(change, outcome)
        elif isinstance(change, Remove):
            self._conclude_remove(change, outcome)
        elif isinstance(change, Purge):
            self._conclude_purge(change, outcome)
        elif isinstance(change, Attached):
            change.done(outcome)

    def _conclude_register(self, change: Register, outcome: CommitOutcome) -> None:
        device = self._memory.numbers.get(change.registration.device)
        if outcome.is_committed and device is not None and device.connected_at_ms is None:
            self._memory.connect(device, change.registration.registered_at_ms)
        self._conclude_placing(change, outcome)

    def _conclude_placing(self, change: Register | Alter, outcome: CommitOutcome) -> None:
        registration = change.registration
        number = registration.device
        pending = self._overlay.finish(number)
        if outcome.is_committed:
            if pending is not None and pending.latest is not None and pending.latest is not registration:
                # It has moved while its commit was on the way.
                registration = pending.latest
                self._snapshots.note_move(number)
            now = self._axis.at(self._clock.monotonic())
            self._memory.put_registration(registration)
            if isinstance(change, Register) or change.has_new_profile:
                self._memory.remember_profile(registration)
            self._memory.grant(registration, now, self._grace_s)
        change.done(outcome)

    def _conclude_remove(self, change: Remove, outcome: CommitOutcome) -> None:
        number = change.registration.device
        self._overlay.finish(number)
        if outcome.is_committed:
            self._memory.remove_registration(number)
        change.done(outcome)
        if change.type is EventType.REGISTRATION_EXPIRED:
            self._reaper.expired(change, outcome)
            if outcome.is_committed:
                self._listeners.tell(RegistrationExpired(change.device, change.registration))

    def _conclude_purge(self, change: Purge, outcome: CommitOutcome) -> None:
        if outcome.is_committed:
            self._memory.remove_device(change.device)
        self._reaper.purged(change, outcome)
        if outcome.is_committed:
            self._listeners.tell(DevicePurged(change.device))
