"""The two clocks of the registry, as one argument.

Monotonic time measures how long; wall time says when and is what the disk holds.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """What the registry asks of a clock."""

    def monotonic(self) -> float:
        """Seconds that never step."""

    def wall_ms(self) -> int:
        """Milliseconds since the Unix epoch; may step either way."""


class SystemClock:
    """The clocks of the machine."""

    monotonic = staticmethod(time.monotonic)

    @staticmethod
    def wall_ms() -> int:
        """Milliseconds since the Unix epoch."""
        return time.time_ns() // 1_000_000
