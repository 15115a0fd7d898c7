"""What becomes of a request to a device. Values only."""

from __future__ import annotations

from typing import NamedTuple

from gateway.lwm2m.answers import Response


class Answered(NamedTuple):
    """The device answered, whatever it said; its blocks are put together."""

    response: Response

    sequence: int | None = None
    "The Observe option, by which `gateway.lwm2m.observation.is_newer` orders notifications."


class TimedOut(NamedTuple):
    """The request was sent, and no answer came. Whether it was carried out nobody knows."""

    is_acknowledged: bool
    "The device had it: only the answer is missing. Otherwise not even that is known."


class WasReset(NamedTuple):
    """The device rejected the message: it has no such interface, or has just restarted."""


class SessionGone(NamedTuple):
    """The DTLS session ended, or had ended, before an answer came."""

    reason: str
    is_sent: bool
    "Whether the request, or a part of it, had left."


class Unsent(NamedTuple):
    """Nothing left the gateway: a limit was reached, or the device left the request before unanswered."""

    reason: str


class Unusable(NamedTuple):
    """The device answered, but nobody can make sense of it: a critical option, or blocks that do not fit."""

    reason: str


Outcome = Answered | TimedOut | WasReset | SessionGone | Unsent | Unusable
