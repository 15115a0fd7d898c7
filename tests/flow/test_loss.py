"""Bad networks: whoever may come does come, and nothing happens twice."""

import pytest

from registry.model import DeviceState, Security
from tests.support.clock import VirtualClock, run_virtual, virtual_time
from tests.support.gateway import gateway_in_memory
from tools.simulator.events import GaveUp, Registered, Updated
from tools.simulator.network import Impairment

LOSSY = Impairment(loss=0.3, delay_s=0.02, jitter_s=0.03)
DOUBLING = Impairment(duplicate=0.5, delay_s=0.02, jitter_s=0.05)
SHUFFLING = Impairment(reorder=0.4, duplicate=0.2, delay_s=0.02, jitter_s=0.02)


def crowd(scene, count, **settings):
    """*count* devices of each kind."""
    return [
        scene.play(f"{security}-{number}", security, **settings)
        for security in (Security.NONE, Security.PSK)
        for number in range(count)
    ]


@pytest.mark.parametrize("seed", range(1, 9))
@virtual_time
async def test_all_devices_register_when_thirty_percent_is_lost_each_way(clock, tmp_path, seed):
    async with gateway_in_memory(clock, tmp_path, seed=seed, uplink=LOSSY, downlink=LOSSY) as scene:
        players = crowd(scene, 20)
        await scene.until(lambda: all(player.is_registered() for player in players), 1200)
        assert not any(player.count(GaveUp) for player in players)
        for path in (scene.network.uplink.counters, scene.network.downlink.counters):
            # The share of so few datagrams strays around 0.3; far from it the network would be another one.
            assert 0.1 < path.lost / path.sent < 0.5
        assert all(scene.state(player.node_id) is DeviceState.ONLINE for player in players)


@pytest.mark.parametrize("seed", [1, 2])
@virtual_time
async def test_lossy_network_does_not_cost_anyone_his_place(clock, tmp_path, seed):
    async with gateway_in_memory(clock, tmp_path, seed=seed, uplink=LOSSY, downlink=LOSSY) as scene:
        players = crowd(scene, 5, lifetime_s=600)
        await scene.until(lambda: all(player.count(Updated) >= 5 for player in players), 20_000)
        assert not any(player.is_over() for player in players)


@pytest.mark.parametrize("impairment", [DOUBLING, SHUFFLING], ids=["doubling", "shuffling"])
@pytest.mark.parametrize("seed", [1, 2, 3])
@virtual_time
async def test_doubled_and_shuffled_datagrams_register_everyone_just_once(clock, tmp_path, seed, impairment):
    async with gateway_in_memory(clock, tmp_path, seed=seed, uplink=impairment, downlink=impairment) as scene:
        players = crowd(scene, 10, lifetime_s=60)
        await scene.until(lambda: all(player.count(Updated) >= 2 for player in players))
        assert sorted(event.node_id for event in scene.facts("registered")) == sorted(
            player.node_id for player in players
        )
        assert scene.facts("registration_changed", "deregistered", "registration_expired") == []


@virtual_time
async def test_long_registers_get_through_a_lossy_network_block_by_block(clock, tmp_path):
    objects = "</1/0>,</3/0>," + ",".join(f"</3303/{instance}>" for instance in range(300))
    async with gateway_in_memory(clock, tmp_path, seed=4, uplink=LOSSY, downlink=LOSSY) as scene:
        players = crowd(scene, 3, objects=objects)
        await scene.until(lambda: all(player.is_registered() for player in players), 1200)
        for player in players:
            assert len(scene.view(player.node_id).registration.objects.links) == 302


def test_same_seed_plays_the_same_scene(tmp_path):
    async def play(clock, folder):
        async with gateway_in_memory(clock, folder, seed=3, uplink=LOSSY, downlink=LOSSY) as scene:
            players = crowd(scene, 3)
            await scene.until(lambda: all(player.is_registered() for player in players), 1200)
            return [
                str(event) for player in players for event in player.events if type(event) is not Registered
            ]

    def run(name):
        folder = tmp_path / name
        folder.mkdir()
        clock = VirtualClock()
        return run_virtual(play(clock, folder), clock)

    assert run("first") == run("second")
