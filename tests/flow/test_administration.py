"""What an administrator does on the file bites in the running gateway within a second."""

import asyncio

import pytest

from registry.model import DeviceState, Security
from tests.support.clock import virtual_time
from tests.support.gateway import gateway_in_memory
from tools.simulator.events import AttemptFailed, GaveUp, Registered, SessionLost

BOTH = pytest.mark.parametrize("security", [Security.NONE, Security.PSK])

ACTIONS = pytest.mark.parametrize("action", ["freeze", "delete", "reset_secret"])


@ACTIONS
@virtual_time
async def test_session_and_registration_of_a_security_device_end(clock, tmp_path, action):
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await scene.play("meter-7", Security.PSK).registered()
        location = player.location

        getattr(scene.administration, action)("meter-7")
        await asyncio.sleep(1)
        assert player.events[-1] == SessionLost("closed by the peer")
        assert scene.registry.find_registration(location) is None
        assert scene.gateway.endpoint.session_count == 0

        await scene.until(player.is_over)
        assert player.events[-2] == GaveUp("handshaking", "no answer")


@pytest.mark.parametrize("action", ["freeze", "delete"])
@virtual_time
async def test_registration_of_a_plain_device_ends(clock, tmp_path, action):
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await scene.play("meter-7").registered()
        location = player.location

        getattr(scene.administration, action)("meter-7")
        await asyncio.sleep(1)
        assert scene.registry.find_registration(location) is None
        player.update()
        await scene.until(player.is_over)
        assert AttemptFailed("updating", "4.04") in player.events
        assert player.events[-2] == GaveUp("registering", "4.03")


@BOTH
@virtual_time
async def test_unfrozen_device_comes_again(clock, tmp_path, security):
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await scene.play("meter-7", security).registered()
        scene.administration.freeze("meter-7")
        await asyncio.sleep(1)
        assert scene.state("meter-7") is DeviceState.FROZEN
        scene.administration.unfreeze("meter-7")
        player.update()
        await scene.until(lambda: player.count(Registered) == 2)
        assert scene.state("meter-7") is DeviceState.ONLINE


@virtual_time
async def test_new_secret_works_once_the_gateway_has_noticed(clock, tmp_path):
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await scene.play("meter-7", Security.PSK).registered()
        created = scene.administration.reset_secret("meter-7")
        other = await scene.join("meter-7", psk=created.secret, after_s=1.0).registered()
        await scene.until(player.is_over)
        assert scene.view("meter-7").registration.location == other.location


@virtual_time
async def test_deleted_device_created_again_is_another_device(clock, tmp_path):
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await scene.play("meter-7").registered()
        before = scene.view("meter-7").device.device_id
        scene.administration.delete("meter-7")
        scene.administration.create("meter-7", Security.NONE)
        await asyncio.sleep(1)
        player.update()
        await scene.until(lambda: player.count(Registered) == 2)
        assert scene.view("meter-7").device.device_id != before
