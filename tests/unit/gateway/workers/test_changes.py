from __future__ import annotations

from unittest.mock import AsyncMock

from gateway.workers.changes import Changes


async def test_changes_from_outside_are_polled() -> None:
    registry = AsyncMock()
    await Changes(registry).work()
    registry.poll_changes.assert_awaited_once_with()
