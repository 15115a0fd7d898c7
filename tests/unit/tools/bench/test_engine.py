"""`tools.bench.engine`: it runs, and measures what it says."""

from __future__ import annotations

import pytest

from tools.bench.engine import SUITE_NUMBERS, measure_memory, measure_records


@pytest.mark.parametrize("cid", [b"", None], ids=["cid", "address"])
@pytest.mark.parametrize("suite", SUITE_NUMBERS)
def test_records_cost_something_each_way(suite: int, cid: bytes | None) -> None:
    costs = measure_records(suite, 1, cid)
    assert costs.in_us > costs.bare_us >= 0
    assert costs.out_us > 0


@pytest.mark.parametrize("is_persisting", [False, True])
def test_memory_of_a_session_is_measured_to_the_end(is_persisting: bool) -> None:
    assert measure_memory(3, is_persisting=is_persisting) >= 0
