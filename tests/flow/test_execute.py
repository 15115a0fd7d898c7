"""Execute: what a device does, and what it then tells the registry."""

from __future__ import annotations

from pathlib import Path as File

from gateway.lwm2m.operations import Execute
from gateway.lwm2m.path import parse_path
from registry.model import DeviceState
from tests.support.asking import Asked, managed, measure
from tests.support.clock import VirtualClock, virtual_time
from tests.support.gateway import gateway_in_memory
from tools.simulator.events import Rebooted, Registered, Updated


async def execute(meter: Asked, path: str) -> str:
    return (await meter.ask(Execute(parse_path(path)))).code


@virtual_time
async def test_reboot_ends_with_a_new_registration_in_place_of_the_old(
    clock: VirtualClock, tmp_path: File
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player, meter = await managed(scene)
        before = player.location
        assert await execute(meter, "/3/0/4") == "2.04"
        await scene.until(lambda: player.count(Registered) == 2, 60)
        assert player.count(Rebooted) == 1
        assert player.location != before
        assert scene.registry.registration_count == 1


@virtual_time
async def test_disable_ends_the_registration_until_the_device_returns(
    clock: VirtualClock, tmp_path: File
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player, meter = await managed(scene)
        assert (await meter.ask(meter.write("/1/0/5", 600))).code == "2.04"
        assert await execute(meter, "/1/0/4") == "2.04"
        await scene.until(lambda: scene.state("meter-7") is DeviceState.OFFLINE, 10)
        assert len(scene.facts("deregistered")) == 1
        await scene.until(player.is_registered, 700)


@virtual_time
async def test_triggered_update_keeps_the_registration(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player, meter = await managed(scene, lifetime_s=60)
        assert await execute(meter, "/1/0/8") == "2.04"
        await scene.until(lambda: player.count(Updated) == 1, 5)
        await scene.until(lambda: player.count(Updated) >= 4, 200)
        assert player.count(Registered) == 1


@virtual_time
async def test_counters_start_anew(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player, meter = await managed(scene)
        measure(player, "/7/0/2", 17)
        assert await execute(meter, "/7/0/6") == "2.04"
        assert await meter.read("/7/0/2") == {"/7/0/2": 0}
        assert await execute(meter, "/7/0/7") == "2.04"
