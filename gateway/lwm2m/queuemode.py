"""Queue mode: which sleeping devices are awake (OMA Core TS 1.2 §6.5, 1.0 §8.3).

A device is awake for a while after its last message, or until it leaves a request unanswered. Time is
given, in monotonic seconds.
"""

from __future__ import annotations


class AwakeWindows:
    """The devices that were heard of late, by number."""

    __slots__ = ("_awake_s", "_until")

    def __init__(self, awake_s: float) -> None:
        """*awake_s*: how long a device listens after its last message (93 s: MAX_TRANSMIT_WAIT)."""
        self._awake_s = awake_s
        self._until: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self._until)

    def hear(self, device: int, now: float) -> None:
        """A message of *device* has come."""
        self._until[device] = now + self._awake_s

    def end(self, device: int) -> None:
        """It left a request unanswered, or is gone: it sleeps until it is heard again."""
        self._until.pop(device, None)

    def is_awake(self, device: int, now: float) -> bool:
        """Whether *device* listens."""
        until = self._until.get(device)
        return until is not None and now < until

    def prune(self, now: float) -> None:
        """Forget the windows that have closed."""
        for device in [device for device, until in self._until.items() if until <= now]:
            del self._until[device]
