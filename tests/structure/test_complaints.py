"""docs/conformance.md names a test that exists for each complaint and each bad input of device management."""

from __future__ import annotations

import pytest

from tests.support.conformance import cells, is_test

COMPLAINTS = "### What users of other servers complain about"
BAD_INPUT = "### Bad input when devices are managed"


def named(heading: str) -> list[tuple[str, str]]:
    """What is tried, and each test that tries it."""
    found = [row for row in cells(heading) if "::" in row[-1]]
    return [(row[0], test.strip("` ")) for row in found for test in row[-1].split(",")]


@pytest.mark.parametrize(
    ("what", "test"), [*named(COMPLAINTS), *named(BAD_INPUT)], ids=lambda value: value.rpartition("::")[2]
)
def test_named_test_exists(what: str, test: str) -> None:
    assert is_test(test), what


@pytest.mark.parametrize(("heading", "columns"), [(COMPLAINTS, 2), (BAD_INPUT, 3)])
def test_no_row_lacks_its_test(heading: str, columns: int) -> None:
    rows = cells(heading)[2:]
    assert rows
    assert all(len(row) == columns and all(row) and "::" in row[-1] for row in rows)
