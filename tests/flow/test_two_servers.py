"""A device with accounts at two servers: to each it is a device of its own."""

from __future__ import annotations

import asyncio
from pathlib import Path as File

from gateway.lwm2m.operations import Observe
from registry.model import DeviceState, Security
from tests.support.asking import managed
from tests.support.clock import VirtualClock, virtual_time
from tests.support.gateway import gateway_in_memory

VOLTAGE = "/3/0/7"


@virtual_time
async def test_each_server_has_its_own_registration_attributes_and_observations(
    clock: VirtualClock, tmp_path: File
) -> None:
    folders = [tmp_path / "one", tmp_path / "other"]
    for folder in folders:
        folder.mkdir()
    async with (
        gateway_in_memory(clock, folders[0]) as one,
        gateway_in_memory(clock, folders[1]) as other,
    ):
        _, here = await managed(one, security=Security.PSK)
        _, there = await managed(other)
        assert (one.state("meter-7"), other.state("meter-7")) == (DeviceState.ONLINE, DeviceState.ONLINE)
        await here.attach(VOLTAGE, "pmin=5", "pmax=10")
        await here.observe(Observe(here.paths(VOLTAGE)))
        await asyncio.sleep(31)
        assert (len(here.notified), there.notified) == (3, [])
        assert (await here.discover(VOLTAGE))[VOLTAGE] == {"dim": "2", "pmin": "5", "pmax": "10"}
        assert (await there.discover(VOLTAGE))[VOLTAGE] == {"dim": "2"}
