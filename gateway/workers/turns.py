"""What a device is being asked, what waits for it, and what it means when no answer comes."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import NamedTuple

from gateway.lwm2m.negotiation import DeviceProfile
from gateway.lwm2m.operations import Operation
from gateway.lwm2m.requests import Request
from gateway.messaging.asking import Asking
from gateway.messaging.outcomes import SessionGone, TimedOut, Unsent, Unusable, WasReset
from gateway.workers.relations import Relation
from registry.commands import Command
from registry.model import Registration

TIMEOUT = "timeout"
RESET = "reset"
UNKNOWN_OUTCOME = "unknown outcome"
"What came of a command that must not be repeated, and whose answer never came."

Unanswered = TimedOut | WasReset | SessionGone | Unsent | Unusable


class Turn(NamedTuple):
    """What a device is being asked, and on whose account: a command's, or an observation's."""

    operation: Operation
    profile: DeviceProfile
    registration: Registration
    tried: tuple[Request, ...]
    command: Command | None
    relation: Relation | None

    @property
    def token(self) -> bytes | None:
        """What its messages must carry; None: any."""
        return None if self.relation is None else self.relation.observation.token


class Line:
    """What waits for one device, in the order in which it was asked, and what is on its way."""

    __slots__ = ("asking", "turn", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[Command] = deque()
        self.turn: Turn | None = None
        self.asking: Asking | None = None

    def attempt(self) -> None:
        """The first of those that wait is being sent."""
        self.waiting[0] = replace(self.waiting[0], attempts=self.waiting[0].attempts + 1)

    def drop(self, id_: int) -> None:
        """The command with this id waits no more."""
        self.waiting = deque(command for command in self.waiting if command.id != id_)

    def overdue(self, wall_ms: int) -> list[Command]:
        """Those that have waited for too long; the one on its way is none of them."""
        asked = None if self.turn is None else self.turn.command
        return [
            command
            for command in self.waiting
            if (asked is None or command.id != asked.id) and command.expires_at_ms <= wall_ms
        ]


def find_failure(outcome: Unanswered, *, is_repeatable: bool, is_queue_mode: bool) -> str | None:
    """How a command has failed that came to *outcome*; None: it waits for another turn.

    What has not left may be sent. What has left and must not be done twice is over. The rest waits for a
    device that has lost its session or sleeps, not for one that listens and says nothing.
    """
    match outcome:
        case WasReset():
            return RESET
        case Unusable(reason):
            return reason
        case Unsent() | SessionGone(is_sent=False):
            return None
        case _ if not is_repeatable:
            return UNKNOWN_OUTCOME
        case SessionGone():
            return None
        case TimedOut():
            return None if is_queue_mode else TIMEOUT
