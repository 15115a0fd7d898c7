"""The registry's own count of seconds: never steps, goes on where the last clean stop left it.

Lease pages hold instants of this axis. It starts within half a second of the wall clock; the skew says how
far the two are apart now. Pure: what the clocks show is an argument.
"""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class CleanStop:
    """What a clean stop leaves behind, and an unclean one does not."""

    stopped_ms: int
    "Instant of the stop on the axis."

    wall_ms: int
    "The same on the wall clock, for people."

    def encode(self) -> bytes:
        """As the database holds it."""
        return json.dumps({"stopped_ms": self.stopped_ms, "wall_ms": self.wall_ms}).encode()

    @classmethod
    def decode(cls, data: bytes) -> CleanStop:
        """Inverse of `encode`."""
        return cls(**json.loads(data))


class Axis:
    """Seconds of the axis are monotonic seconds plus `offset_s`."""

    def __init__(self, monotonic: float, wall_ms: int, stop: CleanStop | None) -> None:
        """Start at the present instant, given by both clocks.

        After a clean *stop*, `shift_s` whole seconds are to be added to every expiry: remaining lifetimes are
        then what they were, whatever the wall clock did meanwhile.
        """
        wall_s = wall_ms / 1000
        start, self.shift_s = wall_s, 0
        if stop is not None:
            self.shift_s = round(wall_s - stop.stopped_ms / 1000)
            start = stop.stopped_ms / 1000 + self.shift_s
        # Second 0 means "no lease".
        while start < 1:
            start += 1
            self.shift_s += 1
        self.offset_s = start - monotonic

    def at(self, monotonic: float) -> float:
        """Seconds on the axis at this monotonic instant."""
        return monotonic + self.offset_s

    def skew_ms(self, monotonic: float, wall_ms: int) -> int:
        """Wall clock minus axis."""
        return wall_ms - int(self.at(monotonic) * 1000)
