"""Write-Attributes, as Discover shows them."""

from __future__ import annotations

from pathlib import Path as File

from tests.support.asking import managed
from tests.support.clock import VirtualClock, virtual_time
from tests.support.gateway import gateway_in_memory


@virtual_time
async def test_attributes_are_shown_where_they_stand_and_inherited_at_the_target(
    clock: VirtualClock, tmp_path: File
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene)
        links = await meter.discover("/3")
        assert {path: links[path] for path in ("/3/0/6", "/3/0/7", "/3/0/8")} == {
            f"/3/0/{id_}": {"dim": "2"} for id_ in (6, 7, 8)
        }
        await meter.attach("/3", "pmin=10", "pmax=200")
        await meter.attach("/3/0/7", "lt=1", "gt=6", "st=1")
        assert (await meter.discover("/3"))["/3"] == {"pmin": "10", "pmax": "200"}
        own = {"lt": "1", "gt": "6", "st": "1"}
        inherited = {"pmin": "10", "pmax": "200"}
        assert (await meter.discover("/3/0/7"))["/3/0/7"] == {"dim": "2", **inherited, **own}


@virtual_time
async def test_lower_levels_go_before_higher_ones(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene)
        await meter.attach("/3", "pmin=10", "pmax=200")
        await meter.attach("/3/0", "pmax=320")
        await meter.attach("/3/0/11/0", "pmax=100", "epmin=1", "epmax=20")
        assert await meter.discover("/3/0/11") == {
            "/3/0/11": {"dim": "1", "pmin": "10", "pmax": "320"},
            "/3/0/11/0": {"pmax": "100", "epmin": "1", "epmax": "20"},
        }
