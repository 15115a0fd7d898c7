"""Commands and observations as the gateway reads and changes them: part of the store's async face.

Keeps none of them: whoever sends them does. Loop thread only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

from registry import commands, models, observations
from registry.changes import Attached
from registry.commands import Command, CommandResult, CommandState
from registry.downlink import EndCommand, ForgetObservation, MarkSent, PutObservation, Requeue
from registry.model import Device, Reading
from registry.models import StoredDefinition
from registry.observations import Observation
from registry.outcomes import CommitOutcome, Done
from registry.sqlite import Database
from registry.writer import Run

OnCommands = Callable[[Sequence[Command]], None]
OnEnd = Callable[[int], None]

Submit = Callable[[int, Callable[[Device], Attached], Done], None]
"Has what the second makes of the device with this number committed, or tells the third why not."

Downlink = tuple[list[Command], list[Observation]]
Definitions = tuple[Sequence[StoredDefinition], int]


class DownlinkStore:
    """`registry.store.Registry.downlink`."""

    def __init__(self, submit: Submit, run: Run, database: Database, history: int) -> None:
        """*history*: how many values of a path are kept."""
        self._submit = submit
        self._run = run
        self._database = database
        self._history = history
        self._listeners: list[OnCommands] = []
        self._end_listeners: list[OnEnd] = []

    async def load(self) -> Downlink:
        """The commands that have not ended, by device and in their order; and all observations.

        Raises:
            StorageUnavailable: the file cannot be read at present.
        """
        return await self._run(self._read)

    async def read_definitions(self, after_revision: int) -> Definitions:
        """Object definitions that were imported behind *after_revision*, and the newest revision.

        Raises:
            StorageUnavailable: the file cannot be read at present.
        """
        return await self._run(partial(self._read_definitions, after_revision))

    def on_commands(self, listener: OnCommands) -> None:
        """Have *listener* called with the commands that were stored from outside, in their order."""
        self._listeners.append(listener)

    def on_end(self, listener: OnEnd) -> None:
        """Have *listener* called with the id of each command whose end was committed here."""
        self._end_listeners.append(listener)

    def notice(self, new: Sequence[Command]) -> None:
        """Called by the store: *new* ones were stored, some of which may have ended already."""
        waiting = [command for command in new if not command.has_ended]
        for listener in self._listeners if waiting else ():
            listener(waiting)

    def mark_sent(self, command: Command, done: Done) -> None:
        """Commit that the request of *command* is about to leave; overtaken if it has ended meanwhile."""
        self._submit(command.device, lambda device: MarkSent(device, command.id, done), done)

    def requeue(self, command: Command, done: Done) -> None:
        """Commit that *command* waits again."""
        self._submit(command.device, lambda device: Requeue(device, command.id, done), done)

    def end(
        self,
        command: Command,
        state: CommandState,
        result: CommandResult,
        done: Done,
        readings: Sequence[Reading] = (),
    ) -> None:
        """Commit the end of *command* with the values that it has read."""
        history = self._history

        def conclude(outcome: CommitOutcome) -> None:
            done(outcome)
            for listener in () if outcome.failure else self._end_listeners:
                listener(command.id)

        self._submit(
            command.device,
            lambda device: EndCommand(device, command.id, state, result, readings, history, conclude),
            done,
        )

    def put_observation(self, observation: Observation, done: Done) -> None:
        """Commit how far a relation has come."""
        self._submit(observation.device, lambda device: PutObservation(device, observation, done), done)

    def forget_observation(self, observation: Observation, done: Done) -> None:
        """Commit that a relation is over."""
        token = observation.token
        self._submit(observation.device, lambda device: ForgetObservation(device, token, done), done)

    def _read_definitions(self, after_revision: int) -> Definitions:
        with self._database.snapshot() as connection:
            return models.read_definitions(connection, after_revision)

    def _read(self) -> Downlink:
        with self._database.snapshot() as connection:
            return commands.read_open(connection), observations.read(connection)
