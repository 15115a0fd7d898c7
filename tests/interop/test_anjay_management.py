"""Anjay's demo client is managed: every operation in every format it has, in each version of LwM2M."""

from __future__ import annotations

import os
import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gateway.lwm2m.attributes import parse_attributes
from gateway.lwm2m.formats import Format
from gateway.lwm2m.operations import Cancel, Delete, Discover, Execute, Observe, Read, WriteAttributes
from gateway.lwm2m.path import parse_path
from tests.support.asking import Asked
from tests.support.foreign import imei, require
from tests.support.managing import managing_gateway, running

pytestmark = pytest.mark.interop

NODE_ID = "anjay-1"
TEST_OBJECT = "/33605"
"Its own object for tests; the gateway has no definition of it."

ONE_VALUE = [Format.TEXT, Format.CBOR]
MANY_VALUES = [Format.TLV, Format.SENML_JSON, Format.SENML_CBOR, Format.OMA_JSON, Format.LWM2M_CBOR]
WRITABLE = [each for each in MANY_VALUES if each is not Format.OMA_JSON]
COMPOSITE = [
    Format.SENML_JSON,
    Format.SENML_CBOR,
    Format.LWM2M_CBOR,
    Format.SENML_ETCH_JSON,
    Format.SENML_ETCH_CBOR,
]

VERSIONS = pytest.mark.parametrize("version", ["1.0", "1.1", "1.2"])
LATER_VERSIONS = pytest.mark.parametrize("version", ["1.1", "1.2"])


@asynccontextmanager
async def demo(folder: Path, version: str = "1.1", *more: str) -> AsyncIterator[Asked]:
    """The demo, registered over plain CoAP."""
    program = require("demo")
    async with managing_gateway(folder) as managing:
        await managing.create(NODE_ID)
        command = [program, "-e", NODE_ID, "-u", managing.coap, "-s", "nosec", "-l", "120"]
        async with running([*command, "-v", version, "-V", version, *more], folder / "demo.log"):
            yield await managing.device(NODE_ID)


def is_named(answer_format: str | None, asked: Format) -> bool:
    """Whether the answer is in the format that was asked for; a patch is answered with values."""
    return answer_format == asked.value.replace("-etch", "")


@VERSIONS
async def test_values_are_read_in_every_format(tmp_path: Path, version: str) -> None:
    async with demo(tmp_path, version) as device:
        for asked in (None, *ONE_VALUE, *MANY_VALUES):
            answer = await device.ask(Read(device.paths("/3/0/3"), asked))
            assert (answer.code, answer.is_usable, answer.values()) == ("2.05", True, {"/3/0/3": "3.14.0"})
            assert asked is None or is_named(answer.format, asked)
        for path in ("/3", "/3/0"):
            for asked in (None, *MANY_VALUES):
                answer = await device.ask(Read(device.paths(path), asked))
                values = answer.values()
                assert answer.is_usable, answer.error
                assert values is not None
                assert (values["/3/0/1"], values["/3/0/6/0"]) == ("demo-client", 0)
        answer = await device.ask(Read(device.paths("/3/0/3"), Format.OPAQUE))
        assert (answer.code, answer.error) == ("4.06", "Not Acceptable")


@VERSIONS
async def test_values_are_written_in_every_format(tmp_path: Path, version: str) -> None:
    async with demo(tmp_path, version) as device:
        for number, asked in enumerate((None, *ONE_VALUE, *WRITABLE)):
            zone = f"+{number:02}:00"
            assert (await device.ask(device.write("/3/0/14", zone, format_=asked))).code == "2.04"
            assert (await device.ask(Read(device.paths("/3/0/14")))).values() == {"/3/0/14": zone}
        for number, asked in enumerate((None, *WRITABLE)):
            written = {14: f"-{number:02}:00", 15: f"Etc/GMT+{number}"}
            answer = await device.ask(device.write("/3/0", written, is_partial=True, format_=asked))
            assert answer.code == "2.04"
            values = (await device.ask(Read(device.paths("/3/0")))).values()
            assert values is not None
            assert (values["/3/0/14"], values["/3/0/15"]) == (written[14], written[15])
        answer = await device.ask(device.write("/3/0/14", "+00:00", format_=Format.OMA_JSON))
        assert (answer.code, answer.error) == ("4.15", "Unsupported Content-Format")


@VERSIONS
async def test_attributes_are_written_and_discovered(tmp_path: Path, version: str) -> None:
    async with demo(tmp_path, version) as device:
        attributes = parse_attributes(["pmin=1", "pmax=5", "gt=80.5", "lt=20", "st=2"])
        assert (await device.ask(WriteAttributes(parse_path("/3/0/9"), attributes))).code == "2.04"
        answer = await device.ask(Discover(parse_path("/3/0/9")))
        assert answer.links is not None
        assert [each.path for each in answer.links] == ["/3/0/9"]
        found = dict(answer.links[0].attributes)
        assert {name: float(value or 0) for name, value in found.items()} == {
            "pmin": 1,
            "pmax": 5,
            "gt": 80.5,
            "lt": 20,
            "st": 2,
        }
        answer = await device.ask(Discover(parse_path("/3")))
        assert answer.links is not None
        paths = [each.path for each in answer.links]
        assert paths[:3] == ["/3", "/3/0", "/3/0/0"]
        assert (await device.ask(Discover(parse_path("/9999")))).code == "4.04"


@VERSIONS
async def test_instances_are_created_executed_and_deleted(tmp_path: Path, version: str) -> None:
    async with demo(tmp_path, version) as device:
        made = []
        for path, value, asked in (
            (TEST_OBJECT, {}, None),
            (TEST_OBJECT, {"12": 7}, None),
            (TEST_OBJECT, {"12": 7}, Format.TLV),
            (f"{TEST_OBJECT}/20", {}, None),
            *((f"{TEST_OBJECT}/{30 + n}", {"12": 7}, each) for n, each in enumerate(WRITABLE)),
        ):
            answer = await device.ask(device.creating(path, value, asked))
            assert answer.code == "2.01", (path, asked)
            assert answer.links is not None
            made.append(answer.links[0].path)
        assert len(set(made)) == len(made) == 8
        instance = made[0]
        for arguments in ("", "0", "1='a',2,3='x.y'"):
            answer = await device.ask(Execute(parse_path(f"{instance}/4"), arguments))
            assert answer.code == "4.05", "not one that can be executed"
            assert (await device.ask(Execute(parse_path(f"{instance}/2"), arguments))).code == "2.04"
        read = await device.ask(Read(device.paths(f"{instance}/1"), Format.TEXT))
        assert read.values() == {f"{instance}/1": 3} or read.values() == {f"{instance}/1": "3"}
        for path in made:
            assert (await device.ask(Delete(parse_path(path)))).code == "2.02"
            assert (await device.ask(Delete(parse_path(path)))).code == "4.04"


@LATER_VERSIONS
async def test_composites_in_every_format(tmp_path: Path, version: str) -> None:
    async with demo(tmp_path, version) as device:
        for number, asked in enumerate((None, *COMPOSITE)):
            written = {"/3/0/14": f"+{number:02}:30", "/3/0/15": f"Etc/GMT-{number}", "/1/1/3": 60 + number}
            assert (await device.ask(device.write_all(written, asked))).code == "2.04"
            answer = await device.ask(Read(device.paths("/3/0/14", "/3/0/15", "/1/1/3"), asked))
            assert answer.values() == written
            assert asked is None or is_named(answer.format, asked)
        answer = await device.ask(Read(device.paths("/"), Format.SENML_CBOR))
        values = answer.values()
        assert values is not None
        assert values["/3/0/3"] == "3.14.0"
        assert not any(path.startswith("/0/") for path in values)


@VERSIONS
async def test_values_are_observed_in_every_format_until_cancelled(tmp_path: Path, version: str) -> None:
    async with demo(tmp_path, version) as device:
        paths = device.paths("/3/0/13")
        for asked in (None, *ONE_VALUE, *MANY_VALUES):
            answer, token = await device.observe(Observe(paths, asked))
            assert answer.is_usable, answer.error
            [(path, first)] = (answer.values() or {}).items()
            assert path == "/3/0/13"
            later = await device.notification()
            assert first < later["/3/0/13"] <= first + 5
            assert (await device.ask(Cancel(paths, asked), token)).code == "2.05"
            device.forget(token)


@LATER_VERSIONS
async def test_composites_are_observed_until_cancelled(tmp_path: Path, version: str) -> None:
    async with demo(tmp_path, version) as device:
        paths = device.paths("/3/0/13", "/3/0/3")
        for asked in (None, *COMPOSITE[:3]):
            answer, token = await device.observe(Observe(paths, asked))
            assert answer.is_usable, answer.error
            later = await device.notification()
            assert set(later) == {"/3/0/13", "/3/0/3"}
            assert (await device.ask(Cancel(paths, asked), token)).code == "2.05"
            device.forget(token)


@VERSIONS
async def test_a_megabyte_goes_in_blocks_both_ways(tmp_path: Path, version: str) -> None:
    async with demo(tmp_path, version) as device:
        assert (await device.ask(device.creating(f"{TEST_OBJECT}/0", {}))).code == "2.01"
        raw = f"{TEST_OBJECT}/0/10"
        content = secrets.token_bytes(1 << 20)
        answer = await device.ask(device.write(raw, content, format_=Format.OPAQUE))
        assert answer.code == "2.04"
        answer = await device.ask(Read(device.paths(raw), Format.OPAQUE))
        assert answer.records[0].value == content


@VERSIONS
async def test_notifications_longer_than_a_datagram_are_fetched(tmp_path: Path, version: str) -> None:
    async with demo(tmp_path, version) as device:
        assert (await device.ask(device.creating(f"{TEST_OBJECT}/0", {}))).code == "2.01"
        assert (
            await device.ask(device.write(f"{TEST_OBJECT}/0/6", 5000, format_=Format.TEXT))
        ).code == "2.04"
        for asked in (Format.TLV, Format.SENML_CBOR):
            answer, token = await device.observe(Observe(device.paths(f"{TEST_OBJECT}/0"), asked))
            assert answer.is_usable, answer.error
            for _ in range(2):
                values = await device.notification()
                assert len(values[f"{TEST_OBJECT}/0/5"]) == 5000
            await device.ask(Cancel(device.paths(f"{TEST_OBJECT}/0"), asked), token)
            device.forget(token)


async def test_device_in_small_datagrams_gets_smaller_blocks(tmp_path: Path) -> None:
    async with demo(tmp_path, "1.1", "-I", "800", "-O", "800") as device:
        assert (await device.ask(device.creating(f"{TEST_OBJECT}/0", {}))).code == "2.01"
        content = os.urandom(5000)
        raw = f"{TEST_OBJECT}/0/10"
        assert (await device.ask(device.write(raw, content, format_=Format.OPAQUE))).code == "2.04"
        answer = await device.ask(Read(device.paths(raw), Format.OPAQUE))
        assert answer.records[0].value == content


async def test_device_is_managed_over_its_session(tmp_path: Path) -> None:
    program, node_id, key = require("demo"), f"urn:imei:{imei(1)}", secrets.token_bytes(16)
    async with managing_gateway(tmp_path) as managing:
        await managing.create(node_id, key)
        command = [program, "-e", node_id, "-u", managing.coaps, "-s", "psk", "-l", "120"]
        command += ["-i", node_id.encode().hex(), "-k", key.hex(), "--ciphersuites", "0xC0A8"]
        async with running(command, tmp_path / "demo.log"):
            device = await managing.device(node_id)
            assert (await device.ask(Read(device.paths("/3/0/3")))).values() == {"/3/0/3": "3.14.0"}
            assert (await device.ask(device.write("/3/0/14", "+01:00"))).code == "2.04"
            answer, token = await device.observe(Observe(device.paths("/3/0/13")))
            assert answer.is_usable
            assert await device.notification()
            assert (await device.ask(Cancel(device.paths("/3/0/13")), token)).code == "2.05"


@LATER_VERSIONS
async def test_what_the_device_sends_is_kept(tmp_path: Path, version: str) -> None:
    program = require("demo")
    async with managing_gateway(tmp_path) as managing:
        await managing.create(NODE_ID)
        command = [program, "-e", NODE_ID, "-u", managing.coap, "-s", "nosec", "-l", "120"]
        log = tmp_path / "demo.log"
        async with running([*command, "-v", version, "-V", version], log) as keyboard:
            device = await managing.device(NODE_ID)
            # It answers once it knows itself that it is registered.
            assert (await device.ask(Read(device.paths("/3/0/9")))).code == "2.05"
            keyboard.write(b"send 1 /3/0/3 /3/0/9\n")
            assert (await managing.values(NODE_ID))["/3/0/3"] == "3.14.0"
