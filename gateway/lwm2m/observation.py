"""Observations: which notification is newer, and when silence has lasted too long (RFC 7641).

Holds no observation; what is stored of them is for others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from gateway.lwm2m.attributes import Number

SEQUENCE_HALF = 2**23
SEQUENCES_END = 2**24

REORDERING_S = 128
"Longer than any notification is under way (RFC 7641 §3.4)."

SILENCE_FACTOR = 2
"Times pmax."


@dataclass(frozen=True, slots=True)
class Freshness:
    """The newest notification so far."""

    sequence: int
    "Its Observe option."

    at_s: float
    "When it came, in monotonic seconds."


def is_newer(sequence: int, at_s: float, newest: Freshness | None) -> bool:
    """Whether a notification is newer than the *newest* so far (RFC 7641 §3.4); the first always is."""
    if newest is None or at_s > newest.at_s + REORDERING_S:
        return True
    before, after = newest.sequence, sequence % SEQUENCES_END
    if before < after:
        return after - before < SEQUENCE_HALF
    return before - after > SEQUENCE_HALF


def silence_s(attributes: Mapping[str, Number]) -> float | None:
    """After how many seconds without a notification the relation is taken for lost; None: never.

    A pmax of 0, or below pmin, is none (OMA Core TS 1.2 §5.1.2).
    """
    pmax = attributes.get("pmax")
    if not pmax or pmax < attributes.get("pmin", 0):
        return None
    return float(SILENCE_FACTOR * pmax)
