"""Silence: lifetimes and claim timeouts run out, never early and soon enough."""

import asyncio

import pytest

from registry.errors import NotFound
from registry.model import DeviceState, Security
from tests.support.clock import virtual_time
from tests.support.gateway import gateway_in_memory
from tools.simulator.events import Registered

BOTH = pytest.mark.parametrize("security", [Security.NONE, Security.PSK])


@BOTH
@pytest.mark.parametrize("lifetime_s", [1, 30, 3600])
@virtual_time
async def test_silent_device_is_expired_within_two_seconds_of_its_lifetime(
    clock, tmp_path, security, lifetime_s
):
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await scene.play("meter-7", security, lifetime_s=lifetime_s).registered()
        player.vanish()
        registered_at_ms = scene.view("meter-7").registration.registered_at_ms
        await asyncio.sleep(lifetime_s + 5)

        (expired,) = scene.facts("registration_expired")
        assert lifetime_s * 1000 <= expired.at_ms - registered_at_ms <= lifetime_s * 1000 + 2000
        assert scene.state("meter-7") is DeviceState.OFFLINE
        assert scene.registry.find_registration(player.location) is None


@BOTH
@virtual_time
async def test_expired_device_is_told_by_its_update_and_registers_anew(clock, tmp_path, security):
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await scene.play("meter-7", security, lifetime_s=20).registered()
        player.connection.is_silent = True
        await scene.until(lambda: scene.facts("registration_expired"))
        player.connection.is_silent = False
        await scene.until(lambda: player.count(Registered) == 2)
        assert scene.state("meter-7") is DeviceState.ONLINE


@virtual_time
async def test_grace_is_added_to_the_lifetime(clock, tmp_path):
    settings = {"registration": {"lifetime_grace_s": 100}}
    async with gateway_in_memory(clock, tmp_path, settings=settings) as scene:
        player = await scene.play("meter-7", lifetime_s=10).registered()
        player.vanish()
        await asyncio.sleep(105)
        assert scene.state("meter-7") is DeviceState.ONLINE
        await asyncio.sleep(10)
        assert scene.state("meter-7") is DeviceState.OFFLINE


@BOTH
@virtual_time
async def test_device_that_never_came_is_purged_at_its_claim_deadline(clock, tmp_path, security):
    async with gateway_in_memory(clock, tmp_path) as scene:
        scene.administration.create("meter-7", security, timeout_s=60)
        await asyncio.sleep(59)
        assert scene.state("meter-7") is DeviceState.INACTIVE
        await asyncio.sleep(4)
        with pytest.raises(NotFound):
            scene.view("meter-7")
        (purged,) = scene.facts("device_purged")
        assert purged.data == {"reason": "claim_timeout"}


@BOTH
@virtual_time
async def test_first_register_ends_the_claim_deadline_for_ever(clock, tmp_path, security):
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await scene.play("meter-7", security, timeout_s=60, lifetime_s=20).registered()
        player.vanish()
        await asyncio.sleep(3600)
        assert scene.state("meter-7") is DeviceState.OFFLINE


@virtual_time
async def test_purged_device_is_unknown_to_the_gateway(clock, tmp_path):
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = scene.play("meter-7", timeout_s=10)
        player.vanish()
        await asyncio.sleep(20)
        late = await scene.join("meter-7").over()
        assert late.count(Registered) == 0


@virtual_time
async def test_frozen_device_is_not_purged(clock, tmp_path):
    async with gateway_in_memory(clock, tmp_path) as scene:
        scene.administration.create("meter-7", Security.NONE, timeout_s=10)
        scene.administration.freeze("meter-7")
        await asyncio.sleep(60)
        assert scene.state("meter-7") is DeviceState.FROZEN
