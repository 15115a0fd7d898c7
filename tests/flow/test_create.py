"""Create, and the object list that follows it."""

from __future__ import annotations

from pathlib import Path as File

from tests.support.asking import managed
from tests.support.clock import VirtualClock, virtual_time
from tests.support.gateway import gateway_in_memory


@virtual_time
async def test_created_instance_is_listed_discovered_and_read(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene)
        made = await meter.ask(meter.creating("/16/1", {"0": {"0": "host", "1": "maker"}}))
        assert (made.code, [link.path for link in made.links or ()]) == ("2.01", ["/16/1"])
        assert (await meter.discover("/16/1"))["/16/1/0"] == {"dim": "2"}
        assert (await meter.read("/16"))["/16/1/0/0"] == "host"

        def listed() -> list[str]:
            registration = scene.view("meter-7").registration
            return [] if registration is None else [link.path for link in registration.objects.links]

        await scene.until(lambda: "/16/1" in listed(), 5)


@virtual_time
async def test_device_object_is_not_created(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene)
        assert (await meter.ask(meter.creating("/3", {"14": "+01:00"}))).code == "4.05"
