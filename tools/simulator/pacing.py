"""When a simulated device acts by itself: Updates in time, and growing pauses after failures.

Knows neither what is tried nor why it failed.
"""

from __future__ import annotations

from random import Random

from tools.simulator.settings import DeviceSettings

_LONGEST_RETRANSMISSION_S = 93.0


class Pacing:
    """Of one device."""

    __slots__ = ("_failures", "_random", "_settings")

    def __init__(self, settings: DeviceSettings, random: Random) -> None:
        self._settings = settings
        self._random = random
        self._failures = 0

    def note_success(self) -> None:
        """It is worth while to be patient again."""
        self._failures = 0

    def note_failure(self) -> bool:
        """Something came to nothing; whether it was once too often in a row."""
        self._failures += 1
        return self._failures > self._settings.retries

    def pause_s(self) -> float:
        """Until the next attempt: longer with each failure, and not the same for all devices."""
        settings = self._settings
        pause_s = min(settings.backoff_s * 2.0**self._failures, settings.backoff_max_s)
        return pause_s * self._random.uniform(0.75, 1.25)

    def next_update_at(self, now: float, lifetime_s: int) -> float | None:
        """Early enough that a whole span of retransmissions fits before the lifetime ends; None: never."""
        if lifetime_s == 0:
            return None
        interval_s = max(lifetime_s - _LONGEST_RETRANSMISSION_S, lifetime_s / 2)
        return now + interval_s * (1 - self._settings.update_jitter * self._random.random())
