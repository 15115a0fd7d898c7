"""Send: values that devices report by themselves are kept once, and answered when they are."""

from __future__ import annotations

import asyncio
from pathlib import Path as File

import pytest

from gateway.lwm2m.formats import Format
from gateway.lwm2m.path import parse_path
from registry.model import Origin, Security
from tests.support.clock import VirtualClock, virtual_time
from tests.support.gateway import Player, Scene, gateway_in_memory
from tests.support.handmade import HandMade, content_format
from tools.simulator.client.contents import factory_contents
from tools.simulator.events import Sent
from tools.simulator.network import Impairment

LOSSY = Impairment(loss=0.3, delay_s=0.02, jitter_s=0.03)
DOUBLING = Impairment(duplicate=0.5, delay_s=0.02, jitter_s=0.05)
SENSOR = parse_path("/3303/0/5700")
FORMATS = [Format.SENML_JSON, Format.SENML_CBOR, Format.LWM2M_CBOR]


async def begin(scene: Scene, security: Security = Security.NONE) -> Player:
    contents = factory_contents("1.2", 300)
    player = await scene.play("meter-7", security, lwm2m="1.2", contents=contents).registered()
    # No Send before the server allows it (Mute Send).
    player.device.client.set(parse_path("/1/0/23"), False, asyncio.get_running_loop().time())
    return player


def report(player: Player, value: float, format_: Format = Format.SENML_CBOR) -> None:
    now = asyncio.get_running_loop().time()
    player.device.set_value(SENSOR, value, now)
    assert player.device.send((SENSOR,), now, format_)
    player.driver.settle()


def kept(scene: Scene) -> list[object]:
    rows = scene.administration.values("meter-7", "/3303", with_history=True)
    assert all(row.origin is Origin.SEND for row in rows)
    return [row.value for row in rows]


@pytest.mark.parametrize("impairment", [LOSSY, DOUBLING], ids=["lossy", "doubling"])
@pytest.mark.parametrize("security", [Security.NONE, Security.PSK])
@virtual_time
async def test_each_send_is_kept_once_over_a_bad_network(
    clock: VirtualClock, tmp_path: File, security: Security, impairment: Impairment
) -> None:
    async with gateway_in_memory(clock, tmp_path, uplink=impairment, downlink=impairment) as scene:
        player = await begin(scene, security)
        values = [20.5 + number for number in range(12)]
        for number, value in enumerate(values):
            report(player, value, FORMATS[number % 3])
            await asyncio.sleep(120)
        found = kept(scene)
        assert found == [value for value in values if value in found], "in order, and none twice"
        # One in thirty is lost for good at 30 % loss, and of others only the answer.
        assert player.count(Sent) >= 9
        assert len(found) >= player.count(Sent)
        latest = scene.administration.values("meter-7", "/3303")
        assert [(row.path, row.value) for row in latest] == [("/3303/0/5700", found[-1])]
        assert len(scene.facts("values_reported")) == len(found), "one event for each message"


@virtual_time
async def test_values_survive_a_restart_of_the_gateway(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await begin(scene)
        report(player, 20.5)
        await scene.until(lambda: player.count(Sent) == 1)
        network = scene.network
    async with gateway_in_memory(clock, tmp_path, network=network) as scene:
        report(player, 21.5)
        await scene.until(lambda: player.count(Sent) == 2)
        assert kept(scene) == [20.5, 21.5]


@virtual_time
async def test_values_go_with_their_device(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await begin(scene)
        report(player, 20.5)
        await scene.until(lambda: player.count(Sent) == 1)
        scene.administration.delete("meter-7")
        scene.administration.create("meter-7", Security.NONE)
        assert kept(scene) == []


@virtual_time
async def test_send_of_an_object_that_was_not_registered_keeps_nothing(
    clock: VirtualClock, tmp_path: File
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        scene.administration.create("meter-7", Security.NONE)
        await scene.registry.poll_changes()
        device = await HandMade.registered(scene)
        payload = b'[{"n":"/3303/0/5700","v":21.5},{"n":"/9/0/6","v":80}]'
        answer = await device.post("dp", content_format(Format.SENML_JSON.number), payload)
        assert answer.code.dotted == "4.04"
        assert scene.administration.values("meter-7") == []
        assert scene.facts("values_reported") == []
