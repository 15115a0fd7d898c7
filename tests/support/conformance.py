"""The tables of ``docs/conformance.md``, read for the tests that hold them against the code."""

from __future__ import annotations

import ast
from functools import cache
from typing import NamedTuple

from tests.support.sources import ROOT

DOCUMENT = ROOT / "docs" / "conformance.md"


class Row(NamedTuple):
    """One line of the table."""

    case: str
    answer: str
    "``4.00``, or ``5.03, Max-Age 5``."

    reason: str
    "Name of a `RefusalReason` or `Fault`."


def section(heading: str) -> str:
    """What stands below *heading*, as far as the next one of its level or above."""
    level = heading.partition(" ")[0]
    text = DOCUMENT.read_text(encoding="utf-8").split(f"\n{heading}\n")[1]
    for end in range(len(level), 1, -1):
        text = text.split(f"\n{'#' * end} ")[0]
    return text


def cells(heading: str) -> list[list[str]]:
    """The rows of all tables below *heading*, their headings and rules included."""
    lines = [line for line in section(heading).splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def rows() -> list[Row]:
    """Every row whose last column is a reason, from all tables of the section on bad input."""
    found = cells("## Answer to every bad input")
    return [Row(*row) for row in found if len(row) == 3 and row[2].isupper()]


def message_rows() -> list[tuple[str, str]]:
    """``(case, answer)`` from the table of the section on messages that are no good requests."""
    found = cells("## Messages that are no good requests")
    return [(row[0], row[1]) for row in found if len(row) == 3 and row[0] not in {"datagram", "---"}]


def is_test(name: str) -> bool:
    """Whether *name*, like ``tests/flow/test_read.py::test_it``, is a test that is there."""
    file, _, function = name.partition("::")
    return function.startswith("test_") and function in _functions(file)


@cache
def _functions(file: str) -> frozenset[str]:
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    return frozenset(
        node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )
