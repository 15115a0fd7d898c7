"""The settings of what is asked and reported, each with its effect on a running gateway."""

from __future__ import annotations

import asyncio
from pathlib import Path as File
from typing import Any

import aiocoap
import pytest

from gateway.workers.purge import EventRetention
from registry.commands import CommandState
from registry.model import Origin, Reading, Security
from tests.support.clock import VirtualClock, virtual_time
from tests.support.commanding import METER, ask, ended, look, play, read
from tests.support.gateway import COAP, Player, Scene, gateway_in_memory

NAME = read("/3/0/0")


async def registered(scene: Scene, **settings: Any) -> Player:
    player = await play(scene, lifetime_s=86_400, **settings).registered()
    return player


def intercept(player: Player) -> list[aiocoap.Message]:
    """What is sent to the device from now on, which gets none of it."""
    messages: list[aiocoap.Message] = []
    player.connection.receive = lambda datagram: messages.append(aiocoap.Message.decode(datagram))
    return messages


@pytest.mark.parametrize(
    ("ack_timeout_s", "max_retransmit", "longest_s"), [(1, 1, 4.5), (2, 4, 93), (5, 0, 7.5)]
)
@virtual_time
async def test_request_is_repeated_as_often_as_is_set_and_given_up(
    clock: VirtualClock, tmp_path: File, ack_timeout_s: float, max_retransmit: int, longest_s: float
) -> None:
    settings = {"downlink": {"ack_timeout_s": ack_timeout_s, "max_retransmit": max_retransmit}}
    async with gateway_in_memory(clock, tmp_path, settings=settings) as scene:
        messages = intercept(await registered(scene))
        command = ask(scene, NAME)
        await scene.until(lambda: messages)
        await scene.until(lambda: look(scene, command).has_ended, longest_s + 0.5)
        assert len(messages) == 1 + max_retransmit


@virtual_time
async def test_separate_answer_has_the_time_that_is_set(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(
        clock, tmp_path, settings={"downlink": {"response_timeout_s": 300}}
    ) as scene:
        player = await registered(scene)
        messages = intercept(player)
        command = ask(scene, NAME)
        await scene.until(lambda: messages)
        acknowledgement = aiocoap.Message(code=aiocoap.EMPTY)
        acknowledgement.mtype, acknowledgement.mid, acknowledgement.token = aiocoap.ACK, messages[0].mid, b""
        scene.network.carry_up(acknowledgement.encode(), player.connection.outside, COAP)
        await asyncio.sleep(299)
        assert look(scene, command).state is CommandState.SENT
        assert (await ended(scene, command, 2)).result.error == "timeout"


@virtual_time
async def test_device_in_queue_mode_is_awake_as_long_as_is_set(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path, settings={"queue": {"awake_s": 10}}) as scene:
        messages = intercept(await registered(scene, is_queue_mode=True))
        await asyncio.sleep(10)
        ask(scene, NAME)
        await asyncio.sleep(600)
        assert messages == []


@virtual_time
async def test_command_without_a_time_of_its_own_expires_when_it_is_set(
    clock: VirtualClock, tmp_path: File
) -> None:
    async with gateway_in_memory(clock, tmp_path, settings={"commands": {"ttl_s": 100}}) as scene:
        scene.administration.create(METER, Security.NONE)
        default, own = ask(scene, NAME, ttl_s=None), ask(scene, NAME, ttl_s=300)
        await asyncio.sleep(99)
        assert look(scene, default).state is CommandState.QUEUED
        await asyncio.sleep(3)
        assert look(scene, default).state is CommandState.EXPIRED
        assert look(scene, own).state is CommandState.QUEUED


@virtual_time
async def test_so_many_values_of_a_path_are_kept_as_is_set(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path, settings={"values": {"history": 3}}) as scene:
        await registered(scene)
        for _ in range(5):
            await ended(scene, ask(scene, NAME))
        assert len(scene.administration.values(METER, "/3/0/0", with_history=True)) == 3


@virtual_time
async def test_events_are_kept_as_long_as_is_set_and_those_with_values_as_is_set_for_them(
    clock: VirtualClock, tmp_path: File
) -> None:
    settings = {"events": {"keep_s": 7_200, "keep_values_s": 600}}
    async with gateway_in_memory(clock, tmp_path, settings=settings) as scene:
        await registered(scene)
        device = scene.registry.find_device(METER)
        assert device is not None

        async def left() -> set[str]:
            await EventRetention(scene.registry).work()
            return {fact.type for fact in scene.facts()}

        reading = Reading("/3/0/9", "80", clock.wall_ms())
        scene.registry.keep_values(device.number, [reading], Origin.SEND, lambda _: None)
        await ended(scene, ask(scene, NAME))
        await asyncio.sleep(500)
        assert await left() == {"device_created", "registered", "values_reported"}
        scene.administration.create("other", Security.NONE)
        await asyncio.sleep(200)
        assert await left() == {"device_created", "registered"}
        await asyncio.sleep(6_900)
        assert await left() == {"device_created"}, "of the other one"
