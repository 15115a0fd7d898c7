"""Delete."""

from __future__ import annotations

from pathlib import Path as File

from gateway.lwm2m.operations import Delete
from gateway.lwm2m.path import parse_path
from tests.support.asking import managed
from tests.support.clock import VirtualClock, virtual_time
from tests.support.gateway import gateway_in_memory


@virtual_time
async def test_object_stays_when_its_instances_are_deleted(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene)
        assert (await meter.ask(Delete(parse_path("/16/0")))).code == "2.02"
        assert list(await meter.discover("/16")) == ["/16"]


@virtual_time
async def test_device_object_is_not_deleted(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene)
        assert (await meter.ask(Delete(parse_path("/3/0")))).code == "4.05"
