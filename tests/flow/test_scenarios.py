"""Scenarios against a whole gateway, in virtual time."""

from __future__ import annotations

import asyncio
from pathlib import Path as File

from gateway.lwm2m.operations import Observe, Read
from registry.model import Security
from tests.support.asking import Asked
from tests.support.clock import VirtualClock, virtual_time
from tests.support.gateway import Player, Scene, gateway_in_memory
from tools.simulator.client.contents import factory_contents
from tools.simulator.events import AttemptFailed, Registered, Sent, Updated
from tools.simulator.scenario import parse_scenario


def play(scene: Scene, text: str, security: Security = Security.NONE, **settings: object) -> Player:
    scenario = parse_scenario(text, factory_contents("1.1", 600))
    return scene.play(
        "meter-7", security, contents=scenario.contents, steps=scenario.steps, lifetime_s=600, **settings
    )


@virtual_time
async def test_observed_value_wanders_and_is_sent(clock: VirtualClock, tmp_path: File) -> None:
    text = """
        [[step]]
        every_s = 60
        walk = { path = "/3303/0/5700", by = 0.5, low = 10, high = 35 }
        [[step]]
        every_s = 100
        times = 2
        send = ["/3303/0"]
    """
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = play(scene, text)
        meter = await Asked.of(scene, "meter-7")
        await meter.observe(Observe(meter.paths("/3303/0/5700")))
        await asyncio.sleep(610)
        assert len(meter.notified) == 10
        assert player.count(Sent) == 2
        assert player.count(AttemptFailed) == 0
        assert len(scene.facts("values_reported")) >= 2


@virtual_time
async def test_device_comes_back_from_silence_loss_and_reboot(clock: VirtualClock, tmp_path: File) -> None:
    text = """
        [[step]]
        at_s = 100
        offline_s = 60
        [[step]]
        at_s = 130
        set = { "/3303/0/5700" = 30.0 }
        [[step]]
        at_s = 200
        loss = 0.4
        update = true
        [[step]]
        at_s = 400
        reboot = true
    """
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = play(scene, text, Security.PSK)
        meter = await Asked.of(scene, "meter-7")
        await meter.observe(Observe(meter.paths("/3303/0/5700")))
        begun_at = asyncio.get_running_loop().time()
        await scene.until(lambda: meter.notified, 300)
        ((told_at, values),) = meter.notified
        assert (round(told_at - begun_at), values) == (160, {"/3303/0/5700": 30.0})
        await scene.until(lambda: player.count(Updated), 300)
        await scene.until(lambda: player.count(Registered) == 2, 600)


@virtual_time
async def test_alternate_path_is_asked_below(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        play(scene, 'root = "/lwm2m"\n[values]\n"/3304/0/5700" = 45.0')
        meter = await Asked.of(scene, "meter-7")
        answer = await meter.ask(Read(meter.paths("/3304/0/5700", "/3/0/0")))
        assert answer.values() == {"/3304/0/5700": 45.0, "/3/0/0": "Nodegate"}


@virtual_time
async def test_queue_mode_device_hears_nothing_until_it_speaks(clock: VirtualClock, tmp_path: File) -> None:
    text = "[[step]]\nat_s = 300\nupdate = true"
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = play(scene, text, is_queue_mode=True)
        meter = await Asked.of(scene, "meter-7")
        await asyncio.sleep(275)
        asked = asyncio.get_running_loop().time()
        assert (await meter.ask(Read(meter.paths("/3/0/0")))).code == "2.05"
        assert asyncio.get_running_loop().time() - asked > 20, "a retransmission after its Update"
        assert player.count(Updated) >= 1
