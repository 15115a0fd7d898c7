"""Write: replaced and updated, in each format, and what is refused."""

from __future__ import annotations

from pathlib import Path as File

import pytest

from gateway.lwm2m.formats import Format
from gateway.lwm2m.requests import Method, Request
from gateway.messaging.outcomes import Answered, Outcome
from tests.support.asking import managed
from tests.support.clock import VirtualClock, virtual_time
from tests.support.gateway import gateway_in_memory
from tools.simulator.events import Updated


@pytest.mark.parametrize(
    "format_", [Format.TEXT, Format.CBOR, Format.SENML_CBOR, Format.SENML_JSON, Format.TLV]
)
@virtual_time
async def test_resources_are_written_and_read_back_in_each_format(
    clock: VirtualClock, tmp_path: File, format_: Format
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene)
        for path, value in (("/1/0/2", 101), ("/1/0/3", 1010), ("/1/0/5", 2000), ("/1/0/6", False)):
            assert (await meter.ask(meter.write(path, value, format_=format_))).code == "2.04"
            assert await meter.read(path) == {path: value}


@pytest.mark.parametrize(
    ("version", "format_"),
    [("1.0", Format.TLV), ("1.0", Format.OMA_JSON), ("1.1", Format.SENML_CBOR), ("1.1", Format.SENML_JSON)],
)
@virtual_time
async def test_instance_is_updated_and_replaced(
    clock: VirtualClock, tmp_path: File, version: str, format_: Format
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene, version)
        changed = {"2": 101, "3": 1010, "5": 2000, "6": True, "7": "U"}
        written = await meter.ask(meter.write("/1/0", changed, is_partial=True, format_=format_))
        assert written.code == "2.04"
        values = await meter.read("/1/0")
        assert (values["/1/0/1"], values["/1/0/3"], values["/1/0/5"]) == (300, 1010, 2000)
        replaced = await meter.ask(meter.write("/1/0", {"1": 300, "6": True, "7": "U"}, format_=format_))
        assert replaced.code == "2.04"
        assert "/1/0/3" not in await meter.read("/1/0")


@pytest.mark.parametrize("is_partial", [False, True])
@virtual_time
async def test_written_lifetime_is_told_by_an_update(
    clock: VirtualClock, tmp_path: File, is_partial: bool
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player, meter = await managed(scene)
        operation = (
            meter.write("/1/0", {"1": 61, "6": True}, is_partial=True)
            if is_partial
            else meter.write("/1/0/1", 61)
        )
        assert (await meter.ask(operation)).code == "2.04"
        await scene.until(lambda: player.count(Updated) == 1, 5)
        registration = scene.view("meter-7").registration
        assert registration is not None
        assert registration.lifetime_s == 61
        assert await meter.read("/1/0/1") == {"/1/0/1": 61}


@virtual_time
async def test_one_resource_instance_is_written(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene)
        assert (await meter.ask(meter.write("/16/0/0/1", "test"))).code == "2.04"
        values = await meter.read("/16/0/0")
        assert values == {"/16/0/0/0": "host-1", "/16/0/0/1": "test", "/16/0/0/2": "simulated"}


@virtual_time
async def test_device_refuses_what_no_server_may_write(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene)
        remote = scene.gateway.stack.find_remote(meter.registration.identity, meter.registration.address)
        assert remote is not None
        outcomes: list[Outcome] = []
        request = Request(Method.PUT, ("1", "0", "0"), content_format=0, payload=b"123")
        scene.gateway.stack.link.request(remote, request, outcomes.append)
        await scene.until(lambda: outcomes, 5)
        (outcome,) = outcomes
        assert isinstance(outcome, Answered)
        assert outcome.response.code == "4.05"
        assert await meter.read("/1/0/0") == {"/1/0/0": 1}


@virtual_time
async def test_time_offset_and_zone_are_written_and_read_back(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene)
        values = {"13": 1_367_491_215, "14": "+02:00", "15": "Europe/Paris"}
        written = await meter.ask(meter.write("/3/0", values, is_partial=True, format_=Format.TLV))
        assert written.code == "2.04"
        assert await meter.read("/3/0/13") == {"/3/0/13": 1_367_491_215}
        assert await meter.read("/3/0/14") == {"/3/0/14": "+02:00"}
        assert (await meter.ask(meter.write("/7/0/8", 60))).code == "2.04"
        assert await meter.read("/7/0/8") == {"/7/0/8": 60}
