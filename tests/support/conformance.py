"""The table of bad inputs in ``docs/conformance.md``, read for the tests that hold it against the code."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "conformance.md"


class Row(NamedTuple):
    """One line of the table."""

    case: str
    answer: str
    "``4.00``, or ``5.03, Max-Age 5``."

    reason: str
    "Name of a `RefusalReason` or `Fault`."


def rows() -> list[Row]:
    """Every row whose last column is a reason, from all tables of the section on bad input."""
    text = DOCUMENT.read_text(encoding="utf-8")
    section = text.split("\n## Answer to every bad input\n")[1].split("\n## ")[0]
    found = []
    for line in section.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("|") and len(cells) == 3 and cells[2].isupper():
            found.append(Row(*cells))
    return found


def message_rows() -> list[tuple[str, str]]:
    """``(case, answer)`` from the table of the section on messages that are no good requests."""
    text = DOCUMENT.read_text(encoding="utf-8")
    section = text.split("\n## Messages that are no good requests\n")[1].split("\n## ")[0]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines()]
    return [(row[0], row[1]) for row in cells if len(row) == 3 and row[0] not in {"datagram", "---"}]
