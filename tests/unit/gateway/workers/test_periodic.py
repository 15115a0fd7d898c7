from __future__ import annotations

import asyncio

import pytest
import structlog

from gateway.workers.periodic import PeriodicWorker
from registry.errors import DatabaseUnusable, RegistryError, StorageUnavailable


class Scripted(PeriodicWorker):
    """Meets the outcomes given, then ends itself."""

    def __init__(self, *outcomes: RegistryError | None, interval_s: float = 0) -> None:
        super().__init__(interval_s)
        self.outcomes = [*outcomes, DatabaseUnusable("end of the script")]

    async def work(self) -> None:
        outcome = self.outcomes.pop(0)
        if outcome is not None:
            raise outcome


async def test_failing_disk_is_waited_out_and_told_once() -> None:
    full = StorageUnavailable("disk full")
    worker = Scripted(None, full, full, None, None)
    with structlog.testing.capture_logs() as lines, pytest.raises(DatabaseUnusable):
        await worker.run()
    assert worker.outcomes == []
    assert [(line["log_level"], line["worker"]) for line in lines] == [
        ("error", "Scripted"),
        ("info", "Scripted"),
    ]
    assert lines[0]["reason"] == "disk full"


async def test_other_errors_end_the_worker_with_their_reason() -> None:
    with pytest.raises(DatabaseUnusable, match="end of the script"):
        await Scripted().run()


async def test_worker_waits_its_interval_before_it_works() -> None:
    worker = Scripted(interval_s=3600)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await worker.run()
    assert len(worker.outcomes) == 1
