"""What happened to messages, as running totals. Numbers only."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(slots=True)
class MessageCounters:
    """One total per thing that can happen to a message."""

    requests: int = 0
    duplicates: int = 0
    responses: int = 0
    notifications: int = 0
    "Of observations that are known."

    pings: int = 0

    dropped_malformed: int = 0
    "Format errors (RFC 7252 §4.2): Reset for a confirmable message, silence for all others."

    dropped_unmatched: int = 0
    "Acknowledgements, Resets and responses that belong to nothing."

    rejected_option: int = 0
    "Requests with a critical option that is unknown, repeated, of a wrong size or not UTF-8."

    rejected_proxy: int = 0
    rejected_block: int = 0
    rejected_busy: int = 0
    challenged: int = 0
    "Answers held back until an Echo comes back (RFC 9175)."

    separate: int = 0
    "Empty acknowledgements sent ahead of an answer."

    expired: int = 0
    "Requests that never got an answer from us."

    retransmissions: int = 0
    timeouts: int = 0
    resets_received: int = 0
    dropped_responses: int = 0
    "Answers of ours that could not be sent: too late, or too many under way to that peer."

    failures: int = 0
    "Errors of our own while a message was handled, each one logged."

    def as_dict(self) -> dict[str, int]:
        """Name → total."""
        return asdict(self)
