"""A gateway that stops and starts again on the same registry."""

import asyncio

import pytest

from registry.model import DeviceState, Security
from tests.support.clock import virtual_time
from tests.support.gateway import gateway_in_memory
from tools.simulator.events import Registered, Updated

VOLATILE = {"dtls": {"persist_sessions": False}}
BOTH = pytest.mark.parametrize("security", [Security.NONE, Security.PSK])


@virtual_time
async def test_plain_registration_goes_on_after_a_restart(clock, tmp_path):
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await scene.play("meter-7", lifetime_s=300).registered()
    await asyncio.sleep(60)
    async with gateway_in_memory(clock, tmp_path, network=scene.network) as scene:
        await scene.until(lambda: player.count(Updated))
        assert player.count(Registered) == 1
        assert scene.state("meter-7") is DeviceState.ONLINE


@virtual_time
async def test_security_device_whose_session_was_not_kept_finds_its_way_back(clock, tmp_path):
    async with gateway_in_memory(clock, tmp_path, settings=VOLATILE) as scene:
        player = await scene.play("meter-7", Security.PSK, lifetime_s=300).registered()
    async with gateway_in_memory(clock, tmp_path, settings=VOLATILE, network=scene.network) as scene:
        await scene.until(lambda: player.count(Registered) == 2)
        assert scene.state("meter-7") is DeviceState.ONLINE


@BOTH
@virtual_time
async def test_downtime_does_not_count_against_a_lease(clock, tmp_path, security):
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await scene.play("meter-7", security, lifetime_s=300).registered()
        player.vanish()
        await asyncio.sleep(100)
    await asyncio.sleep(3600)
    async with gateway_in_memory(clock, tmp_path) as scene:
        await asyncio.sleep(190)
        assert scene.state("meter-7") is DeviceState.ONLINE
        await asyncio.sleep(20)
        assert scene.state("meter-7") is DeviceState.OFFLINE
