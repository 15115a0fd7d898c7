"""Suites × authentication × connection IDs × resumption × fragmentation, pairwise, with each stack."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.interop.matrix import run
from tests.interop.matrix.row import Row
from tests.interop.matrix.stacks import Stack

pytestmark = pytest.mark.interop


@pytest.mark.parametrize(
    ("stack", "row"), [pytest.param(*each, id=f"{each[0].name}: {each[1].name}") for each in run.rows()]
)
def test_exchange_of_the_matrix(stack: Stack, row: Row, tmp_path: Path) -> None:
    run.run(stack, row, tmp_path)
