"""docs/conformance.md has every case of the ETS, with a test that exists or the reason why there is none."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import pytest

from tests.support.conformance import cells, is_test

CASES = (
    *range(13), 19,
    *range(101, 112),
    201, 203, 204, 205, 211, 212, 215, *range(220, 238), 241, 256, 257, 260, 261, 264, 266, 280, 281,
    *range(301, 314),
    *range(401, 407),
    651, 652, 680, 685, 701, 710, 751, 755, 756, 760, *range(770, 780), 801, 810, 901, 905, 910, 950, 951,
    *range(1200, 1205), 1250, 1350, 1630, 1635, 1900, 1901, 2000, 2001,
)  # fmt: skip
"Those with a procedure."

RESULTS = {"passes", "client", "choice"}
LATER = {"bootstrap", "EST", "OSCORE", "TCP"}
NO_TEST = "—"


class Row(NamedTuple):
    case: int
    what: str
    test: str
    result: str


def rows() -> list[Row]:
    found = cells("## Interoperability cases of OMA (ETS)")
    return [Row(int(row[0]), row[1], row[2].strip("`"), row[3]) for row in found if row[0].isdigit()]


def test_every_case_is_listed_once() -> None:
    counted = Counter(row.case for row in rows())
    assert set(counted) == set(CASES)
    assert set(counted.values()) == {1}


@pytest.mark.parametrize("row", rows(), ids=lambda row: str(row.case))
def test_case_has_a_test_that_exists_or_a_reason(row: Row) -> None:
    if row.result.startswith("later: "):
        assert row.result.removeprefix("later: ") in LATER
        assert row.test == NO_TEST
        return
    assert row.result in RESULTS
    if row.result == "client":
        assert row.test == NO_TEST
        return
    assert is_test(row.test)
