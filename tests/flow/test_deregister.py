"""De-register: the place is given back, the device stays (OMA Core TS 1.2 §6.2.3)."""

import pytest

from registry.model import DeviceState, Security
from tests.support.clock import virtual_time
from tests.support.gateway import gateway_in_memory
from tools.simulator.events import Deregistered, Ended, HandshakeDone


@pytest.mark.parametrize("security", [Security.NONE, Security.PSK])
@virtual_time
async def test_device_deregisters_and_may_come_again(clock, tmp_path, security):
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await scene.play("meter-7", security).registered()
        location = player.location
        player.driver.stop()
        await scene.until(player.is_over)

        assert player.events[-2:] == [Deregistered(), Ended()]
        assert scene.state("meter-7") is DeviceState.OFFLINE
        assert scene.registry.find_registration(location) is None

        again = await scene.join("meter-7", psk=player.device.settings.psk).registered()
        assert again.location != location
        assert [event.type for event in scene.facts()] == [
            "device_created",
            "registered",
            "deregistered",
            "registered",
        ]


@virtual_time
async def test_session_of_a_device_that_left_is_gone(clock, tmp_path):
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await scene.play("meter-7", Security.PSK).registered()
        assert player.count(HandshakeDone) == 1
        player.driver.stop()
        await scene.until(player.is_over)
        await scene.until(lambda: scene.gateway.endpoint.session_count == 0)
