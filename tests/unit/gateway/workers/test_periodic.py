from __future__ import annotations

import asyncio

import pytest
import structlog

from gateway.workers.periodic import PeriodicWorker
from registry.errors import DatabaseUnusable, KeyUnusable, StorageUnavailable


class Bug(Exception):
    """Something that no worker expects."""


class Scripted(PeriodicWorker):
    """Meets the outcomes given, then a bug."""

    def __init__(self, *outcomes: Exception | None, interval_s: float = 0) -> None:
        super().__init__(interval_s)
        self.outcomes = [*outcomes, Bug()]

    async def work(self) -> None:
        outcome = self.outcomes.pop(0)
        if outcome is not None:
            raise outcome


async def test_failing_disk_is_waited_out_and_told_once() -> None:
    fault = StorageUnavailable("why")
    worker = Scripted(None, fault, fault, None, None)
    with structlog.testing.capture_logs() as lines, pytest.raises(Bug):
        await worker.run()
    assert worker.outcomes == []
    assert [(line["log_level"], line["worker"], line.get("reason")) for line in lines] == [
        ("error", "Scripted", "why"),
        ("info", "Scripted", None),
    ]


async def test_another_fault_is_told_too() -> None:
    worker = Scripted(StorageUnavailable("disk full"), StorageUnavailable("locked"))
    with structlog.testing.capture_logs() as lines, pytest.raises(Bug):
        await worker.run()
    assert [line["reason"] for line in lines] == ["disk full", "locked"]


@pytest.mark.parametrize("fault", [Bug("why"), DatabaseUnusable("why"), KeyUnusable("why")])
async def test_other_errors_end_the_worker_with_their_reason(fault: Exception) -> None:
    with pytest.raises(type(fault), match="why"):
        await Scripted(fault).run()


async def test_worker_waits_its_interval_before_it_works() -> None:
    worker = Scripted(interval_s=3600)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await worker.run()
    assert len(worker.outcomes) == 1
