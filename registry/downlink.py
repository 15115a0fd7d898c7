"""Changes to commands and observations, for a group of the writer: what each writes, and when it is too late.

Runs in the writer's thread. A command may have been taken back, and its device deleted, frozen or given
another secret, since the change was decided; all of these have ended the command.
"""

from __future__ import annotations

from collections.abc import Sequence

from registry import commands, observations, values
from registry.batch import Batch
from registry.changes import Attached, append_reported
from registry.commands import CommandResult, CommandState
from registry.model import Device, Origin, Reading
from registry.observations import Observation
from registry.outcomes import COMMITTED, OVERTAKEN, CommitOutcome, Done


class MarkSent(Attached):
    """The request of a command is about to leave."""

    __slots__ = ("id",)

    def __init__(self, device: Device, id_: int, done: Done) -> None:
        super().__init__(device, done)
        self.id = id_

    def collect(self, batch: Batch) -> CommitOutcome:
        """Write it, unless the command has ended."""
        return _outcome(batch.connection.execute(commands.MARK_SENT, (self.id,)).rowcount)


class Requeue(Attached):
    """A command that may be repeated waits again."""

    __slots__ = ("id",)

    def __init__(self, device: Device, id_: int, done: Done) -> None:
        super().__init__(device, done)
        self.id = id_

    def collect(self, batch: Batch) -> CommitOutcome:
        """Write it, unless the command has ended."""
        return _outcome(batch.connection.execute(commands.REQUEUE, (self.id,)).rowcount)


class EndCommand(Attached):
    """A command has come to its end, perhaps with values that were read."""

    __slots__ = ("history", "id", "readings", "result", "state")

    def __init__(
        self,
        device: Device,
        id_: int,
        state: CommandState,
        result: CommandResult,
        readings: Sequence[Reading],
        history: int,
        done: Done,
    ) -> None:
        super().__init__(device, done)
        self.id = id_
        self.state = state
        self.result = result
        self.readings = readings
        self.history = history

    def collect(self, batch: Batch) -> CommitOutcome:
        """Write its end and its values, unless it has ended already."""
        if not commands.end(batch.connection, self.id, self.state, self.result, batch.now_ms):
            return OVERTAKEN
        if self.readings:
            values.put(batch.connection, self.device.number, self.readings, Origin.READ, self.history)
            append_reported(batch, self.device, self.readings, Origin.READ)
        return COMMITTED


class PutObservation(Attached):
    """A relation is wanted, established or refused."""

    __slots__ = ("observation",)

    def __init__(self, device: Device, observation: Observation, done: Done) -> None:
        super().__init__(device, done)
        self.observation = observation

    def collect(self, batch: Batch) -> CommitOutcome:
        """Write it, unless the device has lost its credential meanwhile."""
        known = batch.known.get(self.device.number)
        if known is None or known.is_frozen or known.revision != self.device.revision:
            return OVERTAKEN
        batch.connection.execute(observations.PUT, observations.to_row(self.observation))
        return COMMITTED


class ForgetObservation(Attached):
    """A relation is over."""

    __slots__ = ("token",)

    def __init__(self, device: Device, token: bytes, done: Done) -> None:
        super().__init__(device, done)
        self.token = token

    def collect(self, batch: Batch) -> CommitOutcome:
        """Delete it."""
        batch.connection.execute(observations.FORGET, (self.token,))
        return COMMITTED


def _outcome(changed: int) -> CommitOutcome:
    return COMMITTED if changed else OVERTAKEN
