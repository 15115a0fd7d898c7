"""The gateway's operations on simulated devices of each version, over plain CoAP and DTLS."""

from __future__ import annotations

import asyncio
from pathlib import Path as File

import pytest

from gateway.lwm2m.arguments import format_arguments
from gateway.lwm2m.formats import Format
from gateway.lwm2m.operations import (
    Cancel,
    Delete,
    Execute,
    Observe,
    Read,
)
from gateway.lwm2m.path import ROOT, parse_path
from registry.model import Security
from tests.support.asking import managed, measure
from tests.support.clock import VirtualClock, virtual_time
from tests.support.gateway import gateway_in_memory
from tools.simulator.events import Rebooted, Registered, Updated
from tools.simulator.network import Impairment

VERSIONS = pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
LOSSY = Impairment(loss=0.2, duplicate=0.2, delay_s=0.02, jitter_s=0.05)


@VERSIONS
@pytest.mark.parametrize("security", [Security.NONE, Security.PSK])
@virtual_time
async def test_what_a_device_has_is_read_written_and_discovered(
    clock: VirtualClock, tmp_path: File, version: str, security: Security
) -> None:
    async with gateway_in_memory(clock, tmp_path, uplink=LOSSY, downlink=LOSSY) as scene:
        player, meter = await managed(scene, version, security)
        assert (await meter.ask(Read(meter.paths("/3/0/0")))).values() == {"/3/0/0": "Nodegate"}
        instance = (await meter.ask(Read(meter.paths("/3/0")))).values()
        assert instance is not None
        assert instance["/3/0/7/1"] == 5000
        assert "/3/0/4" not in instance, "executable"
        assert (await meter.ask(Read(meter.paths("/0/0/1")))).code == "4.01"
        assert (await meter.ask(Read(meter.paths("/9/0")))).code == "4.04"
        written = await meter.ask(meter.write("/3/0/15", "Europe/Vienna"))
        assert written.code == "2.04"
        assert player.device.client.get(parse_path("/3/0/15")) == "Europe/Vienna"
        assert (await meter.ask(meter.write("/3/0", {"14": "+02:00"}, is_partial=True))).code == "2.04"
        links = await meter.discover("/3/0")
        assert links["/3/0/7"] == {"dim": "2"}
        assert player.is_registered()


@virtual_time
async def test_writing_the_lifetime_makes_the_device_update_at_once(
    clock: VirtualClock, tmp_path: File
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player, meter = await managed(scene)
        assert (await meter.ask(meter.write("/1/0/1", 120))).code == "2.04"
        await scene.until(lambda: scene.view("meter-7").registration.lifetime_s == 120, 5)
        assert (await meter.ask(Execute(parse_path("/1/0/8")))).code == "2.04"
        await scene.until(lambda: player.count(Updated) == 2, 5)


@virtual_time
async def test_reboot_ends_with_a_new_registration(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player, meter = await managed(scene, security=Security.PSK)
        arguments = format_arguments(((0, "now"),))
        assert (await meter.ask(Execute(parse_path("/3/0/4"), arguments))).code == "2.04"
        await scene.until(lambda: player.count(Registered) == 2, 30)
        assert player.count(Rebooted) == 1


@virtual_time
async def test_disabled_device_comes_back_after_its_timeout(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player, meter = await managed(scene)
        assert (await meter.ask(meter.write("/1/0/5", 1000))).code == "2.04"
        assert (await meter.ask(Execute(parse_path("/1/0/4")))).code == "2.04"
        await scene.until(lambda: not player.is_registered(), 5)
        gone_at = clock.monotonic()
        await scene.until(player.is_registered, 2000)
        assert 1000 <= clock.monotonic() - gone_at < 1010


@virtual_time
async def test_instances_are_created_and_deleted_and_the_object_list_follows(
    clock: VirtualClock, tmp_path: File
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene)

        def listed() -> list[str]:
            return [link.path for link in scene.view("meter-7").registration.objects.links]

        made = await meter.ask(meter.creating("/16", {"0": {"0": "host", "1": "maker"}}))
        assert (made.code, [link.path for link in made.links or ()]) == ("2.01", ["/16/1"])
        await scene.until(lambda: "/16/1" in listed(), 5)
        assert (await meter.ask(meter.creating("/16/1", {"0": {"0": "again"}}))).code == "4.00"
        assert (await meter.ask(Delete(parse_path("/16/1")))).code == "2.02"
        assert (await meter.ask(Delete(parse_path("/16/0")))).code == "2.02"
        await scene.until(lambda: "/16" in listed(), 5)
        assert (await meter.ask(Delete(parse_path("/3/0")))).code == "4.05"


@VERSIONS
@pytest.mark.parametrize("is_confirmable", [False, True])
@virtual_time
async def test_observed_value_is_told_when_it_changes_until_it_is_cancelled(
    clock: VirtualClock, tmp_path: File, version: str, is_confirmable: bool
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player, meter = await managed(scene, version, is_confirmable=is_confirmable)
        paths = meter.paths("/3303/0/5700")
        answer, token = await meter.observe(Observe(paths))
        assert (answer.values(), answer.error) == ({"/3303/0/5700": 21.5}, None)
        for value in (22.0, 22.0, 23.5):
            measure(player, "/3303/0/5700", value)
            await asyncio.sleep(1)
        assert [values for _, values in meter.notified] == [{"/3303/0/5700": 22.0}, {"/3303/0/5700": 23.5}]
        assert (await meter.ask(Cancel(paths), token)).code == "2.05"
        measure(player, "/3303/0/5700", 30.0)
        await asyncio.sleep(1)
        assert len(meter.notified) == 2


@pytest.mark.parametrize("is_confirmable", [False, True])
@virtual_time
async def test_reset_ends_an_observation(clock: VirtualClock, tmp_path: File, is_confirmable: bool) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player, meter = await managed(scene, is_confirmable=is_confirmable)
        _, token = await meter.observe(Observe(meter.paths("/3303/0/5700")))
        meter.forget(token)
        measure(player, "/3303/0/5700", 30.0)
        await asyncio.sleep(1)
        assert len(player.device.client.observations) == 0


@virtual_time
async def test_periods_that_are_written_hold(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player, meter = await managed(scene)
        await meter.attach("/3303/0/5700", "pmin=10", "pmax=60")
        await meter.observe(Observe(meter.paths("/3303/0/5700")))
        begun_at = asyncio.get_running_loop().time()
        measure(player, "/3303/0/5700", 25.0)
        await asyncio.sleep(200)
        ages = [round(at - begun_at) for at, _ in meter.notified]
        assert ages == [10, 70, 130, 190]
        assert await meter.discover("/3303/0/5700") == {"/3303/0/5700": {"pmin": "10", "pmax": "60"}}


@pytest.mark.parametrize("format_", [Format.SENML_CBOR, Format.SENML_JSON])
@virtual_time
async def test_composites_are_read_written_and_observed(
    clock: VirtualClock, tmp_path: File, format_: Format
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player, meter = await managed(scene, "1.2")
        paths = meter.paths("/3/0/0", "/3303/0/5700", "/3442/0")
        answer = await meter.ask(Read(paths, format_))
        assert answer.values() == {"/3/0/0": "Nodegate", "/3303/0/5700": 21.5}
        everything = (await meter.ask(Read((ROOT,), format_))).values()
        assert everything is not None
        assert "/1/0/1" in everything
        assert not any(path.startswith("/0/") for path in everything)
        written = await meter.ask(meter.write_all({"/1/0/6": False, "/16/0/0/1": "maker"}))
        assert written.code == "2.04"
        forbidden = await meter.ask(meter.write_all({"/1/0/6": True, "/16/9/0/1": "maker"}))
        assert forbidden.code == "4.04"
        assert player.device.client.get(parse_path("/1/0/6")) is False
        _, token = await meter.observe(Observe(paths, format_))
        measure(player, "/3303/0/5700", 30.0)
        await asyncio.sleep(1)
        assert [values for _, values in meter.notified] == [{"/3/0/0": "Nodegate", "/3303/0/5700": 30.0}]
        assert (await meter.ask(Cancel(paths, format_), token)).code == "2.05"


@virtual_time
async def test_long_bodies_go_block_by_block_both_ways(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path, uplink=LOSSY, downlink=LOSSY) as scene:
        player, meter = await managed(scene, "1.1")
        long = "x" * 5000
        assert (await meter.ask(meter.write("/16/0/0", {"0": long}))).code == "2.04"
        assert player.device.client.get(parse_path("/16/0/0/0")) == long
        assert (await meter.ask(Read(meter.paths("/16/0")))).values() == {"/16/0/0/0": long}
