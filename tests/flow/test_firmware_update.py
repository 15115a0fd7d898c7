"""Firmware updates of simulated devices: pushed by the gateway, and pulled from a file server."""

from __future__ import annotations

import asyncio
from pathlib import Path as File
from random import Random

import pytest
from aiocoap.numbers.codes import Code

from gateway.address import Address
from gateway.lwm2m.operations import Execute, Observe, Read
from gateway.lwm2m.path import parse_path
from tests.support.asking import Asked
from tests.support.clock import VirtualClock, virtual_time
from tests.support.gateway import Player, Scene, gateway_in_memory
from tools.simulator.client.contents import factory_contents
from tools.simulator.client.exchanges import Request, Response
from tools.simulator.client.firmware import Result, build_package
from tools.simulator.coap import CoapSettings
from tools.simulator.download import Download, PackageUri, parse_package_uri
from tools.simulator.events import PackageWanted, Registered
from tools.simulator.fetching import Fetching
from tools.simulator.messages import MessageIds, decode_message
from tools.simulator.network import Impairment
from tools.simulator.serving import CoapServer

PACKAGE = build_package("app", "2.0.0", bytes(range(256)) * 40)
FILES = Address("203.0.113.9", 5683)
LOSSY = Impairment(loss=0.1, duplicate=0.2, delay_s=0.02, jitter_s=0.05)
UPDATE = Execute(parse_path("/5/0/2"))


async def begin(scene: Scene) -> tuple[Player, Asked]:
    player = scene.play("meter-7", contents=factory_contents("1.1"))
    return player, await Asked.of(scene, "meter-7")


async def states(meter: Asked) -> tuple[object, ...]:
    values = (await meter.ask(Read(meter.paths("/5/0")))).values() or {}
    return values["/5/0/3"], values["/5/0/5"]


async def version(meter: Asked) -> object:
    return (await meter.ask(Read(meter.paths("/3/0/3")))).values()


@virtual_time
async def test_pushed_package_is_installed_and_seen_after_the_reboot(
    clock: VirtualClock, tmp_path: File
) -> None:
    async with gateway_in_memory(clock, tmp_path, uplink=LOSSY, downlink=LOSSY) as scene:
        player, meter = await begin(scene)
        await meter.observe(Observe(meter.paths("/5/0/3")))
        assert (await meter.ask(UPDATE)).code == "4.05"
        assert (await meter.ask(meter.write("/5/0/0", "hex:" + PACKAGE.hex()))).code == "2.04"
        assert await states(meter) == (2, 0)
        await scene.until(lambda: meter.notified and meter.notified[-1][1] == {"/5/0/3": 2}, 10)
        assert (await meter.ask(UPDATE)).code == "2.04"
        await scene.until(lambda: player.count(Registered) == 2, 60)
        meter = await Asked.of(scene, "meter-7")
        assert await states(meter) == (0, 1)
        assert await version(meter) == {"/3/0/3": "2.0.0"}


def serve_files(scene: Scene, files: dict[tuple[str, ...], bytes]) -> None:
    """A file server at `FILES`; it answers each address by itself."""
    servers: dict[Address, CoapServer] = {}
    random = Random(2)

    def answer(request: Request, now: float) -> Response:
        content = files.get(request.path)
        return Response(Code.NOT_FOUND) if content is None else Response(Code.CONTENT, content, 42)

    def receive(datagram: bytes, address: Address) -> None:
        server = servers.get(address)
        if server is None:
            server = servers[address] = CoapServer(
                answer,
                CoapSettings(block_exponent=5),
                random,
                MessageIds(random),
                on_refused=lambda token: None,
                on_body=lambda path, now: None,
            )
        message = decode_message(datagram)
        assert message is not None
        server.answer(message, asyncio.get_running_loop().time())
        for wire in server.messages_to_send():
            scene.network.carry_down(wire, address)

    scene.network.listen(FILES, receive)


def fetch(scene: Scene, player: Player, wanted: PackageWanted) -> None:
    """Get what the device wants, as the owner of its sockets does."""
    loop = asyncio.get_running_loop()

    def finish(outcome: bytes | Result) -> None:
        player.device.finish_download(outcome, loop.time())
        player.driver.settle()

    place = parse_package_uri(wanted.uri)
    if not isinstance(place, PackageUri):
        finish(place)
        return
    download = Download(place, CoapSettings(), Random(3))
    connection = scene.network.connect(
        Address(place.host, place.port), lambda datagram: fetching.receive(datagram)
    )
    fetching = Fetching(download, loop, connection.send, finish)
    fetching.start()


@pytest.mark.parametrize(
    ("uri", "end"),
    [
        ("coap://203.0.113.9/app", (2, 0)),
        ("coap://203.0.113.9/none", (0, 7)),
        ("coap://203.0.113.10/app", (0, 4)),
        ("https://203.0.113.9/app", (0, 9)),
        ("coap://203.0.113.9/text", (0, 6)),
    ],
)
@virtual_time
async def test_pulled_package_ends_as_its_uri_deserves(
    clock: VirtualClock, tmp_path: File, uri: str, end: tuple[int, int]
) -> None:
    async with gateway_in_memory(clock, tmp_path, downlink=LOSSY) as scene:
        player, meter = await begin(scene)
        serve_files(scene, {("app",): PACKAGE, ("text",): b"no package"})
        assert (await meter.ask(meter.write("/5/0/1", uri))).code == "2.04"
        await scene.until(lambda: player.count(PackageWanted) == 1, 5)
        (wanted,) = [event for event in player.events if isinstance(event, PackageWanted)]
        assert await states(meter) == (1, 0)
        fetch(scene, player, wanted)
        await scene.until(lambda: player.device.client.get(parse_path("/5/0/3")) != 1, 200)
        assert await states(meter) == end
