"""Commands from their being stored to their end, on simulated devices."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path as File

import pytest

from gateway.commanding import make_command
from gateway.lwm2m.attributes import parse_attributes
from gateway.lwm2m.operations import (
    Cancel,
    Execute,
    Observe,
    Operation,
    Read,
    Write,
    WriteAttributes,
)
from gateway.lwm2m.path import parse_path
from gateway.lwm2m.records import Record
from gateway.lwm2m.requests import Refusal
from gateway.lwm2m.values import Type
from registry.commands import Command, CommandState
from registry.model import Origin, Security
from registry.observations import ObservationState
from tests.support.clock import VirtualClock, virtual_time
from tests.support.gateway import Player, Scene, gateway_in_memory
from tools.simulator.client.contents import factory_contents
from tools.simulator.network import Impairment

LOSSY = Impairment(loss=0.2, duplicate=0.2, delay_s=0.02, jitter_s=0.05)
SENSOR = parse_path("/3303/0/5700")
ZONE = parse_path("/3/0/15")


def play(scene: Scene, node_id: str = "meter-7", security: Security = Security.NONE, **settings) -> Player:
    version = settings.pop("lwm2m", "1.1")
    contents = factory_contents(version, settings.get("lifetime_s", 300))
    return scene.play(node_id, security, lwm2m=version, contents=contents, **settings)


def ask(scene: Scene, operation: Operation, node_id: str = "meter-7", ttl_s: int = 3_600) -> int:
    new = make_command(operation, None, ttl_s)
    assert not isinstance(new, Refusal)
    return scene.administration.store_command(node_id, new).id


def look(scene: Scene, id_: int) -> Command:
    return scene.administration.get_command(id_)


async def ended(scene: Scene, id_: int, limit_s: float = 600.0) -> Command:
    await scene.until(lambda: look(scene, id_).has_ended, limit_s)
    return look(scene, id_)


def read(*paths: str) -> Read:
    return Read(tuple(map(parse_path, paths)))


def observe(path: str) -> Observe:
    return Observe((parse_path(path),))


def write_zone(name: str) -> Write:
    return Write(ZONE, (Record(ZONE, name, Type.STRING),))


def measure(player: Player, value: float) -> None:
    player.device.set_value(SENSOR, value, asyncio.get_running_loop().time())
    player.driver.settle()


def values(scene: Scene, path: str = "/") -> dict[str, object]:
    return {each.path: each.value for each in scene.administration.values("meter-7", path)}


@pytest.mark.parametrize("security", [Security.NONE, Security.PSK])
@virtual_time
async def test_commands_are_done_in_their_order_and_their_values_kept(
    clock: VirtualClock, tmp_path: File, security: Security
) -> None:
    async with gateway_in_memory(clock, tmp_path, uplink=LOSSY, downlink=LOSSY) as scene:
        player = play(scene, security=security)
        await scene.until(player.is_registered)
        first, second = ask(scene, write_zone("Europe/Vienna")), ask(scene, read("/3/0/15"))
        written, told = await ended(scene, first), await ended(scene, second)
        assert (written.state, written.result.code) == (CommandState.ANSWERED, "2.04")
        assert (told.state, told.result.code, told.attempts) == (CommandState.ANSWERED, "2.05", 1)
        assert json.loads(told.result.values or "") == {"/3/0/15": "Europe/Vienna"}
        (value,) = scene.administration.values("meter-7", "/3/0/15")
        assert (value.value, value.origin) == ("Europe/Vienna", Origin.READ)


@virtual_time
async def test_what_a_device_refuses_is_an_answer(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = play(scene)
        await scene.until(player.is_registered)
        refused = await ended(scene, ask(scene, read("/0/0/1")))
        assert (refused.state, refused.result.code) == (CommandState.ANSWERED, "4.01")
        assert refused.result.error
        forbidden = await ended(scene, ask(scene, Execute(parse_path("/3/0/0"))))
        assert (forbidden.state, forbidden.result.code) == (CommandState.FAILED, None)


@virtual_time
async def test_command_waits_for_a_device_that_is_not_registered(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        created = scene.administration.create("meter-7", Security.PSK)
        waiting = ask(scene, read("/3/0/0"))
        await asyncio.sleep(100)
        assert look(scene, waiting).state is CommandState.QUEUED
        contents = factory_contents("1.1", 300)
        scene.join("meter-7", psk=created.secret, lwm2m="1.1", contents=contents)
        assert (await ended(scene, waiting)).result.code == "2.05"


@virtual_time
async def test_command_expires_that_is_not_sent_in_time(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        scene.administration.create("meter-7", Security.NONE)
        command = await ended(scene, ask(scene, read("/3/0/0"), ttl_s=60))
        assert command.state is CommandState.EXPIRED


@virtual_time
async def test_command_that_is_taken_back_is_not_sent(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        scene.administration.create("meter-7", Security.NONE)
        first, second = ask(scene, write_zone("first")), ask(scene, write_zone("second"))
        await asyncio.sleep(1)
        scene.administration.cancel_command(first)
        player = scene.join("meter-7", lwm2m="1.1", contents=factory_contents("1.1", 300))
        await ended(scene, second)
        assert look(scene, first).state is CommandState.CANCELLED
        assert look(scene, first).attempts == 0
        assert player.device.client.get(ZONE) == "second"


@virtual_time
async def test_silent_device_fails_what_is_asked_and_the_next_one_is_tried(
    clock: VirtualClock, tmp_path: File
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = play(scene, lifetime_s=86_400)
        await scene.until(player.is_registered)
        player.connection.is_silent = True
        reads, executes = ask(scene, read("/3/0/0")), ask(scene, Execute(parse_path("/3/0/12")))
        assert (await ended(scene, reads)).result.error == "timeout"
        assert (await ended(scene, executes)).result.error == "unknown outcome"
        player.connection.is_silent = False
        assert (await ended(scene, ask(scene, read("/3/0/0")))).result.code == "2.05"


@pytest.mark.parametrize("lwm2m", ["1.0", "1.1"])
@virtual_time
async def test_sleeping_device_gets_its_commands_when_it_wakes(
    clock: VirtualClock, tmp_path: File, lwm2m: str
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = play(scene, lwm2m=lwm2m, binding="U", is_queue_mode=True, lifetime_s=86_400)
        await scene.until(player.is_registered)
        await asyncio.sleep(200)
        command = ask(scene, read("/3/0/0"))
        await asyncio.sleep(300)
        assert look(scene, command).state is CommandState.QUEUED
        player.update()
        assert (await ended(scene, command)).result.code == "2.05"
        again = ask(scene, read("/3/0/1"))
        assert (await ended(scene, again, 30)).result.code == "2.05", "it is awake still"


@pytest.mark.parametrize("is_crashing", [False, True], ids=["stop", "crash"])
@virtual_time
async def test_command_survives_a_restart(clock: VirtualClock, tmp_path: File, is_crashing: bool) -> None:
    async with gateway_in_memory(clock, tmp_path, is_crashing=is_crashing) as scene:
        scene.administration.create("meter-7", Security.NONE)
        command = ask(scene, read("/3/0/0"))
        await asyncio.sleep(1)
    async with gateway_in_memory(clock, tmp_path) as scene:
        scene.join("meter-7", lwm2m="1.1", contents=factory_contents("1.1", 300))
        assert (await ended(scene, command)).result.code == "2.05"


@virtual_time
async def test_after_a_crash_only_what_may_be_repeated_is_sent_again(
    clock: VirtualClock, tmp_path: File
) -> None:
    async with gateway_in_memory(clock, tmp_path, is_crashing=True) as scene:
        player = play(scene, lifetime_s=86_400)
        other = play(scene, "meter-8", lifetime_s=86_400)
        await scene.until(lambda: player.is_registered() and other.is_registered())
        player.connection.is_silent = other.connection.is_silent = True
        repeatable = ask(scene, read("/3/0/0"))
        never = ask(scene, Execute(parse_path("/3/0/12")), "meter-8")
        await scene.until(
            lambda: {look(scene, repeatable).state, look(scene, never).state} == {CommandState.SENT}
        )
        network = scene.network
    player.connection.is_silent = other.connection.is_silent = False
    async with gateway_in_memory(clock, tmp_path, network=network) as scene:
        assert (await ended(scene, never)).result.error == "unknown outcome"
        answered = await ended(scene, repeatable)
        assert (answered.result.code, answered.attempts) == ("2.05", 2)


@virtual_time
async def test_notifications_are_kept_until_the_observation_is_cancelled(
    clock: VirtualClock, tmp_path: File
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = play(scene)
        await scene.until(player.is_registered)
        first = await ended(scene, ask(scene, observe("/3303/0/5700")))
        assert first.state is CommandState.ANSWERED
        (stored,) = scene.administration.observations("meter-7")
        assert stored.state is ObservationState.ESTABLISHED
        measure(player, 27.25)
        await scene.until(lambda: values(scene).get("/3303/0/5700") == 27.25)
        (value,) = scene.administration.values("meter-7", "/3303/0/5700")
        assert value.origin is Origin.NOTIFY
        again = await ended(scene, ask(scene, observe("/3303/0/5700")))
        assert again.state is CommandState.ANSWERED
        assert [each.token for each in scene.administration.observations("meter-7")] == [stored.token]
        cancelled = await ended(scene, ask(scene, Cancel((SENSOR,))))
        assert cancelled.state is CommandState.ANSWERED
        assert scene.administration.observations("meter-7") == []
        measure(player, 99.0)
        await asyncio.sleep(60)
        assert values(scene)["/3303/0/5700"] == 27.25
        nothing = await ended(scene, ask(scene, Cancel((SENSOR,))))
        assert (nothing.state, nothing.result.error) == (CommandState.FAILED, "nothing is observed there")


@virtual_time
async def test_observation_that_a_device_refuses_is_none(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = play(scene)
        await scene.until(player.is_registered)
        refused = await ended(scene, ask(scene, observe("/9/0")))
        assert refused.result.code == "4.04"
        await scene.until(lambda: scene.administration.observations("meter-7") == [])


@virtual_time
async def test_observation_is_set_up_again_after_a_reboot_without_a_word(
    clock: VirtualClock, tmp_path: File
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = play(scene)
        await scene.until(player.is_registered)
        await ended(scene, ask(scene, observe("/3303/0/5700")))
        player.vanish()
        newcomer = scene.join("meter-7", lwm2m="1.1", contents=factory_contents("1.1", 300))
        await scene.until(newcomer.is_registered)
        await asyncio.sleep(5)
        measure(newcomer, 33.0)
        await scene.until(lambda: values(scene).get("/3303/0/5700") == 33.0)
        (stored,) = scene.administration.observations("meter-7")
        assert stored.state is ObservationState.ESTABLISHED


@virtual_time
async def test_first_notification_after_a_restart_is_matched(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = play(scene, lifetime_s=86_400)
        await scene.until(player.is_registered)
        await ended(scene, ask(scene, observe("/3303/0/5700")))
        network = scene.network
    async with gateway_in_memory(clock, tmp_path, network=network) as scene:
        measure(player, 12.0)
        await scene.until(lambda: values(scene).get("/3303/0/5700") == 12.0)


@virtual_time
async def test_silence_beyond_twice_pmax_sets_it_up_again(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = play(scene, lifetime_s=86_400)
        await scene.until(player.is_registered)
        attributes = WriteAttributes(SENSOR, parse_attributes(["pmax=60"]))
        await ended(scene, ask(scene, observe("/3303/0/5700")))
        assert (await ended(scene, ask(scene, attributes))).result.code == "2.04"
        (stored,) = scene.administration.observations("meter-7")
        assert dict(stored.attributes) == {"pmax": 60}
        player.device.client.observations.clear()
        await asyncio.sleep(200)
        measure(player, 44.0)
        await scene.until(lambda: values(scene).get("/3303/0/5700") == 44.0)


@pytest.mark.parametrize("revoke", ["freeze", "delete"])
@virtual_time
async def test_nothing_is_left_of_a_device_that_loses_its_credential(
    clock: VirtualClock, tmp_path: File, revoke: str
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = play(scene, lifetime_s=86_400)
        await scene.until(player.is_registered)
        await ended(scene, ask(scene, observe("/3303/0/5700")))
        player.connection.is_silent = True
        command = ask(scene, read("/3/0/0"))
        await asyncio.sleep(2)
        getattr(scene.administration, revoke)("meter-7")
        await asyncio.sleep(2)
        assert look(scene, command).state is CommandState.CANCELLED
        assert len(scene.gateway.commands.relations) == 0
