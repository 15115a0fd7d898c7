"""Observe-Composite, and its Cancel."""

from __future__ import annotations

import asyncio
from pathlib import Path as File

from gateway.lwm2m.operations import Cancel, Delete, Observe
from gateway.lwm2m.path import parse_path
from tests.support.asking import managed
from tests.support.clock import VirtualClock, virtual_time
from tests.support.gateway import gateway_in_memory


@virtual_time
async def test_composite_notification_has_all_values_in_the_periods_of_its_paths(
    clock: VirtualClock, tmp_path: File
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene)
        await meter.attach("/1/0/1", "pmin=30", "pmax=45")
        paths = meter.paths("/1/0/1", "/3/0/11/0", "/3/0/16")
        begun_at = asyncio.get_running_loop().time()
        _, token = await meter.observe(Observe(paths))
        await asyncio.sleep(100)
        assert [round(at - begun_at) for at, _ in meter.notified] == [45, 90]
        assert meter.notified[0][1] == {"/1/0/1": 300, "/3/0/11/0": 0, "/3/0/16": "U"}
        assert (await meter.ask(Cancel(paths), token)).code == "2.05"
        await asyncio.sleep(100)
        assert len(meter.notified) == 2


@virtual_time
async def test_instances_that_come_and_go_are_seen(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene)
        await meter.attach("/16", "pmin=30", "pmax=45")
        await meter.observe(Observe(meter.paths("/16/0", "/16/1")))
        assert (await meter.ask(meter.creating("/16/1", {"0": {"0": "new"}}))).code == "2.01"
        await scene.until(lambda: meter.notified, 46)
        assert meter.notified[-1][1]["/16/1/0/0"] == "new"
        assert (await meter.ask(Delete(parse_path("/16/1")))).code == "2.02"
        await scene.until(lambda: len(meter.notified) == 2, 46)
        assert "/16/1/0/0" not in meter.notified[-1][1]


@virtual_time
async def test_composite_of_levels_follows_the_shortest_pmax(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene)
        await meter.observe(Observe(meter.paths("/1/0/3", "/3/0")))
        await meter.attach("/3", "pmax=5")
        await asyncio.sleep(26)
        assert len(meter.notified) == 5
