"""A registered device that a test asks: operations become requests, go by the gateway's own link, are read.

The parts are the gateway's own; only what stores commands is left out. For devices in a scene (`Asked.of`,
`managed`) as well as for foreign clients (`tests.support.managing`).
"""

from __future__ import annotations

import asyncio
from itertools import count
from typing import Any

from gateway.lwm2m.answers import Answer, Response, read_answer, read_notification
from gateway.lwm2m.attributes import parse_attributes
from gateway.lwm2m.formats import Format
from gateway.lwm2m.inputs import read_value
from gateway.lwm2m.negotiation import DeviceProfile
from gateway.lwm2m.operations import (
    Create,
    Discover,
    Observe,
    Operation,
    Read,
    Write,
    WriteAttributes,
    WriteComposite,
)
from gateway.lwm2m.path import Path, parse_path
from gateway.lwm2m.records import Record
from gateway.lwm2m.requests import Refusal, Request, prepare, prepare_again
from gateway.lwm2m.values import Value
from gateway.messaging.link import Notification
from gateway.messaging.outcomes import Answered, Outcome
from gateway.messaging.remote import Remote
from gateway.wiring import Gateway
from registry.model import Registration, Security
from tests.support.gateway import Player, Scene
from tools.simulator.client.contents import factory_contents

DEADLINE_S = 20.0
"No wait is longer."

_TOKENS = count(1)


class NoAnswer(Exception):
    """The device did not answer; the outcome says how."""


class Asked:
    """The one device of its gateway whose notifications are looked at."""

    def __init__(self, gateway: Gateway, registration: Registration) -> None:
        self._stack = gateway.stack
        self.registration = registration
        self.profile = DeviceProfile.of(registration, gateway.definitions.model)
        self.notified: list[tuple[float, dict[str, object]]] = []
        "Time and values of each notification, of all observations together."

        self.times: list[dict[str, object]] = []
        "Of each notification, the times that its records tell, by path; None for most."

        self._unseen: asyncio.Queue[dict[str, object]] = asyncio.Queue()
        self._observed: dict[bytes, tuple[Observe, Request]] = {}
        self._stack.link.on_notification = self._note

    @classmethod
    async def of(cls, scene: Scene, node_id: str) -> Asked:
        """The device, once it is registered."""
        await scene.until(lambda: _registration(scene, node_id))
        registration = _registration(scene, node_id)
        assert registration is not None
        return cls(scene.gateway, registration)

    def paths(self, *texts: str) -> tuple[Path, ...]:
        return tuple(map(parse_path, texts))

    def records(self, path: str, value: object) -> tuple[Record, ...]:
        """What *value* is at *path*."""
        return read_value(parse_path(path), value, self.profile.model)

    def write(
        self, path: str, value: object, *, is_partial: bool = False, format_: Format | None = None
    ) -> Write:
        return Write(parse_path(path), self.records(path, value), is_partial, format_)

    def write_all(self, values: dict[str, object], format_: Format | None = None) -> WriteComposite:
        records = [record for path, value in values.items() for record in self.records(path, value)]
        return WriteComposite(tuple(records), format_)

    def creating(self, path: str, value: object, format_: Format | None = None) -> Create:
        return Create(parse_path(path), self.records(path, value), format_)

    async def read(self, *paths: str, format_: Format | None = None) -> dict[str, object]:
        """Path → value."""
        values = (await self.ask(Read(self.paths(*paths), format_))).values()
        assert values is not None
        return dict(values)

    async def attach(self, path: str, *items: str) -> None:
        """Write attributes, like ``pmin=5``."""
        answer = await self.ask(WriteAttributes(parse_path(path), parse_attributes(items)))
        assert answer.code == "2.04"

    async def discover(self, path: str, depth: int | None = None) -> dict[str, dict[str, str | None]]:
        """Path → attributes."""
        answer = await self.ask(Discover(parse_path(path), depth))
        return {link.path: dict(link.attributes) for link in answer.links or ()}

    async def ask(self, operation: Operation, token: bytes | None = None) -> Answer:
        """Carry *operation* out, in another format if the device wants none of the first.

        Raises:
            NoAnswer: there is none.
        """
        request = self._prepare(operation)
        tried = []
        while True:
            tried.append(request)
            response = await self._send(request, token)
            again = prepare_again(operation, self.profile, tried, response.code)
            if again is None:
                return read_answer(operation, self.profile, response)
            request = again

    async def observe(self, operation: Observe) -> tuple[Answer, bytes]:
        """Observe; the first answer, and the token."""
        token = next(_TOKENS).to_bytes(8, "big")
        self._observed[token] = (operation, self._prepare(operation))
        return await self.ask(operation, token), token

    async def notification(self) -> dict[str, object]:
        """Path → value of the next one that nobody has waited for yet."""
        async with asyncio.timeout(DEADLINE_S):
            return await self._unseen.get()

    def forget(self, token: bytes) -> None:
        """Take what comes under *token* for nothing: the device is told by RST."""
        del self._observed[token]

    def _prepare(self, operation: Operation) -> Request:
        request = prepare(operation, self.profile)
        assert not isinstance(request, Refusal), request.text
        return request

    async def _send(self, request: Request, token: bytes | None) -> Response:
        remote = self._stack.find_remote(self.registration.identity, self.registration.address)
        assert remote is not None, "no session"
        concluded: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._stack.link.request(remote, request, concluded.set_result, token=token)
        outcome = await concluded
        if not isinstance(outcome, Answered):
            raise NoAnswer(outcome)
        return outcome.response

    def _note(self, remote: Remote, token: bytes, notification: Notification) -> bool:
        if token not in self._observed:
            return False
        operation, request = self._observed[token]
        if notification.first_block is None:
            self._keep(operation, notification.response)
            return True

        def keep_whole(outcome: Outcome) -> None:
            assert isinstance(outcome, Answered), outcome
            self._keep(operation, outcome.response)

        self._stack.link.fetch_rest(remote, request, token, notification, keep_whole)
        return True

    def _keep(self, operation: Observe, response: Response) -> None:
        decoded = read_notification(operation.paths, self.profile, response)
        assert not decoded.misfits
        values: dict[str, object] = {str(record.path): record.value for record in decoded.records}
        self.notified.append((asyncio.get_running_loop().time(), values))
        self.times.append({str(record.path): record.time_s for record in decoded.records})
        self._unseen.put_nowait(values)


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
