"""Wakaama's example client is managed: every operation in every format it has."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.lwm2m.attributes import parse_attributes
from gateway.lwm2m.formats import Format
from gateway.lwm2m.operations import Cancel, Delete, Discover, Execute, Observe, Read, WriteAttributes
from gateway.lwm2m.path import parse_path
from gateway.messaging.outcomes import TimedOut
from gateway.settings import DownlinkSettings
from tests.support.asking import Asked, NoAnswer
from tests.support.foreign import imei, require
from tests.support.managing import HOST, managing_gateway, running

pytestmark = pytest.mark.interop

NODE_ID = "wakaama-1"
TEST_OBJECT = "/31024"
"Its own object for tests, with instances 10, 11 and 12; the gateway has no definition of it."

READABLE = [Format.TEXT, Format.TLV, Format.SENML_JSON, Format.OMA_JSON]
UNKNOWN = [Format.CBOR, Format.SENML_CBOR, Format.LWM2M_CBOR]


@asynccontextmanager
async def client(
    folder: Path, downlink: DownlinkSettings | None = None
) -> AsyncIterator[tuple[Asked, asyncio.StreamWriter]]:
    """The client, registered over plain CoAP, and its keyboard."""
    program = require("lwm2mclient")
    async with managing_gateway(folder, downlink) as managing:
        await managing.create(NODE_ID)
        command = [program, "-4", "-h", HOST, "-p", str(managing.coap_port), "-l", "0", "-t", "120"]
        async with running([*command, "-n", NODE_ID], folder / "client.log") as keyboard:
            yield await managing.device(NODE_ID), keyboard


async def test_values_are_read_in_every_format_it_has(tmp_path: Path) -> None:
    async with client(tmp_path) as (device, _):
        for asked in (None, *READABLE):
            answer = await device.ask(Read(device.paths("/3/0/1"), asked))
            assert answer.values() == {"/3/0/1": "Lightweight M2M Client"}
            assert asked is None or answer.format == asked.value
        for path in ("/3", "/3/0"):
            for asked in (None, *READABLE[1:]):
                values = (await device.ask(Read(device.paths(path), asked))).values()
                assert values is not None
                assert (values["/3/0/6/0"], values["/3/0/6/1"], values["/3/0/9"]) == (1, 5, 100)
        for asked in UNKNOWN:
            answer = await device.ask(Read(device.paths("/3/0/1"), asked))
            assert (answer.code, answer.error) == ("4.06", "Not Acceptable")


async def test_values_are_written_in_the_formats_it_has(tmp_path: Path) -> None:
    async with client(tmp_path) as (device, _):
        for number, asked in enumerate((None, Format.TEXT, Format.TLV, Format.SENML_JSON)):
            zone = f"+{number:02}:00"
            assert (await device.ask(device.write("/3/0/14", zone, format_=asked))).code == "2.04"
            assert (await device.ask(Read(device.paths("/3/0/14")))).values() == {"/3/0/14": zone}
        answer = await device.ask(device.write("/3/0/14", "+00:00", format_=Format.CBOR))
        assert answer.code == "4.06", "where 4.15 is meant"


async def test_attributes_are_written_and_discovered(tmp_path: Path) -> None:
    async with client(tmp_path) as (device, _):
        attributes = parse_attributes(["pmin=1", "pmax=5"])
        assert (await device.ask(WriteAttributes(parse_path("/3/0/9"), attributes))).code == "2.04"
        answer = await device.ask(Discover(parse_path("/3/0/9")))
        assert answer.links is not None
        assert [each.describe() for each in answer.links] == [
            {"path": "/3/0/9", "attributes": {"pmin": "1", "pmax": "5"}}
        ]


async def test_instances_are_created_executed_and_deleted(tmp_path: Path) -> None:
    async with client(tmp_path) as (device, _):
        for path, value, asked in (
            (TEST_OBJECT, {"1": 12}, None),
            (f"{TEST_OBJECT}/21", {"1": 12}, Format.TLV),
            (f"{TEST_OBJECT}/22", {"1": 12}, Format.SENML_JSON),
            (f"{TEST_OBJECT}/23", {"1": 12}, Format.OMA_JSON),
        ):
            answer = await device.ask(device.creating(path, value, asked))
            assert answer.code == "2.01", (path, asked)
            assert answer.links is not None
            made = parse_path(answer.links[0].path)
            for arguments in ("", "0='a',1"):
                assert (await device.ask(Execute(made.child(2), arguments))).code == "2.04"
            assert (await device.ask(Delete(made))).code == "2.02"
        for path in (TEST_OBJECT, f"{TEST_OBJECT}/20"):
            answer = await device.ask(device.creating(path, {}))
            assert (answer.code, answer.error) == ("4.00", "Bad Request"), "it wants a value"


async def test_values_are_observed_in_the_formats_it_has_until_cancelled(tmp_path: Path) -> None:
    async with client(tmp_path) as (device, keyboard):
        paths = device.paths("/3/0/9")
        for level, asked in enumerate((None, *READABLE), start=50):
            answer, token = await device.observe(Observe(paths, asked))
            assert answer.is_usable, answer.error
            keyboard.write(b"change /3/0/9 %d\n" % level)
            assert await device.notification() == {"/3/0/9": level}
            assert (await device.ask(Cancel(paths, asked), token)).code == "2.05"
            device.forget(token)


async def test_composite_is_acknowledged_and_never_answered(tmp_path: Path) -> None:
    async with client(tmp_path, DownlinkSettings(response_timeout_s=1.0)) as (device, _):
        with pytest.raises(NoAnswer) as caught:
            await device.ask(Read(device.paths("/3/0/0", "/3/0/1")))
        assert caught.value.args == (TimedOut(is_acknowledged=True),)
        assert (await device.ask(Read(device.paths("/3/0/9")))).values() == {"/3/0/9": 100}


async def test_device_is_managed_over_its_session(tmp_path: Path) -> None:
    program, node_id, key = require("lwm2mclient_tinydtls"), f"urn:imei:{imei(1)}", secrets.token_bytes(16)
    async with managing_gateway(tmp_path) as managing:
        await managing.create(node_id, key)
        command = [program, "-4", "-h", HOST, "-p", str(managing.coaps_port), "-l", "0", "-t", "120"]
        command += ["-n", node_id, "-i", node_id, "-s", key.hex()]
        async with running(command, tmp_path / "client.log") as keyboard:
            device = await managing.device(node_id)
            assert (await device.ask(Read(device.paths("/3/0/9")))).values() == {"/3/0/9": 100}
            answer, token = await device.observe(Observe(device.paths("/3/0/9")))
            assert answer.is_usable
            keyboard.write(b"change /3/0/9 42\n")
            assert await device.notification() == {"/3/0/9": 42}
            assert (await device.ask(Cancel(device.paths("/3/0/9")), token)).code == "2.05"


async def test_what_the_device_sends_is_kept(tmp_path: Path) -> None:
    program = require("lwm2mclient")
    async with managing_gateway(tmp_path) as managing:
        await managing.create(NODE_ID)
        command = [program, "-4", "-h", HOST, "-p", str(managing.coap_port), "-l", "0", "-t", "120"]
        async with running([*command, "-n", NODE_ID], tmp_path / "client.log") as keyboard:
            device = await managing.device(NODE_ID)
            # It answers once it knows itself that it is registered.
            assert (await device.ask(Read(device.paths("/3/0/9")))).code == "2.05"
            keyboard.write(b"send 0 /3/0/9\n")
            assert await managing.values(NODE_ID) == {"/3/0/9": 100}
