"""Create and Delete, and the object list that follows them."""

from __future__ import annotations

from pathlib import Path as File

from gateway.lwm2m.operations import Delete, Discover
from gateway.lwm2m.path import parse_path
from tests.support.asking import managed
from tests.support.clock import VirtualClock, virtual_time
from tests.support.gateway import gateway_in_memory


@virtual_time
async def test_created_instance_is_listed_discovered_and_read(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene)
        made = await meter.ask(meter.creating("/16/1", {"0": {"0": "host", "1": "maker"}}))
        assert (made.code, [link.path for link in made.links or ()]) == ("2.01", ["/16/1"])
        found = await meter.ask(Discover(parse_path("/16/1")))
        links = {link.path: dict(link.attributes) for link in found.links or ()}
        assert links["/16/1/0"] == {"dim": "2"}
        assert (await meter.read("/16"))["/16/1/0/0"] == "host"

        def listed() -> list[str]:
            registration = scene.view("meter-7").registration
            return [] if registration is None else [link.path for link in registration.objects.links]

        await scene.until(lambda: "/16/1" in listed(), 5)


@virtual_time
async def test_object_stays_when_its_instances_are_deleted(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene)
        assert (await meter.ask(Delete(parse_path("/16/0")))).code == "2.02"
        found = await meter.ask(Discover(parse_path("/16")))
        assert [link.path for link in found.links or ()] == ["/16"]


@virtual_time
async def test_device_object_is_neither_created_nor_deleted(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene)
        assert (await meter.ask(meter.creating("/3", {"14": "+01:00"}))).code == "4.05"
        assert (await meter.ask(Delete(parse_path("/3/0")))).code == "4.05"
