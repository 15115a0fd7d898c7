"""Read, in each format of each version."""

from __future__ import annotations

from pathlib import Path as File

import pytest

from gateway.lwm2m.formats import Format
from gateway.lwm2m.operations import Read
from registry.model import Security
from tests.support.asking import managed
from tests.support.clock import VirtualClock, virtual_time
from tests.support.gateway import gateway_in_memory


@pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
@virtual_time
async def test_resources_are_read_as_text(clock: VirtualClock, tmp_path: File, version: str) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene, version)
        for id_, value in enumerate(("Nodegate", "simulated device", "345000123")):
            path = f"/3/0/{id_}"
            answer = await meter.ask(Read(meter.paths(path), Format.TEXT))
            assert (answer.format, answer.values()) == ("text", {path: value})


@pytest.mark.parametrize(
    ("version", "format_"),
    [
        ("1.0", Format.TLV),
        ("1.0", Format.OMA_JSON),
        ("1.1", Format.TLV),
        ("1.1", Format.SENML_JSON),
        ("1.1", Format.SENML_CBOR),
        ("1.2", Format.LWM2M_CBOR),
    ],
)
@virtual_time
async def test_objects_and_instances_are_read_in_each_format(
    clock: VirtualClock, tmp_path: File, version: str, format_: Format
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene, version)
        for path in ("/1", "/3", "/1/0", "/3/0", "/3/0/11", "/3/0/16"):
            answer = await meter.ask(Read(meter.paths(path), format_))
            assert (answer.code, answer.format, answer.error) == ("2.05", format_.value, None)
        values = await meter.read("/3/0", format_=format_)
        assert (values["/3/0/0"], values["/3/0/11/0"], values["/3/0/7/1"]) == ("Nodegate", 0, 5000)


@virtual_time
async def test_single_values_are_read_as_cbor(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene)
        for path, value in (("/1/0/0", 1), ("/1/0/6", True), ("/1/0/7", "U")):
            assert await meter.read(path, format_=Format.CBOR) == {path: value}


@virtual_time
async def test_resources_and_their_instances_are_read_one_by_one(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene)
        for path, value in (("/1/0/1", 300), ("/1/0/6", True), ("/3/0/16", "U"), ("/3/0/11/0", 0)):
            assert await meter.read(path) == {path: value}


@virtual_time
async def test_answer_is_read_by_the_format_that_the_device_chose(
    clock: VirtualClock, tmp_path: File
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene)
        for path in ("/1", "/3"):
            answer = await meter.ask(Read(meter.paths(path)))
            assert (answer.code, answer.format) == ("2.05", "senml-cbor")


@virtual_time
async def test_security_object_is_closed_to_the_server(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene)
        assert (await meter.ask(Read(meter.paths("/0")))).code == "4.01"
        assert (await meter.ask(meter.write("/0/0/0", "coap://elsewhere.example"))).code == "4.01"


@virtual_time
async def test_device_is_read_over_dtls(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene, security=Security.PSK)
        assert (await meter.read("/3/0", format_=Format.TLV))["/3/0/0"] == "Nodegate"


@pytest.mark.parametrize(
    ("path", "resources"),
    [
        ("/4/0", {0, 1, 2, 4}),
        ("/5/0", {3, 5, 8, 9}),
        ("/6/0", {0, 1, 5}),
        ("/7/0", {0, 1, 2, 3}),
    ],
)
@virtual_time
async def test_instances_of_the_core_objects_are_read(
    clock: VirtualClock, tmp_path: File, path: str, resources: set[int]
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene)
        values = await meter.read(path)
        assert resources <= {int(one.split("/")[3]) for one in values}
