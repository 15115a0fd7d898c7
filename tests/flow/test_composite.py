"""Read-Composite, Write-Composite, Observe-Composite and its Cancel."""

from __future__ import annotations

import asyncio
from pathlib import Path as File

import pytest

from gateway.lwm2m.formats import Format
from gateway.lwm2m.operations import Cancel, Delete, Observe
from gateway.lwm2m.path import parse_path
from tests.support.asking import managed
from tests.support.clock import VirtualClock, virtual_time
from tests.support.gateway import gateway_in_memory

FORMATS = pytest.mark.parametrize("format_", [Format.SENML_JSON, Format.SENML_CBOR])


@FORMATS
@virtual_time
async def test_exactly_the_paths_are_read(clock: VirtualClock, tmp_path: File, format_: Format) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene)
        values = await meter.read("/3/0/16", "/3/0/11/0", "/1/0", format_=format_)
        assert (values["/3/0/16"], values["/3/0/11/0"], values["/1/0/1"]) == ("U", 0, 300)
        assert {path[:5] for path in values} <= {"/3/0/", "/1/0/"}


@FORMATS
@virtual_time
async def test_what_is_not_there_or_not_readable_is_left_out(
    clock: VirtualClock, tmp_path: File, format_: Format
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene)
        values = await meter.read(
            "/1/0/1", "/1/0/7", "/1/0/8", "/3339/0/5522", "/3353/0/6030", format_=format_
        )
        assert values == {"/1/0/1": 300, "/1/0/7": "U"}


@FORMATS
@virtual_time
async def test_root_is_all_that_a_server_may_read(
    clock: VirtualClock, tmp_path: File, format_: Format
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene)
        objects = {path.split("/")[1] for path in await meter.read("/", format_=format_)}
        assert objects == {"1", "3", "4", "5", "6", "7", "16", "3303"}


@virtual_time
async def test_values_of_several_objects_are_written_at_once(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene)
        values: dict[str, object] = {"/1/0/1": 61, "/1/0/6": True, "/16/0/0/0": "aa", "/16/0/0/1": "bb"}
        values |= {"/1/0/2": 101, "/3/0/13": 0}
        assert (await meter.ask(meter.write_all(values))).code == "2.04"
        assert await meter.read(*values) == values


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
