"""What is asked of devices that sleep."""

from __future__ import annotations

import asyncio
from pathlib import Path as File

import pytest

from registry.commands import CommandState
from tests.support.clock import VirtualClock, virtual_time
from tests.support.commanding import (
    ask,
    ended,
    join,
    look,
    play,
    read,
)
from tests.support.gateway import gateway_in_memory


@pytest.mark.parametrize("lwm2m", ["1.0", "1.1"])
@virtual_time
async def test_sleeping_device_gets_its_commands_when_it_wakes(
    clock: VirtualClock, tmp_path: File, lwm2m: str
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await play(
            scene, lwm2m=lwm2m, binding="U", is_queue_mode=True, lifetime_s=86_400
        ).registered()
        await asyncio.sleep(200)
        command = ask(scene, read("/3/0/0"))
        await asyncio.sleep(300)
        assert look(scene, command).state is CommandState.QUEUED
        player.update()
        assert (await ended(scene, command)).result.code == "2.05"
        again = ask(scene, read("/3/0/1"))
        assert (await ended(scene, again, 30)).result.code == "2.05", "it is awake still"


@virtual_time
async def test_device_that_registers_anew_amid_a_request_gets_what_waits(
    clock: VirtualClock, tmp_path: File
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await play(scene, binding="U", is_queue_mode=True, lifetime_s=86_400).registered()
        player.vanish()
        command = ask(scene, read("/3/0/0"))
        await scene.until(lambda: look(scene, command).state is CommandState.SENT)
        await join(scene, binding="U", is_queue_mode=True, lifetime_s=86_400).registered()
        answered = await ended(scene, command, 10)
        assert (answered.result.code, answered.attempts) == ("2.05", 2)
