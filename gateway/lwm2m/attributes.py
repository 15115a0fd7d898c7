"""Notification attributes (OMA Core TS 1.2 §5.1.2): their grammar, where they belong, and what contradicts.

Read from ``NAME=VALUE`` and ``NAME`` (which takes the attribute away), written as Uri-Query options.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.path import Path

Number = int | float

PERIODS = frozenset({"pmin", "pmax", "epmin", "epmax"})
THRESHOLDS = frozenset({"gt", "lt"})
STEP = "st"
FLAGS = frozenset({"edge", "con"})
QUEUE = "hqmax"

NAMES = PERIODS | THRESHOLDS | FLAGS | {STEP, QUEUE}
OF_RESOURCES = THRESHOLDS | {STEP, "edge"}
"The others may stand at every level."

_UINT = re.compile(r"[0-9]{1,10}", re.ASCII)
_FLOAT = re.compile(r"[0-9]{1,40}(\.[0-9]{1,40})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Attributes:
    """What a Write-Attributes changes, in the order given."""

    changes: tuple[tuple[str, Number | None], ...]
    "Name and value; None takes it away."

    def queries(self) -> tuple[str, ...]:
        """Uri-Query options."""
        return tuple(
            name if value is None else f"{name}={format_number(value)}" for name, value in self.changes
        )

    def merged(self, known: Mapping[str, Number]) -> dict[str, Number]:
        """What holds afterwards, when *known* held before."""
        values = {**known, **dict(self.changes)}
        return {name: value for name, value in values.items() if value is not None}


def parse_attributes(items: Sequence[str]) -> Attributes:
    """Read ``NAME=VALUE`` and ``NAME``.

    Raises:
        DecodeError: an unknown or repeated name, an ill-formed value, or values that contradict each other.
    """
    changes: dict[str, Number | None] = {}
    for item in items:
        name, sign, text = item.partition("=")
        if name not in NAMES:
            raise DecodeError(f"{name[:32]} is no attribute; there are {', '.join(sorted(NAMES))}")
        if name in changes:
            raise DecodeError(f"{name} stands twice")
        changes[name] = _read_value(name, text) if sign else None
    attributes = Attributes(tuple(changes.items()))
    if (contradiction := find_contradiction(attributes.merged({}))) is not None:
        raise DecodeError(contradiction)
    return attributes


def find_contradiction(values: Mapping[str, Number]) -> str | None:
    """Why *values* cannot hold together, or None; a device answers 4.00 to such a set."""
    if "lt" in values and "gt" in values:
        lt, gt = values["lt"], values["gt"]
        if lt >= gt:
            return f"lt ({format_number(lt)}) has to be less than gt ({format_number(gt)})"
        step = values.get(STEP)
        if step is not None and lt + 2 * step >= gt:
            return f"lt + 2·st ({format_number(lt + 2 * step)}) has to be less than gt ({format_number(gt)})"
    if "epmin" in values and "epmax" in values and values["epmin"] >= values["epmax"]:
        return f"epmin ({values['epmin']}) has to be less than epmax ({values['epmax']})"
    return None


def find_misplaced(attributes: Attributes, path: Path) -> str | None:
    """The first attribute that cannot stand at *path*, or None."""
    if len(path) > 2:
        return None
    return next((name for name, _ in attributes.changes if name in OF_RESOURCES), None)


def format_number(value: Number) -> str:
    """*value* without an exponent, and without a fraction where it has none."""
    if isinstance(value, int):
        return str(value)
    if value.is_integer():
        return str(int(value))
    return format(Decimal(repr(value)), "f")


def _read_value(name: str, text: str) -> Number:
    # The ABNF has no sign, but thresholds below zero are needed.
    digits = text[1:] if name in THRESHOLDS and text.startswith("-") else text
    if name in THRESHOLDS or name == STEP:
        if _FLOAT.fullmatch(digits) is None:
            raise DecodeError(f"{name} is a decimal number, not {text[:32]!r}")
        return float(text)
    if name in FLAGS:
        if text not in ("0", "1"):
            raise DecodeError(f"{name} is 0 or 1, not {text[:32]!r}")
        return int(text)
    if _UINT.fullmatch(digits) is None:
        raise DecodeError(f"{name} is a whole number, not {text[:32]!r}")
    return int(text)
