from __future__ import annotations

from unittest.mock import AsyncMock

from gateway.workers.snapshots import Snapshots


async def test_leases_are_written() -> None:
    registry = AsyncMock()
    await Snapshots(registry).work()
    registry.snapshot.assert_awaited_once_with()
