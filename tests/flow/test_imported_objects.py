"""Objects that Nodegate has no definitions of, managed once these were imported while the gateway runs."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path as File

import pytest

from gateway.lwm2m.coreobjects import decode_table
from gateway.lwm2m.formats import Format
from gateway.lwm2m.model import DeviceModel, Model
from gateway.lwm2m.operations import Execute, Observe
from gateway.lwm2m.path import Path, parse_path
from gateway.lwm2m.values import ObjectLink
from gateway.lwm2m.versions import Version
from gateway.objectmodel import own_model, store_definition
from registry.models import store_definitions
from registry.sqlite import Database
from tests.support.asking import Asked, managed, measure
from tests.support.clock import VirtualClock, virtual_time
from tests.support.gateway import Player, Scene, gateway_in_memory
from tools.simulator.client.contents import Contents, Instance, build_contents, factory_contents

DEFINITIONS = decode_table("""\
object 10 1.1 single optional Cellular Connectivity
4 RW single optional integer PSM Timer
5 RW single optional integer Active Timer
8 RW single optional opaque eDRX parameters WB-S1
9 RW single optional opaque eDRX parameters NB-S1
11 R multiple mandatory objlnk Activated Profile Names
13 RW single optional unsigned Active Power Saving Modes | 0..255
14 RW single optional unsigned Release Assistance Usage | 0..255

object 11 1.1 multiple optional APN Connection Profile
0 RW single mandatory string Profile name
3 RW single optional boolean Enable status
4 RW single mandatory integer Authentication Type

object 13 1.1 single optional Bearer Selection
0 RW multiple optional integer Preferred Communications Bearer | 0..100

object 20 2.1 multiple optional Event Log
4010 RW single optional integer LogClass | 255
4011 E single optional none LogStart
4013 R single optional integer LogStatus
4014 R single mandatory opaque LogData
""")

CELLULAR: dict[Path, Instance] = {
    Path((10, 0)): {4: 3600, 5: 600, 8: b"\x5d", 9: b"\x0d", 11: {0: ObjectLink(11, 0)}, 13: 1, 14: 0},
    Path((11, 0)): {0: "first", 3: True, 4: 0},
}
CONTAINERS: dict[Path, Instance] = {
    Path((19, 0)): {0: {0: b"from the device"}},
    Path((19, 1)): {0: {0: b""}},
}
LOG: dict[Path, Instance] = {Path((20, 0)): {4010: 0, 4011: None, 4013: 3, 4014: b"\x01\x02"}}


def contents_of(instances: dict[Path, Instance], *objects: int) -> Contents:
    """A 1.1 device that has *instances* besides what every one has, and supports empty *objects*."""
    factory = dict(factory_contents("1.1", 300).instances)
    contents = build_contents(Version(1, 1), {**factory, **instances}, objects=objects)
    model = Model([*own_model().definitions(), *DEFINITIONS])
    listed = {each.id: each.version for each in DEFINITIONS if each.id in contents.objects}
    versions = {**contents.model._versions, **listed}
    return replace(contents, model=DeviceModel(model, versions), listed_versions=listed)


async def begin(scene: Scene, folder: File, contents: Contents) -> tuple[Player, Asked]:
    """The definitions are imported while the gateway runs; then the device comes."""
    with Database.open(folder / "registry.db") as database, database.transaction() as connection:
        store_definitions(connection, map(store_definition, DEFINITIONS), 0)
    await scene.gateway.definitions.work()
    return await managed(scene, contents=contents)


def objects_of(scene: Scene) -> dict[str, str | None]:
    """Path → version, as the device listed them."""
    registration = scene.view("meter-7").registration
    links = () if registration is None else registration.objects.links
    return {link.path: link.version for link in links}


@pytest.mark.parametrize("format_", [Format.TLV, Format.SENML_CBOR])
@virtual_time
async def test_cellular_connectivity_is_discovered_read_and_written(
    clock: VirtualClock, tmp_path: File, format_: Format
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await begin(scene, tmp_path, contents_of(CELLULAR))
        assert objects_of(scene)["/10/0"] == "1.1"
        assert await meter.read("/10/0", format_=format_) == {
            "/10/0/4": 3600,
            "/10/0/5": 600,
            "/10/0/8": "5d",
            "/10/0/9": "0d",
            "/10/0/11/0": "11:0",
            "/10/0/13": 1,
            "/10/0/14": 0,
        }
        assert {"/10/0/11", "/10/0/14"} <= (await meter.discover("/10")).keys()
        assert (await meter.ask(meter.write("/10/0/14", 2, format_=format_))).code == "2.04"
        assert await meter.read("/10/0/14") == {"/10/0/14": 2}


@virtual_time
async def test_changes_of_cellular_connectivity_are_observed(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player, meter = await begin(scene, tmp_path, contents_of(CELLULAR))
        changes = {"/10/0/13": 2, "/10/0/14": 1, "/10/0/4": 7200, "/10/0/8": b"\x0d"}
        for path in changes:
            await meter.attach(path, "pmin=1", "pmax=600")
            assert (await meter.observe(Observe(meter.paths(path))))[0].code == "2.05"
        await asyncio.sleep(2)
        for path, value in changes.items():
            measure(player, path, value)
        await scene.until(lambda: len(meter.notified) == len(changes), 10)
        told = {path: value for _, values in meter.notified for path, value in values.items()}
        assert told == changes


@virtual_time
async def test_new_apn_profile_is_listed_enabled_and_activated(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player, meter = await begin(scene, tmp_path, contents_of(CELLULAR))
        profile = meter.creating("/11/1", {"0": "second", "3": False, "4": 0})
        assert (await meter.ask(profile)).code == "2.01"
        assert (await meter.ask(Execute(parse_path("/1/0/8")))).code == "2.04"
        await scene.until(lambda: "/11/1" in objects_of(scene), 5)
        assert (await meter.ask(meter.write("/11/1/3", True))).code == "2.04"
        player.device.client.set(
            parse_path("/10/0/11/1"), ObjectLink(11, 1), asyncio.get_running_loop().time()
        )
        assert await meter.read("/10/0/11") == {"/10/0/11/0": "11:0", "/10/0/11/1": "11:1"}


@virtual_time
async def test_device_that_is_sent_to_another_bearer_stays_registered(
    clock: VirtualClock, tmp_path: File
) -> None:
    settings = {"registration": {"nosec_binding": "location"}}
    async with gateway_in_memory(clock, tmp_path, settings=settings) as scene:
        player, meter = await begin(scene, tmp_path, contents_of({}, 13))
        assert (await meter.ask(meter.creating("/13", {"0": {"0": 21}}))).code == "2.01"
        await scene.until(lambda: "/13/0" in objects_of(scene), 5)
        location = player.location
        for _ in range(2):
            player.connection.rebind()
            player.update()
            await asyncio.sleep(2)
            meter = await Asked.of(scene, "meter-7")
            assert meter.registration.location == location
            assert meter.registration.address == str(player.connection.outside)
            assert await meter.read("/13/0/0") == {"/13/0/0/0": 21}


@virtual_time
async def test_containers_are_observed_and_written(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player, meter = await begin(scene, tmp_path, contents_of(CONTAINERS))
        await meter.attach("/19/0/0", "pmin=300", "pmax=3600")
        begun_at = asyncio.get_running_loop().time()
        await meter.observe(Observe(meter.paths("/19/0/0")))
        measure(player, "/19/0/0/0", b"news")
        await scene.until(lambda: meter.notified, 301)
        ((told_at, values),) = meter.notified
        assert (round(told_at - begun_at), values) == (300, {"/19/0/0/0": b"news"})
        assert (await meter.ask(meter.write("/19/1/0", {"0": b"\x00\xff"}))).code == "2.04"
        assert await meter.read("/19/1/0") == {"/19/1/0/0": "00ff"}


@virtual_time
async def test_event_log_is_written_and_read(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await begin(scene, tmp_path, contents_of(LOG))
        assert (await meter.ask(meter.write("/20/0/4010", 1))).code == "2.04"
        values = await meter.read("/20/0", format_=Format.TLV)
        assert values == {"/20/0/4010": 1, "/20/0/4013": 3, "/20/0/4014": "0102"}
