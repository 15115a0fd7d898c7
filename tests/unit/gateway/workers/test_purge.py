from __future__ import annotations

from unittest.mock import AsyncMock, Mock

from gateway.workers.purge import Claims, EventRetention


class Clock:
    def monotonic(self) -> float:
        return 12.5


async def test_claims_are_purged_by_the_monotonic_time() -> None:
    registry = Mock()
    await Claims(registry, Clock()).work()
    registry.purge_claims.assert_called_once_with(12.5)


async def test_old_events_are_pruned() -> None:
    registry = AsyncMock()
    await EventRetention(registry).work()
    registry.prune_events.assert_awaited_once_with()
