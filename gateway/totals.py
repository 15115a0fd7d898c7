"""What the gateway has counted since its start, gathered from the parts that count."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Protocol


class Counters(Protocol):
    """Running totals of one part."""

    def as_dict(self) -> Mapping[str, int]:
        """Name → total."""


def gather(parts: Mapping[str, Counters]) -> dict[str, int]:
    """``part.name`` → total, without those that are 0: what never happened is no news."""
    return dict(_happened(parts))


def _happened(parts: Mapping[str, Counters]) -> Iterator[tuple[str, int]]:
    for part, counters in parts.items():
        for name, total in counters.as_dict().items():
            if total:
                yield f"{part}.{name}", total
