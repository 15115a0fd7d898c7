"""Update: leases, changes, and devices that move (OMA Core TS 1.2 §6.2.2, RFC 9146 §6)."""

import asyncio

import pytest

from registry.model import DeviceState, Security
from tests.support.clock import virtual_time
from tests.support.gateway import gateway_in_memory
from tools.simulator.events import AttemptFailed, HandshakeDone, Registered, Updated

BOTH = pytest.mark.parametrize("security", [Security.NONE, Security.PSK])


@BOTH
@virtual_time
async def test_updates_keep_a_registration_over_many_lifetimes(clock, tmp_path, security):
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = scene.play("meter-7", security, lifetime_s=60)
        await asyncio.sleep(3600)
        assert player.count(Registered) == 1
        assert player.count(Updated) > 100
        assert scene.view("meter-7").registration.location == player.location
        assert [event.type for event in scene.facts()] == ["device_created", "registered"]


@BOTH
@virtual_time
async def test_changed_lifetime_is_kept_and_counted_from_the_update(clock, tmp_path, security):
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await scene.play("meter-7", security, lifetime_s=3600).registered()
        player.update(lifetime_s=10)
        await scene.until(lambda: player.count(Updated))
        player.vanish()

        (changed,) = scene.facts("registration_changed")
        assert changed.data == {"lifetime": 10}
        await asyncio.sleep(9)
        assert scene.registry.find_registration(player.location) is not None
        await asyncio.sleep(3)
        assert scene.registry.find_registration(player.location) is None


@virtual_time
async def test_plain_device_may_change_its_port(clock, tmp_path):
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await scene.play("meter-7", lifetime_s=60).registered()
        player.connection.rebind()
        await scene.until(lambda: player.count(Updated))
        assert player.count(Registered) == 1
        await asyncio.sleep(31)
        assert scene.view("meter-7").registration.address == str(player.connection.outside)


@virtual_time
async def test_plain_device_on_another_host_has_to_register_anew(clock, tmp_path):
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await scene.play("meter-7", lifetime_s=60).registered()
        player.connection.outside = player.connection.outside._replace(host="192.0.2.2")
        player.connection.rebind()
        await scene.until(lambda: player.count(Registered) == 2)
        assert AttemptFailed("updating", "4.04") in player.events
        assert player.count(Updated) == 0


@pytest.mark.parametrize("cid", [b"", b"\x01\x02\x03\x04"], ids=["zero-cid", "own-cid"])
@virtual_time
async def test_connection_id_carries_a_session_to_another_address(clock, tmp_path, cid):
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await scene.play("meter-7", Security.PSK, lifetime_s=60, cid=cid).registered()
        for _ in range(5):
            seen = player.count(Updated)
            player.connection.rebind()
            await scene.until(lambda seen=seen: player.count(Updated) > seen)
        assert (player.count(HandshakeDone), player.count(Registered), player.count(AttemptFailed)) == (
            1,
            1,
            0,
        )
        await asyncio.sleep(31)
        assert scene.view("meter-7").registration.address == str(player.connection.outside)


@virtual_time
async def test_device_at_another_address_is_challenged_there_and_answers(clock, tmp_path):
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await scene.play("meter-7", Security.PSK, lifetime_s=60).registered()
        counters = scene.gateway.coaps.endpoint.counters
        for moves in range(1, 4):
            player.connection.rebind()
            await scene.until(lambda moves=moves: counters.path_checks_passed == moves)
        await asyncio.sleep(60)
        assert counters.path_checks_failed == 0
        assert player.count(HandshakeDone) == 1


@virtual_time
async def test_without_a_connection_id_a_rebound_device_makes_a_new_handshake(clock, tmp_path):
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await scene.play("meter-7", Security.PSK, lifetime_s=300, cid=None).registered()
        player.connection.rebind()
        await scene.until(lambda: player.count(Registered) == 2)
        assert AttemptFailed("updating", "no answer") in player.events
        assert player.count(HandshakeDone) == 2
        assert scene.state("meter-7") is DeviceState.ONLINE


@virtual_time
async def test_queue_mode_device_keeps_its_place_while_it_sleeps(clock, tmp_path):
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = scene.play("meter-7", Security.PSK, lifetime_s=3600, is_queue_mode=True)
        await asyncio.sleep(3 * 3600)
        assert player.count(Registered) == 1
        assert player.count(Updated) >= 2
        assert scene.state("meter-7") is DeviceState.ONLINE
