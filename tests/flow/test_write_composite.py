"""Write-Composite."""

from __future__ import annotations

from pathlib import Path as File

import pytest

from gateway.lwm2m.formats import Format
from tests.support.asking import managed
from tests.support.clock import VirtualClock, virtual_time
from tests.support.gateway import gateway_in_memory


@pytest.mark.parametrize("format_", [Format.SENML_JSON, Format.SENML_CBOR])
@virtual_time
async def test_values_of_several_objects_are_written_at_once(
    clock: VirtualClock, tmp_path: File, format_: Format
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene)
        values: dict[str, object] = {"/1/0/1": 61, "/1/0/6": True, "/16/0/0/0": "aa", "/16/0/0/1": "bb"}
        values |= {"/1/0/2": 101, "/3/0/13": 0}
        assert (await meter.ask(meter.write_all(values, format_))).code == "2.04"
        assert await meter.read(*values) == values
