"""`python -m tests.interop.matrix`: run the matrix, print its table; with ``--write`` also into the docs."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import defaultdict
from pathlib import Path

import pytest

from gateway.dtls.suites import SUITES
from tests.interop.matrix.row import Row
from tests.interop.matrix.run import rows, run
from tests.interop.matrix.stacks import Stack

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "conformance.md"
BEGIN, END = "<!-- matrix: begin -->\n", "<!-- matrix: end -->\n"

Passed = dict[tuple[str, int], list[Row]]


def main(arguments: list[str] | None = None) -> int:
    """Exit status 1 when a row failed."""
    parser = argparse.ArgumentParser(prog="python -m tests.interop.matrix", description=__doc__)
    parser.add_argument("--stack", default="", help="only those with this in their name")
    parser.add_argument("--write", action="store_true", help=f"put the table into {DOCUMENT.name}")
    options = parser.parse_args(arguments)
    passed: Passed = defaultdict(list)
    failed = 0
    for stack, row in rows():
        if options.stack.lower() not in stack.name.lower():
            continue
        what = _try(stack, row)
        print(f"{stack.name}: {row.name}: {what or 'passed'}", file=sys.stderr)
        if not what:
            passed[stack.name, row.suite].append(row)
        failed += what.startswith("FAILED")
    table = _table(passed)
    print(table)
    if options.write:
        text = DOCUMENT.read_text("utf-8")
        head, rest = text.split(BEGIN)
        DOCUMENT.write_text(head + BEGIN + table + END + rest.split(END)[1], "utf-8")
    return int(failed > 0)


def _try(stack: Stack, row: Row) -> str:
    """Run one row; gives what was wrong, or nothing."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            run(stack, row, Path(folder))
        except pytest.skip.Exception as reason:
            return f"skipped: {reason}"
        except AssertionError as error:
            return f"FAILED: {error}"
    return ""


def _table(passed: Passed) -> str:
    lines = ["| client | suite | passed with |", "|---|---|---|"]
    for (stack, suite), done in passed.items():
        ways = "; ".join(row.name.removeprefix(f"{SUITES[suite].name}, ") for row in done)
        lines.append(f"| {stack} | `{SUITES[suite].name}` | {ways} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
