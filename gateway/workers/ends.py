"""How commands end: committed with the values that came, and when the disk will not have it now, later.

Knows nothing of devices: that a command has ended for the one that carries it out is its own affair.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from registry.commands import Command, CommandResult, CommandState
from registry.downlinkstore import DownlinkStore
from registry.model import Reading
from registry.outcomes import CommitFailure, CommitOutcome

UNSTORABLE: Final = "the answer holds a value that cannot be stored"

PASSING: Final = (CommitFailure.STORAGE, CommitFailure.OVERLOADED)
"What keeps a change from being written for a while only."


class _End(NamedTuple):
    command: Command
    state: CommandState
    result: CommandResult
    readings: Sequence[Reading]


class Ends:
    """Those of all commands of one gateway."""

    def __init__(self, store: DownlinkStore) -> None:
        self._store = store
        self._unwritten: list[_End] = []

    def write(
        self, command: Command, state: CommandState, result: CommandResult, readings: Sequence[Reading] = ()
    ) -> None:
        """*command* has ended, perhaps with *readings*; what no row can hold makes it fail."""

        def done(outcome: CommitOutcome) -> None:
            if outcome.failure in PASSING:
                self._unwritten.append(_End(command, state, result, readings))
            elif outcome.failure is CommitFailure.INVALID:
                failed = CommandResult(result.code, result.format, error=UNSTORABLE)
                self.write(command, CommandState.FAILED, failed)

        self._store.end(command, state, result, done, readings)

    def write_again(self) -> None:
        """Try those once more that the disk would not have."""
        unwritten, self._unwritten = self._unwritten, []
        for end in unwritten:
            self.write(*end)
