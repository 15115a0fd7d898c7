"""Discover."""

from __future__ import annotations

from pathlib import Path as File

from tests.support.asking import managed
from tests.support.clock import VirtualClock, virtual_time
from tests.support.gateway import gateway_in_memory


@virtual_time
async def test_depth_says_how_far_discover_goes(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene, "1.2")
        await meter.attach("/3", "pmin=1", "pmax=10")
        await meter.attach("/3/0", "pmax=200")
        shallow = {"/3": {"pmin": "1", "pmax": "10"}, "/3/0": {"pmax": "200"}}
        assert await meter.discover("/3", 1) == shallow
        assert "/3/0/7" in await meter.discover("/3", 2)
        assert "/3/0/7/1" not in await meter.discover("/3", 2)
        assert "/3/0/7/1" in await meter.discover("/3", 3)
