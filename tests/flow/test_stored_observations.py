"""Observations that outlive sessions, registrations and the gateway, on simulated devices."""

from __future__ import annotations

import asyncio
from pathlib import Path as File

import pytest

from gateway.lwm2m.attributes import parse_attributes
from gateway.lwm2m.operations import Cancel, WriteAttributes
from gateway.lwm2m.path import parse_path
from registry.commands import CommandState
from registry.model import Origin, Security
from registry.observations import ObservationState
from tests.support.clock import VirtualClock, virtual_time
from tests.support.commanding import (
    SENSOR,
    ask,
    ended,
    join,
    look,
    measure,
    observe,
    play,
    read,
    values,
)
from tests.support.gateway import gateway_in_memory


@pytest.mark.parametrize("paths", [("/3303/0/5700",), ("/3303/0/5700", "/3/0/9")], ids=["one", "composite"])
@virtual_time
async def test_notifications_are_kept_until_the_observation_is_cancelled(
    clock: VirtualClock, tmp_path: File, paths: tuple[str, ...]
) -> None:
    cancel = Cancel(tuple(map(parse_path, paths)))
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await play(scene).registered()
        first = await ended(scene, ask(scene, observe(*paths)))
        assert first.state is CommandState.ANSWERED
        (stored,) = scene.administration.observations("meter-7")
        assert stored.state is ObservationState.ESTABLISHED
        measure(player, 27.25)
        await scene.until(lambda: values(scene).get("/3303/0/5700") == 27.25)
        (value,) = scene.administration.values("meter-7", "/3303/0/5700")
        assert value.origin is Origin.NOTIFY
        again = await ended(scene, ask(scene, observe(*paths)))
        assert again.state is CommandState.ANSWERED
        assert [each.token for each in scene.administration.observations("meter-7")] == [stored.token]
        cancelled = await ended(scene, ask(scene, cancel))
        assert cancelled.state is CommandState.ANSWERED
        assert scene.administration.observations("meter-7") == []
        measure(player, 99.0)
        await asyncio.sleep(60)
        assert values(scene)["/3303/0/5700"] == 27.25
        nothing = await ended(scene, ask(scene, cancel))
        assert (nothing.state, nothing.result.error) == (CommandState.FAILED, "nothing is observed there")


@virtual_time
async def test_observation_that_a_device_refuses_is_none(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        await play(scene).registered()
        refused = await ended(scene, ask(scene, observe("/9/0")))
        assert refused.result.code == "4.04"
        await scene.until(lambda: scene.administration.observations("meter-7") == [])


@virtual_time
async def test_observation_is_set_up_again_after_a_reboot_without_a_word(
    clock: VirtualClock, tmp_path: File
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await play(scene).registered()
        await ended(scene, ask(scene, observe("/3303/0/5700")))
        player.vanish()
        newcomer = await join(scene).registered()
        await asyncio.sleep(5)
        measure(newcomer, 33.0)
        await scene.until(lambda: values(scene).get("/3303/0/5700") == 33.0)
        (stored,) = scene.administration.observations("meter-7")
        assert stored.state is ObservationState.ESTABLISHED


@virtual_time
async def test_first_notification_after_a_restart_is_matched(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await play(scene, lifetime_s=86_400).registered()
        await ended(scene, ask(scene, observe("/3303/0/5700")))
        network = scene.network
    async with gateway_in_memory(clock, tmp_path, network=network) as scene:
        measure(player, 12.0)
        await scene.until(lambda: values(scene).get("/3303/0/5700") == 12.0)


@virtual_time
async def test_silence_beyond_twice_pmax_sets_it_up_again(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await play(scene, lifetime_s=86_400).registered()
        attributes = WriteAttributes(SENSOR, parse_attributes(["pmax=60"]))
        await ended(scene, ask(scene, observe("/3303/0/5700")))
        assert (await ended(scene, ask(scene, attributes))).result.code == "2.04"
        (stored,) = scene.administration.observations("meter-7")
        assert dict(stored.attributes) == {"pmax": 60}
        player.device.client.observations.clear()
        await asyncio.sleep(200)
        measure(player, 44.0)
        await scene.until(lambda: values(scene).get("/3303/0/5700") == 44.0)


@virtual_time
async def test_observation_that_is_taken_back_is_never_set_up(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        scene.administration.create("meter-7", Security.NONE)
        taken_back, behind = ask(scene, observe("/3303/0/5700")), ask(scene, read("/3/0/0"))
        await asyncio.sleep(1)
        scene.administration.cancel_command(taken_back)
        player = join(scene)
        assert (await ended(scene, behind)).result.code == "2.05"
        await asyncio.sleep(5)
        assert scene.administration.observations("meter-7") == []
        assert player.device.client.observations.get_timer() is None


@virtual_time
async def test_observation_and_what_waits_outlive_a_de_register(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await play(scene).registered()
        await ended(scene, ask(scene, observe("/3303/0/5700")))
        player.device.stop(asyncio.get_running_loop().time())
        player.driver.settle()
        await scene.until(player.is_over)
        waiting = ask(scene, read("/3/0/0"))
        await asyncio.sleep(60)
        newcomer = join(scene)
        assert (await ended(scene, waiting)).result.code == "2.05"
        measure(newcomer, 33.0)
        await scene.until(lambda: values(scene).get("/3303/0/5700") == 33.0)


@pytest.mark.parametrize("is_expiring", [False, True], ids=["taken back", "expired"])
@virtual_time
async def test_observation_that_no_answer_came_to_goes_with_its_command(
    clock: VirtualClock, tmp_path: File, is_expiring: bool
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await play(scene, binding="U", is_queue_mode=True, lifetime_s=86_400).registered()
        player.connection.is_silent = True
        command = ask(scene, observe("/3303/0/5700"), ttl_s=300)
        await scene.until(lambda: look(scene, command).attempts == 1)
        await scene.until(lambda: look(scene, command).state is CommandState.QUEUED)
        if not is_expiring:
            scene.administration.cancel_command(command)
        await ended(scene, command)
        player.connection.is_silent = False
        player.update()
        assert (await ended(scene, ask(scene, read("/3/0/0")))).result.code == "2.05"
        assert scene.administration.observations("meter-7") == []
