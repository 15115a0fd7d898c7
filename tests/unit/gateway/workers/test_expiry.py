from __future__ import annotations

from unittest.mock import Mock

from gateway.workers.expiry import Expiry


class Clock:
    def monotonic(self) -> float:
        return 12.5


async def test_expiry_tells_the_registry_the_monotonic_time() -> None:
    registry = Mock()
    await Expiry(registry, Clock()).work()
    registry.expire.assert_called_once_with(12.5)
