"""Observe and Notify, with the attributes that say when."""

from __future__ import annotations

import asyncio
from pathlib import Path as File

from gateway.lwm2m.attributes import parse_attributes
from gateway.lwm2m.operations import Observe
from tests.support.asking import Asked, managed, measure
from tests.support.clock import VirtualClock, virtual_time
from tests.support.gateway import gateway_in_memory

VOLTAGE, CURRENT = "/3/0/7", "/3/0/8"


def ages(meter: Asked, begun_at: float, path: str) -> list[int]:
    return [
        round(at - begun_at) for at, values in meter.notified if any(one.startswith(path) for one in values)
    ]


@virtual_time
async def test_two_observations_keep_their_own_periods(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene)
        await meter.attach(VOLTAGE, "pmin=5", "pmax=15")
        await meter.attach(CURRENT, "pmin=10", "pmax=20")
        begun_at = asyncio.get_running_loop().time()
        for path in (VOLTAGE, CURRENT):
            answer, _ = await meter.observe(Observe(meter.paths(path)))
            assert answer.code == "2.05"
        await asyncio.sleep(61)
        assert ages(meter, begun_at, VOLTAGE) == [15, 30, 45, 60]
        assert ages(meter, begun_at, CURRENT) == [20, 40, 60]


@virtual_time
async def test_attributes_of_the_observe_hold_for_it_alone(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene, "1.2")
        await meter.attach(VOLTAGE, "pmax=60")
        begun_at = asyncio.get_running_loop().time()
        attributes = parse_attributes(["pmin=5", "pmax=10"])
        await meter.observe(Observe(meter.paths(VOLTAGE), attributes=attributes))
        await asyncio.sleep(31)
        assert ages(meter, begun_at, VOLTAGE) == [10, 20, 30]


@virtual_time
async def test_instances_are_observed(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player, meter = await managed(scene)
        for path in ("/4/0", "/6/0", "/7/0"):
            await meter.attach(path, "pmin=2", "pmax=10")
            await meter.observe(Observe(meter.paths(path)))
        measure(player, "/4/0/2", -80)
        await asyncio.sleep(3)
        (told,) = meter.notified
        assert told[1]["/4/0/2"] == -80
        await asyncio.sleep(10)
        assert {next(iter(values)).split("/")[1] for _, values in meter.notified} == {"4", "6", "7"}
