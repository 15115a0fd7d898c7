"""What becomes of a change: it is on the disk, or why it is not. Values, for whoever waits for a commit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum


class CommitFailure(StrEnum):
    """Why a change is not in the registry."""

    STORAGE = "storage"
    "The disk is full or fails, or the file is locked; later it may work again."

    OVERTAKEN = "overtaken"
    "The device was deleted, frozen or given another secret meanwhile, or the registration is gone."

    INVALID = "invalid"
    "It holds a value that no row can hold."

    OVERLOADED = "overloaded"
    "Too many changes wait for their commit already."


@dataclass(frozen=True, slots=True)
class CommitOutcome:
    """What became of one change."""

    failure: CommitFailure | None = None
    "None: it is on the disk."

    detail: str = ""
    "For the operator."

    @property
    def is_committed(self) -> bool:
        """Whether it will survive a power cut."""
        return self.failure is None


COMMITTED = CommitOutcome()
OVERTAKEN = CommitOutcome(CommitFailure.OVERTAKEN)
INVALID = CommitOutcome(CommitFailure.INVALID)
OVERLOADED = CommitOutcome(CommitFailure.OVERLOADED)

Done = Callable[[CommitOutcome], None]
