import asyncio
import socket

import pytest

from tests.support.loopback import accepting_server
from tools.simulator.client.firmware import Result
from tools.simulator.coap import CoapSettings
from tools.simulator.download import PackageUri
from tools.simulator.fleet import Fleet, FleetSettings, _find_target
from tools.simulator.network import Impairment
from tools.simulator.report import Report
from tools.simulator.settings import DeviceSettings


def fleet(port, count=5, settings=None, **device):
    report = Report()
    target = (socket.AF_INET, ("127.0.0.1", port))
    devices = [(DeviceSettings(f"node-{number}", **device), target) for number in range(count)]
    return Fleet(devices, settings or FleetSettings(rate=10_000, seed=1), report), report


async def test_fleet_ends_once_all_are_registered_and_keeps_their_places():
    async with accepting_server() as (server, port):
        devices, report = fleet(port, count=40)
        await devices.run(None, deregisters=False)
    assert report.is_success
    assert server.requests == ["register"] * 40
    assert len(server.sources) == 40


async def run_until(devices, server, is_reached, deregisters=True):
    """Run with a long duration that ends when the server has seen enough."""
    async with asyncio.TaskGroup() as tasks:
        running = tasks.create_task(devices.run(600.0, deregisters))
        await server.until(is_reached)
        devices.interrupt()
        await running


async def test_fleet_with_a_duration_renews_and_deregisters():
    async with accepting_server() as (server, port):
        devices, report = fleet(port, lifetime_s=1, update_jitter=0.0)
        await run_until(devices, server, lambda: server.requests.count("update") >= 5)
    assert report.is_success
    assert server.requests.count("deregister") == 5
    assert report.tallies["coap"].deregistered == 5


async def test_short_duration_ends_by_itself():
    async with accepting_server() as (server, port):
        devices, report = fleet(port)
        await devices.run(0.0, deregisters=True)
    assert report.is_success
    assert server.requests.count("deregister") == 5


async def test_refused_device_fails_and_the_others_do_not():
    async with accepting_server(frozenset({"node-1"})) as (_, port):
        devices, report = fleet(port, count=3, backoff_s=0.001)
        await devices.run(None, deregisters=True)
    assert not report.is_success
    assert [str(failure) for failure in report.failures] == ["registering: 4.03"]
    assert report.tallies["coap"].registered == 2


async def test_nobody_listening_is_found_out_soon():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    devices, report = fleet(port, count=1, backoff_s=0.001)
    await devices.run(None, deregisters=False)
    assert [str(failure) for failure in report.failures] == ["registering: nothing listens there"]


async def test_devices_change_their_ports_when_asked_to():
    settings = FleetSettings(rate=10_000, rebind_s=0.05, seed=1)
    async with accepting_server() as (server, port):
        devices, report = fleet(port, count=2, settings=settings, lifetime_s=1, update_jitter=0.0)
        await run_until(devices, server, lambda: len(server.sources) >= 4)
    assert report.is_success
    assert report.tallies["coap"].registered == 2


async def test_loss_is_overcome():
    lossy = Impairment(loss=0.3, duplicate=0.1, jitter_s=0.001)
    settings = FleetSettings(rate=10_000, uplink=lossy, downlink=lossy, seed=2)
    async with accepting_server() as (_, port):
        devices, report = fleet(port, count=30, settings=settings, coap=CoapSettings(ack_timeout_s=0.02))
        await devices.run(None, deregisters=False)
    assert report.is_success
    assert report.tallies["coap"].registered == 30


async def test_no_more_than_the_bound_are_connecting():
    refused = frozenset(f"node-{number}" for number in range(10))
    async with accepting_server(refused) as (server, port):
        settings = FleetSettings(rate=10_000, connecting_limit=3)
        devices, report = fleet(
            port, count=10, settings=settings, retries=100, backoff_s=0.01, backoff_max_s=0.01
        )
        await run_until(devices, server, lambda: len(server.requests) >= 10)
    assert report.tallies["coap"].started == 3
    assert sum(failure.reason == "interrupted" for failure in report.failures) == 7


@pytest.mark.parametrize("deregisters", [False, True])
async def test_interrupted_fleet_ends_in_good_order(deregisters):
    async with accepting_server() as (server, port):
        devices, report = fleet(port, lifetime_s=1, update_jitter=0.0)
        await run_until(devices, server, lambda: server.requests.count("update") >= 5, deregisters)
    assert report.is_success
    assert server.requests.count("deregister") == (5 if deregisters else 0)


async def test_second_interrupt_does_not_wait_for_answers():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        devices, report = fleet(silent.getsockname()[1], count=1)
        devices.interrupt()
        devices.interrupt()
        await devices.run(None, deregisters=True)
    assert [failure.reason for failure in report.failures] == ["interrupted"]
    assert report.tallies["coap"].started == 0


async def test_empty_fleet_has_nothing_to_do():
    devices, report = fleet(1, count=0)
    await devices.run(None, deregisters=True)
    assert report.is_success
    assert report.tallies == {}


def test_file_servers_are_named_by_address():
    assert _find_target(PackageUri("127.0.0.1", 5683, (), ())) == (socket.AF_INET, ("127.0.0.1", 5683))
    assert _find_target(PackageUri("files.example", 5683, (), ())) is Result.INVALID_URI
