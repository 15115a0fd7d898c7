"""What users of other servers complain about, each with a test here, on simulated devices.

The table of `docs/conformance.md` says which complaint is tried where.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path as File

import pytest

from gateway.lwm2m.ddf import decode_definitions
from gateway.lwm2m.formats import Format
from gateway.lwm2m.inputs import read_value
from gateway.lwm2m.model import DeviceModel
from gateway.lwm2m.operations import Execute, Read, Write
from gateway.lwm2m.path import parse_path
from gateway.objectmodel import own_model, store_definition
from registry import models
from registry.commands import CommandState
from registry.model import Security
from registry.sqlite import Database
from tests.support.clock import VirtualClock, virtual_time
from tests.support.commanding import ask, ended, join, look, measure, observe, play, read, values, write_zone
from tests.support.gateway import gateway_in_memory
from tools.simulator.client.contents import factory_contents

A_DAY_S = 86_400
FIRST_WAIT_S = 2.0
"Until a request is sent for the second time: what is done before has gone to the right place at once."

READ_ONLY_5750 = b"""<LWM2M><Object><Name>Temperature</Name><ObjectID>3303</ObjectID>
<ObjectVersion>1.9</ObjectVersion><Resources><Item ID="5750"><Name>Application Type</Name>
<Operations>R</Operations><MultipleInstances>Single</MultipleInstances><Type>String</Type></Item>
</Resources></Object></LWM2M>"""


@pytest.mark.parametrize("is_update", [True, False], ids=["update", "notification"])
@virtual_time
async def test_request_goes_to_where_the_device_was_heard_last(
    clock: VirtualClock, tmp_path: File, is_update: bool
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await play(scene, lifetime_s=A_DAY_S).registered()
        await ended(scene, ask(scene, observe("/3303/0/5700")))
        player.connection.rebind()
        if is_update:
            player.update()
        else:
            measure(player, 33.0)
        await asyncio.sleep(1)
        answered = await ended(scene, ask(scene, read("/3/0/0")), FIRST_WAIT_S)
        assert (answered.result.code, answered.attempts) == ("2.05", 1)


@virtual_time
async def test_device_that_moves_before_it_answers_is_asked_where_it_is(
    clock: VirtualClock, tmp_path: File
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await play(scene, lifetime_s=A_DAY_S).registered()
        for operation, result in (
            (read("/3/0/0"), ("2.05", None, 2)),
            (Execute(parse_path("/3/0/12")), (None, "unknown outcome", 1)),
        ):
            player.connection.is_silent = True
            command = ask(scene, operation)
            await scene.until(lambda command=command: look(scene, command).state is CommandState.SENT)
            player.connection.rebind()
            player.connection.is_silent = False
            player.update()
            end = await ended(scene, command, FIRST_WAIT_S)
            assert (end.result.code, end.result.error, end.attempts) == result


@pytest.mark.parametrize("is_crashing", [False, True], ids=["stop", "crash"])
@virtual_time
async def test_many_commands_wait_for_one_device_and_survive_in_their_order(
    clock: VirtualClock, tmp_path: File, is_crashing: bool
) -> None:
    async with gateway_in_memory(clock, tmp_path, is_crashing=is_crashing) as scene:
        scene.administration.create("meter-7", Security.NONE)
        asked = [
            ask(scene, operation)
            for name in ("first", "second", "third")
            for operation in (write_zone(name), read("/3/0/15"))
        ]
        await asyncio.sleep(1)
    async with gateway_in_memory(clock, tmp_path) as scene:
        join(scene)
        results = [(await ended(scene, id_)).result.values for id_ in asked]
        assert [json.loads(result)["/3/0/15"] for result in results if result] == ["first", "second", "third"]


@virtual_time
async def test_notifications_of_a_composite_are_taken_also_after_a_restart(
    clock: VirtualClock, tmp_path: File
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await play(scene, lifetime_s=A_DAY_S).registered()
        first = await ended(scene, ask(scene, observe("/3303/0/5700", "/3/0/9")))
        assert first.state is CommandState.ANSWERED
        measure(player, 30.0)
        await scene.until(lambda: values(scene).get("/3303/0/5700") == 30.0)
        network = scene.network
    async with gateway_in_memory(clock, tmp_path, network=network) as scene:
        measure(player, 31.0)
        await scene.until(lambda: values(scene).get("/3303/0/5700") == 31.0)
        assert len(player.device.client.observations) == 1, "a Reset would have ended it"


@virtual_time
async def test_version_that_nobody_defined_is_read_by_its_neighbour_until_one_is_imported(
    clock: VirtualClock, tmp_path: File
) -> None:
    contents = replace(factory_contents("1.1", A_DAY_S), listed_versions={3303: "1.9"})
    async with gateway_in_memory(clock, tmp_path) as scene:
        await play(scene, contents=contents, lifetime_s=A_DAY_S).registered()
        name = parse_path("/3303/0/5750")
        write = Write(name, read_value(name, "cellar", DeviceModel(own_model())))
        neighbour = await ended(scene, ask(scene, Read((parse_path("/3303/0/5700"),), Format.TLV)))
        assert json.loads(neighbour.result.values or "") == {"/3303/0/5700": 21.5}, "as a Float"
        assert (await ended(scene, ask(scene, write))).result.code == "2.04"
        with Database.open(tmp_path / "registry.db") as database, database.transaction() as connection:
            imported = map(store_definition, decode_definitions(READ_ONLY_5750))
            models.store_definitions(connection, imported, clock.wall_ms())
        await asyncio.sleep(3)
        refused = await ended(scene, ask(scene, write))
        assert refused.attempts == 0
        assert refused.result.error == "/3303/0/5750 (Application Type) is not writable"


@pytest.mark.parametrize(
    ("lwm2m", "format_"),
    [
        ("1.0", Format.TEXT),
        ("1.0", Format.TLV),
        ("1.0", Format.OMA_JSON),
        ("1.1", Format.SENML_JSON),
        ("1.1", Format.SENML_CBOR),
        ("1.1", Format.CBOR),
        ("1.2", Format.LWM2M_CBOR),
    ],
    ids=str,
)
@virtual_time
async def test_numbers_come_as_the_device_has_them(
    clock: VirtualClock, tmp_path: File, lwm2m: str, format_: Format
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await play(scene, lwm2m=lwm2m, lifetime_s=A_DAY_S).registered()
        for path, number, text in (
            ("/1/0/5", 9_007_199_254_740_993, "9007199254740993"),
            ("/1/0/5", -(2**63), "-9223372036854775808"),
            ("/3303/0/5700", 20.0, "20.0"),
            ("/3303/0/5700", 0.1, "0.1"),
            ("/3303/0/5700", -1.7976931348623157e308, "-1.7976931348623157e+308"),
        ):
            where = parse_path(path)
            player.device.set_value(where, number, asyncio.get_running_loop().time())
            answered = await ended(scene, ask(scene, Read((where,), format_)))
            assert answered.result.values == f'{{"{path}": {text}}}'
            (kept,) = scene.administration.values("meter-7", path)
            assert json.dumps(kept.value) == text
