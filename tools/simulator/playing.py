"""A device's scenario as it is played: each step when it is due, counted from the first registration."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING

from tools.simulator.scenario import Step, Timeline

if TYPE_CHECKING:
    from tools.simulator.device import Device


class Player:
    """Plays the *steps* of one device; `begin` at its first registration, later calls change nothing."""

    def __init__(self, steps: tuple[Step, ...], random: Random) -> None:
        self._steps = steps
        self._random = random
        self._timeline: Timeline | None = None
        self._online_at: float | None = None

    def begin(self, now: float) -> None:
        """The device is registered."""
        if self._timeline is None and self._steps:
            self._timeline = Timeline(self._steps, now)

    def get_timer(self) -> float | None:
        """When `play_due` has something to do."""
        timers = (self._online_at, None if self._timeline is None else self._timeline.get_timer())
        return min((timer for timer in timers if timer is not None), default=None)

    def play_due(self, device: Device, now: float) -> None:
        """Let *device* do what is due."""
        if self._online_at is not None and now >= self._online_at:
            self._online_at = None
            device.go_online(now)
        for step in () if self._timeline is None else self._timeline.take_due(now):
            self._play(step, device, now)

    def _play(self, step: Step, device: Device, now: float) -> None:
        for path, value in step.values:
            device.set_value(path, value, now)
        if step.walk is not None:
            before = device.client.get(step.walk.path)
            start = before if isinstance(before, int | float) else step.walk.low
            device.set_value(step.walk.path, step.walk.next(start, self._random), now)
        if step.send:
            device.send(step.send, now)
        if step.is_update:
            device.update(now)
        if step.loss is not None:
            device.lose(step.loss)
        if step.offline_s is not None:
            device.go_offline()
            self._online_at = now + step.offline_s
        if step.is_reboot:
            device.reboot(now)
