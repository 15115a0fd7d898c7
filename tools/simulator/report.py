"""What a simulation has come to: counted while it runs, summed up at its end.

Knows device events. Knows no sockets; draws nothing on the screen (`display` does).
"""

from __future__ import annotations

from array import array
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tools.simulator.device import Device
from tools.simulator.events import (
    AttemptFailed,
    Deregistered,
    DeviceEvent,
    GaveUp,
    HandshakeDone,
    Rebooted,
    Registered,
    Sent,
    SessionLost,
    Updated,
)


def _times() -> array[float]:
    return array("d")


@dataclass(slots=True)
class Tally:
    """The figures of one scheme."""

    devices: int = 0
    started: int = 0
    registered: int = 0
    "Devices that have registered at least once."

    failed: int = 0
    "Devices that gave up."

    registers: int = 0
    updates: int = 0
    deregistered: int = 0
    sends: int = 0
    "Accepted ones."

    reboots: int = 0
    failed_attempts: int = 0
    sessions_lost: int = 0
    handshake_s: array[float] = field(default_factory=_times)
    register_s: array[float] = field(default_factory=_times)
    update_s: array[float] = field(default_factory=_times)
    total_s: array[float] = field(default_factory=_times)
    "From a device's start to its first accepted Register, all retries included."


@dataclass(frozen=True, slots=True)
class Failure:
    """A device that is not registered and will not be."""

    node_id: str
    scheme: str
    stage: str
    reason: str

    def __str__(self) -> str:
        return f"{self.stage}: {self.reason}"


class Report:
    """Takes the events of a fleet and gives its result. `is_settled` once every device is decided."""

    def __init__(self) -> None:
        self.tallies: dict[str, Tally] = {}
        self._undecided: dict[str, str] = {}
        self._registered: set[str] = set()
        self._failures: dict[str, Failure] = {}
        self._last_attempts: dict[str, str] = {}

    def expect(self, node_id: str, scheme: str) -> None:
        """Announce a device before it starts."""
        self.tallies.setdefault(scheme, Tally()).devices += 1
        self._undecided[node_id] = scheme

    @property
    def is_settled(self) -> bool:
        """Whether each device has registered or given up."""
        return not self._undecided

    @property
    def undecided(self) -> int:
        """How many devices have neither registered nor given up."""
        return len(self._undecided)

    @property
    def is_success(self) -> bool:
        """Whether each device has registered and none gave up since."""
        return not self._undecided and not self._failures

    @property
    def failures(self) -> list[Failure]:
        """Devices that gave up, in the order in which they did."""
        return list(self._failures.values())

    def count_start(self, device: Device) -> None:
        """*device* begins now."""
        self.tallies[device.settings.scheme].started += 1

    def record(self, device: Device, event: DeviceEvent) -> None:
        """Take one event."""
        tally = self.tallies[device.settings.scheme]
        match event:
            case HandshakeDone(duration_s=duration_s):
                tally.handshake_s.append(duration_s)
            case Registered(duration_s=duration_s, total_s=total_s):
                self._record_registered(device, tally, duration_s, total_s)
            case Updated(duration_s=duration_s):
                tally.updates += 1
                tally.update_s.append(duration_s)
            case Deregistered():
                tally.deregistered += 1
            case Sent():
                tally.sends += 1
            case Rebooted():
                tally.reboots += 1
            case AttemptFailed():
                tally.failed_attempts += 1
                self._last_attempts[device.settings.node_id] = str(event)
            case SessionLost():
                tally.sessions_lost += 1
            case GaveUp(stage=stage, reason=reason):
                tally.failed += 1
                self._undecided.pop(device.settings.node_id, None)
                self._fail(device, stage, reason)

    def close(self, stages: Mapping[str, str]) -> None:
        """The simulation is over: what is undecided has failed, at the stage given for its node ID."""
        for node_id, scheme in self._undecided.items():
            self.tallies[scheme].failed += 1
            stage = stages.get(node_id, "not started")
            last = self._last_attempts.get(node_id)
            reason = f"interrupted, last {last}" if last else "interrupted"
            self._failures[node_id] = Failure(node_id, scheme, stage, reason)
        self._undecided.clear()

    def as_dict(self, duration_s: float) -> dict[str, Any]:
        """The value of ``--json``."""
        tallies = self.tallies.values()
        return {
            "count": sum(tally.devices for tally in tallies),
            "registered": sum(tally.registered for tally in tallies),
            "failed": sum(tally.failed for tally in tallies),
            "duration_s": round(duration_s, 3),
            "schemes": {scheme: _tally_dict(tally) for scheme, tally in sorted(self.tallies.items())},
            "failures": [
                {"node_id": one.node_id, "scheme": one.scheme, "stage": one.stage, "reason": one.reason}
                for one in self.failures
            ],
        }

    def _record_registered(self, device: Device, tally: Tally, duration_s: float, total_s: float) -> None:
        node_id = device.settings.node_id
        tally.registers += 1
        tally.register_s.append(duration_s)
        if node_id not in self._registered:
            self._registered.add(node_id)
            tally.registered += 1
            tally.total_s.append(total_s)
        self._undecided.pop(node_id, None)

    def _fail(self, device: Device, stage: str, reason: str) -> None:
        settings = device.settings
        self._failures[settings.node_id] = Failure(settings.node_id, settings.scheme, stage, reason)


def summarize(times_s: array[float]) -> dict[str, float | int] | None:
    """Count, min, median, 95th percentile and max in milliseconds; None without any."""
    if not times_s:
        return None
    ordered = sorted(times_s)
    return {
        "count": len(ordered),
        "min_ms": _ms(ordered[0]),
        "median_ms": _ms(percentile(ordered, 50)),
        "p95_ms": _ms(percentile(ordered, 95)),
        "max_ms": _ms(ordered[-1]),
    }


def percentile(ordered: list[float], percent: int) -> float:
    """Nearest-rank percentile of an ascending, non-empty list."""
    rank = -(-len(ordered) * percent // 100)
    return ordered[max(0, rank - 1)]


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 2)


def _tally_dict(tally: Tally) -> dict[str, Any]:
    return {
        "count": tally.devices,
        "registered": tally.registered,
        "failed": tally.failed,
        "registers": tally.registers,
        "updates": tally.updates,
        "deregistered": tally.deregistered,
        "sends": tally.sends,
        "reboots": tally.reboots,
        "failed_attempts": tally.failed_attempts,
        "sessions_lost": tally.sessions_lost,
        "handshake": summarize(tally.handshake_s),
        "register": summarize(tally.register_s),
        "update": summarize(tally.update_s),
        "total": summarize(tally.total_s),
    }
