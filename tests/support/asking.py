"""What a gateway in memory asks its simulated devices, without what stores commands.

    meter = await Asked.of(scene, "meter-7")
    answer = await meter.ask(Read(meter.paths("/3/0/0")))

Operations become requests, go by the gateway's link, and their answers are read, by the gateway's own parts.
"""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any

from gateway.lwm2m.answers import Answer, read_answer, read_notification
from gateway.lwm2m.formats import Format
from gateway.lwm2m.inputs import read_value
from gateway.lwm2m.negotiation import DeviceProfile
from gateway.lwm2m.operations import Create, Observe, Operation, Read, Write, WriteComposite
from gateway.lwm2m.path import Path, parse_path
from gateway.lwm2m.records import Record
from gateway.lwm2m.requests import Refusal, prepare, prepare_again
from gateway.lwm2m.values import Value
from gateway.messaging.link import Notification
from gateway.messaging.outcomes import Answered, Outcome
from gateway.messaging.remote import Remote
from gateway.objectmodel import own_model
from registry.model import Registration, Security
from tests.support.gateway import Player, Scene
from tools.simulator.client.contents import factory_contents

_TOKENS = count(1)


class Asked:
    """One registered device of a scene."""

    def __init__(self, scene: Scene, registration: Registration) -> None:
        self._scene = scene
        self.registration = registration
        self.profile = DeviceProfile.of(registration, own_model())
        self.notified: list[tuple[float, dict[str, object]]] = []
        "Time and values of each notification, of all observations together."

        self.times: list[dict[str, object]] = []
        "Of each notification, the times that its records tell, by path; None for most."

        self._observed: dict[bytes, Observe] = {}
        scene.gateway.stack.link.on_notification = self._note

    @classmethod
    async def of(cls, scene: Scene, node_id: str) -> Asked:
        """The device, once it is registered."""
        await scene.until(lambda: _registration(scene, node_id))
        registration = _registration(scene, node_id)
        assert registration is not None
        return cls(scene, registration)

    def paths(self, *texts: str) -> tuple[Path, ...]:
        return tuple(map(parse_path, texts))

    def records(self, path: str, value: object) -> tuple[Record, ...]:
        """What *value* is at *path*."""
        return read_value(parse_path(path), value, self.profile.model)

    def write(
        self, path: str, value: object, *, is_partial: bool = False, format_: Format | None = None
    ) -> Write:
        return Write(parse_path(path), self.records(path, value), is_partial, format_)

    async def read(self, *paths: str, format_: Format | None = None) -> dict[str, object]:
        """Path → value."""
        values = (await self.ask(Read(self.paths(*paths), format_))).values()
        assert values is not None
        return dict(values)

    def write_all(self, values: dict[str, object]) -> WriteComposite:
        return WriteComposite(
            tuple(record for path, value in values.items() for record in self.records(path, value))
        )

    def creating(self, path: str, value: object) -> Create:
        return Create(parse_path(path), self.records(path, value))

    async def ask(self, operation: Operation, token: bytes | None = None) -> Answer:
        """Carry *operation* out, in another format if the device wants none of the first."""
        request = prepare(operation, self.profile)
        assert not isinstance(request, Refusal), request.text
        remote = self._scene.gateway.stack.find_remote(self.registration.identity, self.registration.address)
        assert remote is not None
        tried = []
        while True:
            tried.append(request)
            answered: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
            self._scene.gateway.stack.link.request(remote, request, answered.set_result, token=token)
            outcome = await answered
            assert isinstance(outcome, Answered), outcome
            again = prepare_again(operation, self.profile, tried, outcome.response.code)
            if again is None:
                return read_answer(operation, self.profile, outcome.response)
            request = again

    async def observe(self, operation: Observe) -> tuple[Answer, bytes]:
        """Observe; the first answer, and the token."""
        token = next(_TOKENS).to_bytes(8, "big")
        self._observed[token] = operation
        return await self.ask(operation, token), token

    def forget(self, token: bytes) -> None:
        """Take what comes under *token* for nothing: the device is told by RST."""
        del self._observed[token]

    def _note(self, remote: Remote, token: bytes, notification: Notification) -> bool:
        operation = self._observed.get(token)
        if operation is None:
            return False
        decoded = read_notification(operation.paths, self.profile, notification.response)
        assert not decoded.misfits
        now = asyncio.get_running_loop().time()
        self.notified.append((now, {str(record.path): record.value for record in decoded.records}))
        self.times.append({str(record.path): record.time_s for record in decoded.records})
        return True


def _registration(scene: Scene, node_id: str) -> Registration | None:
    device = scene.registry.find_device(node_id)
    return None if device is None else scene.registry.find_registration_of(device.number)


async def managed(
    scene: Scene, version: str = "1.1", security: Security = Security.NONE, **settings: Any
) -> tuple[Player, Asked]:
    """A registered device with objects, and the asking of it."""
    contents = factory_contents(version, settings.get("lifetime_s", 300))
    player = scene.play("meter-7", security, lwm2m=version, **{"contents": contents, **settings})
    return player, await Asked.of(scene, "meter-7")


def measure(player: Player, path: str, value: Value) -> None:
    """The device measures *value*."""
    player.device.set_value(parse_path(path), value, asyncio.get_running_loop().time())
    player.driver.settle()
