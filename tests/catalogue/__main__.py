"""`python -m tests.catalogue`: run the negative catalogue and write its table into ``docs/security.md``."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.support.catalogue import (
    BEGIN,
    CASES,
    DOCUMENT,
    END,
    NOT_BUILT,
    THEMES,
    case_of,
    catalogue_tests,
    where,
)
from tests.support.sources import ROOT


class Results:
    """A plugin of pytest that counts outcomes by case."""

    def __init__(self) -> None:
        self.outcomes: dict[str, Counter[str]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        case = case_of(report.nodeid.rpartition("::")[2])
        if case and (report.when == "call" or report.outcome != "passed"):
            self.outcomes.setdefault(case, Counter())[report.outcome] += 1

    def of(self, case: str) -> str:
        """For the table."""
        if case in NOT_BUILT:
            return f"waits for {NOT_BUILT[case]}"
        return ", ".join(f"{count} {outcome}" for outcome, count in sorted(self.outcomes[case].items()))


def main() -> int:
    """Exit status as pytest's."""
    results = Results()
    files = sorted({test.partition(":")[0] for tests in catalogue_tests().values() for test in tests})
    names = " or ".join(f"test_{case}_" for case in CASES)
    arguments = ["-q", "-p", "no:randomly", "-k", names, *(str(ROOT / file) for file in files)]
    status = pytest.main(arguments, plugins=[results])
    text = DOCUMENT.read_text("utf-8")
    head, rest = text.split(BEGIN)
    DOCUMENT.write_text(head + BEGIN + table(results) + END + rest.split(END)[1], "utf-8")
    return int(status)


def table(results: Results) -> str:
    """All cases, by theme."""
    lines = ["| case | what | tests | result |", "|---|---|---|---|"]
    for case, words in CASES.items():
        if case[1:] == "1":
            lines.append(f"| **{case[0]}** | **{THEMES[case[0]]}** | | |")
        lines.append(f"| {case} | {words} | {where(case)} | {results.of(case)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    raise SystemExit(main())
