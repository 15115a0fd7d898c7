"""Discover and Write-Attributes."""

from __future__ import annotations

from pathlib import Path as File

from gateway.lwm2m.operations import Discover
from gateway.lwm2m.path import parse_path
from tests.support.asking import Asked, managed
from tests.support.clock import VirtualClock, virtual_time
from tests.support.gateway import gateway_in_memory


async def discover(meter: Asked, path: str, depth: int | None = None) -> dict[str, dict[str, str | None]]:
    answer = await meter.ask(Discover(parse_path(path), depth))
    return {link.path: dict(link.attributes) for link in answer.links or ()}


@virtual_time
async def test_attributes_are_shown_where_they_stand_and_inherited_at_the_target(
    clock: VirtualClock, tmp_path: File
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene)
        links = await discover(meter, "/3")
        assert {path: links[path] for path in ("/3/0/6", "/3/0/7", "/3/0/8")} == {
            f"/3/0/{id_}": {"dim": "2"} for id_ in (6, 7, 8)
        }
        await meter.attach("/3", "pmin=10", "pmax=200")
        await meter.attach("/3/0/7", "lt=1", "gt=6", "st=1")
        assert (await discover(meter, "/3"))["/3"] == {"pmin": "10", "pmax": "200"}
        own = {"lt": "1", "gt": "6", "st": "1"}
        inherited = {"pmin": "10", "pmax": "200"}
        assert (await discover(meter, "/3/0/7"))["/3/0/7"] == {"dim": "2", **inherited, **own}


@virtual_time
async def test_lower_levels_go_before_higher_ones(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene)
        await meter.attach("/3", "pmin=10", "pmax=200")
        await meter.attach("/3/0", "pmax=320")
        await meter.attach("/3/0/11/0", "pmax=100", "epmin=1", "epmax=20")
        assert await discover(meter, "/3/0/11") == {
            "/3/0/11": {"dim": "1", "pmin": "10", "pmax": "320"},
            "/3/0/11/0": {"pmax": "100", "epmin": "1", "epmax": "20"},
        }


@virtual_time
async def test_depth_says_how_far_discover_goes(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene, "1.2")
        await meter.attach("/3", "pmin=1", "pmax=10")
        await meter.attach("/3/0", "pmax=200")
        shallow = {"/3": {"pmin": "1", "pmax": "10"}, "/3/0": {"pmax": "200"}}
        assert await discover(meter, "/3", 1) == shallow
        assert "/3/0/7" in await discover(meter, "/3", 2)
        assert "/3/0/7/1" not in await discover(meter, "/3", 2)
        assert "/3/0/7/1" in await discover(meter, "/3", 3)
