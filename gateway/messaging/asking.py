"""One request to a device, until its outcome.

Knows what of it has left, and what is told of its messages (`outgoing.Owner`). Knows no other requests.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

from gateway.lwm2m.requests import Request
from gateway.messaging.outcomes import Outcome, TimedOut, Unsent, WasReset
from gateway.messaging.outgoing import Transmission
from gateway.messaging.remote import Remote
from gateway.messaging.transfer import Transfer

OnOutcome = Callable[[Outcome], None]
"Called once, in the loop's thread, never before `Link.request` has returned."


class Asker(Protocol):
    """Who asks it, and keeps it until the end."""

    def cancel(self, asking: Asking) -> None:
        """It is wanted no more."""

    def await_answer(self, asking: Asking) -> None:
        """The device has it, and will answer."""

    def finish(self, asking: Asking, outcome: Outcome) -> None:
        """Its outcome is known."""


class Asking:
    """One request until its outcome. For whoever wanted it to `cancel`; all else is the link's."""

    __slots__ = (
        "_asker",
        "is_acknowledged",
        "is_part_sent",
        "observation",
        "on_outcome",
        "remote",
        "request",
        "timer",
        "token",
        "transfer",
        "transmission",
    )

    def __init__(
        self, asker: Asker, remote: Remote, request: Request, on_outcome: OnOutcome, observation: bytes | None
    ) -> None:
        self._asker = asker
        self.remote = remote
        self.request = request
        self.on_outcome: OnOutcome | None = on_outcome
        self.observation = observation
        "The token that was asked for, which other messages may carry as well."

        self.token = b""
        self.transfer: Transfer | None = None
        self.transmission: Transmission | None = None
        self.timer: asyncio.TimerHandle | None = None
        self.is_acknowledged = False
        self.is_part_sent = False
        "Whether an earlier block has left."

    def cancel(self) -> None:
        """Ask no more: nothing is sent again, and no outcome is told. Harmless after the end."""
        self._asker.cancel(self)

    @property
    def is_sent(self) -> bool:
        """Whether any of it has left."""
        return (
            self.is_part_sent
            or self.is_acknowledged
            or (self.transmission is not None and self.transmission.is_sent)
        )

    def acknowledged(self) -> None:
        self._asker.await_answer(self)

    def reset(self) -> None:
        self._asker.finish(self, WasReset())

    def timed_out(self, is_sent: bool) -> None:
        if is_sent or self.is_part_sent:
            self._asker.finish(self, TimedOut(is_acknowledged=False))
        else:
            self._asker.finish(self, Unsent("the device left an earlier request unanswered"))

    def conclude(self, outcome: Outcome) -> None:
        """Tell *outcome*, unless one was told or nobody waits for it any more."""
        on_outcome, self.on_outcome = self.on_outcome, None
        if on_outcome is not None:
            on_outcome(outcome)
