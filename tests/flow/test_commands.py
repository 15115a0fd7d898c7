"""Commands from their being stored to their end, on simulated devices."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path as File

import pytest

from gateway.lwm2m.operations import Execute, Write
from gateway.lwm2m.path import parse_path
from gateway.lwm2m.records import Record
from gateway.lwm2m.values import Type
from registry.commands import CommandState
from registry.model import Origin, Security
from tests.support.clock import VirtualClock, virtual_time
from tests.support.commanding import (
    ZONE,
    ask,
    ended,
    join,
    look,
    observe,
    play,
    read,
    write_zone,
)
from tests.support.gateway import gateway_in_memory
from tests.support.handmade import HandMade
from tools.simulator.client.firmware import build_package
from tools.simulator.network import Impairment

LOSSY = Impairment(loss=0.2, duplicate=0.2, delay_s=0.02, jitter_s=0.05)


@pytest.mark.parametrize("security", [Security.NONE, Security.PSK])
@virtual_time
async def test_commands_are_done_in_their_order_and_their_values_kept(
    clock: VirtualClock, tmp_path: File, security: Security
) -> None:
    async with gateway_in_memory(clock, tmp_path, uplink=LOSSY, downlink=LOSSY) as scene:
        await play(scene, security=security).registered()
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
        await play(scene).registered()
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
        join(scene, psk=created.secret)
        assert (await ended(scene, waiting)).result.code == "2.05"


@virtual_time
async def test_nothing_is_sent_that_nobody_asked_for(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        scene.administration.create("meter-7", Security.NONE)
        await scene.registry.poll_changes()
        device = await HandMade.registered(scene)
        await asyncio.sleep(3_600)
        assert (list(device.requests), list(device.answers)) == ([], [])


@virtual_time
async def test_block_wise_write_is_one_command(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path, uplink=LOSSY, downlink=LOSSY) as scene:
        await play(scene).registered()
        path = parse_path("/5/0/0")
        package = build_package("app", "2.0.0", bytes(range(256)) * 40)
        written = await ended(scene, ask(scene, Write(path, (Record(path, package, Type.OPAQUE),))))
        assert (written.result.code, written.attempts) == ("2.04", 1)
        state = await ended(scene, ask(scene, read("/5/0/3")))
        assert state.result.values == '{"/5/0/3": 2}'


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
        player = join(scene)
        await ended(scene, second)
        assert look(scene, first).state is CommandState.CANCELLED
        assert look(scene, first).attempts == 0
        assert player.device.client.get(ZONE) == "second"


@virtual_time
async def test_silent_device_fails_what_is_asked_and_the_next_one_is_tried(
    clock: VirtualClock, tmp_path: File
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await play(scene, lifetime_s=86_400).registered()
        player.connection.is_silent = True
        reads, executes = ask(scene, read("/3/0/0")), ask(scene, Execute(parse_path("/3/0/12")))
        assert (await ended(scene, reads)).result.error == "timeout"
        assert (await ended(scene, executes)).result.error == "unknown outcome"
        player.connection.is_silent = False
        assert (await ended(scene, ask(scene, read("/3/0/0")))).result.code == "2.05"


@pytest.mark.parametrize("is_crashing", [False, True], ids=["stop", "crash"])
@virtual_time
async def test_command_survives_a_restart(clock: VirtualClock, tmp_path: File, is_crashing: bool) -> None:
    async with gateway_in_memory(clock, tmp_path, is_crashing=is_crashing) as scene:
        scene.administration.create("meter-7", Security.NONE)
        command = ask(scene, read("/3/0/0"))
        await asyncio.sleep(1)
    async with gateway_in_memory(clock, tmp_path) as scene:
        join(scene)
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


@pytest.mark.parametrize("revoke", ["freeze", "delete"])
@virtual_time
async def test_nothing_is_left_of_a_device_that_loses_its_credential(
    clock: VirtualClock, tmp_path: File, revoke: str
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await play(scene, lifetime_s=86_400).registered()
        await ended(scene, ask(scene, observe("/3303/0/5700")))
        player.connection.is_silent = True
        command = ask(scene, read("/3/0/0"))
        await asyncio.sleep(2)
        getattr(scene.administration, revoke)("meter-7")
        await asyncio.sleep(2)
        assert look(scene, command).state is CommandState.CANCELLED
        assert len(scene.gateway.commands.relations) == 0
