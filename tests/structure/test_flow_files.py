"""Whoever looks for an operation of LwM2M finds its flow tests under its name."""

from __future__ import annotations

import pytest

from tests.support.sources import ROOT

OPERATIONS = (
    *("register", "update", "deregister"),
    *("read", "discover", "write", "write_attributes", "execute", "create", "delete"),
    *("read_composite", "write_composite"),
    *("observe", "observe_composite", "cancel", "send"),
)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_operation_has_a_file_of_its_own(operation: str) -> None:
    assert "async def test_" in (ROOT / "tests" / "flow" / f"test_{operation}.py").read_text()
