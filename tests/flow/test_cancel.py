"""The end of an observation: Cancel, and Reset."""

from __future__ import annotations

import asyncio
from pathlib import Path as File

from gateway.lwm2m.operations import Cancel, Observe
from tests.support.asking import managed
from tests.support.clock import VirtualClock, virtual_time
from tests.support.gateway import gateway_in_memory

VOLTAGE, CURRENT = "/3/0/7", "/3/0/8"


@virtual_time
async def test_reset_stops_each_observation(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player, meter = await managed(scene)
        tokens = []
        for path in (VOLTAGE, CURRENT):
            await meter.attach(path, "pmax=15")
            tokens.append((await meter.observe(Observe(meter.paths(path))))[1])
        for token in tokens:
            meter.forget(token)
        await asyncio.sleep(40)
        assert not meter.notified
        assert len(player.device.client.observations) == 0


@virtual_time
async def test_cancel_stops_the_observation(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene)
        await meter.attach(VOLTAGE, "pmax=15")
        _, token = await meter.observe(Observe(meter.paths(VOLTAGE)))
        assert (await meter.ask(Cancel(meter.paths(VOLTAGE)), token)).code == "2.05"
        await asyncio.sleep(40)
        assert not meter.notified
