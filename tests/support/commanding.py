"""Commands for simulated devices, stored as the command line does it, and what came of them."""

from __future__ import annotations

import asyncio

from gateway.commanding import make_command
from gateway.lwm2m.operations import Observe, Operation, Read, Write
from gateway.lwm2m.path import parse_path
from gateway.lwm2m.records import Record
from gateway.lwm2m.requests import Refusal
from gateway.lwm2m.values import Type
from registry.commands import Command
from registry.model import Security
from tests.support.gateway import Player, Scene
from tools.simulator.client.contents import factory_contents

METER = "meter-7"
SENSOR = parse_path("/3303/0/5700")
ZONE = parse_path("/3/0/15")


def play(scene: Scene, node_id: str = METER, security: Security = Security.NONE, **settings) -> Player:
    """A new device with objects."""
    return scene.play(node_id, security, **_with_contents(settings))


def join(scene: Scene, node_id: str = METER, **settings) -> Player:
    """The same for one that the registry has."""
    return scene.join(node_id, **_with_contents(settings))


def _with_contents(settings: dict) -> dict:
    version = settings.get("lwm2m", "1.1")
    contents = factory_contents(version, settings.get("lifetime_s", 300))
    return {"lwm2m": version, "contents": contents, **settings}


def ask(scene: Scene, operation: Operation, node_id: str = METER, ttl_s: int | None = 3_600) -> int:
    """Store a command; its id."""
    new = make_command(operation, None, ttl_s)
    assert not isinstance(new, Refusal)
    return scene.administration.store_command(node_id, new).id


def look(scene: Scene, id_: int) -> Command:
    """The command as it is stored."""
    return scene.administration.get_command(id_)


async def ended(scene: Scene, id_: int, limit_s: float = 600.0) -> Command:
    """The same at its end."""
    await scene.until(lambda: look(scene, id_).has_ended, limit_s)
    return look(scene, id_)


def read(*paths: str) -> Read:
    return Read(tuple(map(parse_path, paths)))


def observe(*paths: str) -> Observe:
    return Observe(tuple(map(parse_path, paths)))


def write_zone(name: str, *, is_partial: bool = False) -> Write:
    return Write(ZONE, (Record(ZONE, name, Type.STRING),), is_partial)


def measure(player: Player, value: float) -> None:
    """The device measures *value*."""
    player.device.set_value(SENSOR, value, asyncio.get_running_loop().time())
    player.driver.settle()


def values(scene: Scene, path: str = "/") -> dict[str, object]:
    """Path → latest value."""
    return {each.path: each.value for each in scene.administration.values(METER, path)}
