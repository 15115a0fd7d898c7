"""Read-Composite."""

from __future__ import annotations

from pathlib import Path as File

import pytest

from gateway.lwm2m.formats import Format
from tests.support.asking import managed
from tests.support.clock import VirtualClock, virtual_time
from tests.support.gateway import gateway_in_memory

FORMATS = pytest.mark.parametrize("format_", [Format.SENML_JSON, Format.SENML_CBOR])


@FORMATS
@virtual_time
async def test_exactly_the_paths_are_read(clock: VirtualClock, tmp_path: File, format_: Format) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene)
        values = await meter.read("/3/0/16", "/3/0/11/0", "/1/0", format_=format_)
        assert (values["/3/0/16"], values["/3/0/11/0"], values["/1/0/1"]) == ("U", 0, 300)
        assert {path[:5] for path in values} <= {"/3/0/", "/1/0/"}


@FORMATS
@virtual_time
async def test_what_is_not_there_or_not_readable_is_left_out(
    clock: VirtualClock, tmp_path: File, format_: Format
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene)
        values = await meter.read(
            "/1/0/1", "/1/0/7", "/1/0/8", "/3339/0/5522", "/3353/0/6030", format_=format_
        )
        assert values == {"/1/0/1": 300, "/1/0/7": "U"}


@FORMATS
@virtual_time
async def test_root_is_all_that_a_server_may_read(
    clock: VirtualClock, tmp_path: File, format_: Format
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        _, meter = await managed(scene)
        objects = {path.split("/")[1] for path in await meter.read("/", format_=format_)}
        assert objects == {"1", "3", "4", "5", "6", "7", "16", "3303"}
