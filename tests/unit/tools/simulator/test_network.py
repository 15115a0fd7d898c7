import asyncio
from random import Random

import pytest

from gateway.address import Address
from tests.support.clock import virtual_time
from tools.simulator.network import CLEAN, Impairment, Network, Path

SERVER = Address("198.51.100.1", 5683)


def plans(impairment, seed=1, count=2000):
    path = Path(impairment, Random(seed))
    return [path.plan() for _ in range(count)], path.counters


def test_clean_path_delivers_everything_at_once():
    delays, counters = plans(CLEAN)
    assert set(delays) == {(0.0,)}
    assert (counters.sent, counters.lost, counters.duplicated, counters.reordered) == (2000, 0, 0, 0)


def test_same_seed_gives_the_same_fate():
    impairment = Impairment(loss=0.3, duplicate=0.2, reorder=0.1, jitter_s=0.05)
    assert plans(impairment, seed=7) == plans(impairment, seed=7)
    assert plans(impairment, seed=7)[0] != plans(impairment, seed=8)[0]


@pytest.mark.parametrize(
    ("name", "counter"), [("loss", "lost"), ("duplicate", "duplicated"), ("reorder", "reordered")]
)
def test_impairments_strike_as_often_as_asked(name, counter):
    _, counters = plans(Impairment(**{name: 0.3}))
    assert 500 < getattr(counters, counter) < 700


def test_certain_loss_lets_nothing_through():
    assert set(plans(Impairment(loss=1.0))[0]) == {()}


def test_delays_stay_within_their_bounds():
    delays, _ = plans(Impairment(delay_s=0.1, jitter_s=0.05, reorder=0.5, hold_s=0.2))
    assert all(0.1 <= delay <= 0.35 for (delay,) in delays)


class Lan:
    def __init__(self, **impairments):
        self.network = Network(asyncio.get_running_loop(), **impairments)
        self.up = []
        self.down = []
        self.send_down = self.network.listen(SERVER, lambda data, address: self.up.append((data, address)))
        self.connection = self.network.connect(SERVER, self.down.append)


@virtual_time
async def test_datagrams_go_both_ways(clock):
    lan = Lan()
    lan.connection.send(b"hello")
    await asyncio.sleep(0.001)
    assert lan.up == [(b"hello", lan.connection.outside)]
    lan.send_down(b"welcome", lan.connection.outside)
    await asyncio.sleep(0.001)
    assert lan.down == [b"welcome"]


@virtual_time
async def test_nothing_is_delivered_within_the_call_that_sends(clock):
    lan = Lan()
    lan.connection.send(b"hello")
    assert lan.up == []


@virtual_time
async def test_rebound_connection_comes_from_another_port_and_loses_what_goes_to_the_old_one(clock):
    lan = Lan()
    old = lan.connection.outside
    lan.send_down(b"on its way", old)
    lan.connection.rebind()
    await asyncio.sleep(0.001)
    assert lan.down == []
    lan.connection.send(b"hello")
    await asyncio.sleep(0.001)
    ((_, new),) = lan.up
    assert new.host == old.host
    assert new.port != old.port
    lan.send_down(b"welcome", new)
    await asyncio.sleep(0.001)
    assert lan.down == [b"welcome"]


@virtual_time
async def test_silent_connection_neither_sends_nor_receives(clock):
    lan = Lan()
    lan.connection.is_silent = True
    lan.connection.send(b"hello")
    lan.send_down(b"welcome", lan.connection.outside)
    await asyncio.sleep(1)
    assert (lan.up, lan.down) == ([], [])


@virtual_time
async def test_datagrams_to_nobody_are_lost(clock):
    lan = Lan()
    lan.network.carry_up(b"x", lan.connection.outside, Address("198.51.100.1", 1))
    lan.send_down(b"x", Address("192.0.2.99", 1))
    await asyncio.sleep(1)
    assert (lan.up, lan.down) == ([], [])


@virtual_time
async def test_server_that_is_taken_away_hears_nothing(clock):
    lan = Lan()
    lan.connection.send(b"hello")
    lan.network.unlisten(SERVER)
    await asyncio.sleep(1)
    assert lan.up == []


@virtual_time
async def test_directions_are_impaired_separately(clock):
    lan = Lan(uplink=Impairment(loss=1.0), downlink=Impairment(duplicate=1.0))
    lan.connection.send(b"hello")
    lan.send_down(b"welcome", lan.connection.outside)
    await asyncio.sleep(1)
    assert (lan.up, lan.down) == ([], [b"welcome"] * 2)


@virtual_time
async def test_held_back_datagram_is_overtaken(clock):
    lan = Lan(seed=3, uplink=Impairment(reorder=0.5))
    for number in range(20):
        lan.connection.send(bytes([number]))
    await asyncio.sleep(1)
    order = [data[0] for data, _ in lan.up]
    assert sorted(order) == list(range(20))
    assert order != sorted(order)
