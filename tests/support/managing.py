"""A gateway in this process, on loopback, that asks foreign clients what a test tells it to ask.

The parts are the gateway's own: operations become requests, go by its link, and their answers are read. Only
what stores commands is left out.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path as File

from gateway.lwm2m.answers import Answer, read_answer, read_notification
from gateway.lwm2m.formats import Format
from gateway.lwm2m.inputs import read_value
from gateway.lwm2m.negotiation import DeviceProfile
from gateway.lwm2m.operations import Create, Observe, Operation, Write, WriteComposite
from gateway.lwm2m.path import Path, parse_path
from gateway.lwm2m.records import Decoded, Record
from gateway.lwm2m.requests import Refusal, Request, prepare, prepare_again
from gateway.messaging.link import Notification
from gateway.messaging.outcomes import Answered, Outcome
from gateway.messaging.remote import Remote
from gateway.objectmodel import own_model
from gateway.settings import DownlinkSettings, GatewayConfig
from gateway.transport.binding import bind_sockets
from gateway.transport.udp import UdpListener
from gateway.wiring import Gateway
from registry.administration import Administration
from registry.clock import SystemClock
from registry.model import Origin, Registration, Security
from registry.sqlite import Database
from registry.store import Registry

DEADLINE_S = 20.0
HOST = "127.0.0.1"
MODEL = own_model()


class NoAnswer(Exception):
    """The device did not answer; the outcome says how."""


class Managing:
    """The gateway, and what it was told without asking."""

    def __init__(
        self, registry: Registry, gateway: Gateway, administration: Administration, ports: tuple[int, int]
    ) -> None:
        self._registry = registry
        self._gateway = gateway
        self._administration = administration
        self.coap_port, self.coaps_port = ports
        self.coap = f"coap://{HOST}:{self.coap_port}"
        self.coaps = f"coaps://{HOST}:{self.coaps_port}"
        self._observed: dict[bytes, tuple[Device, Observe, Request]] = {}
        gateway.stack.link.on_notification = self._note

    async def create(self, node_id: str, key: bytes = b"") -> None:
        """A device that may come; with a *key* over DTLS."""
        security = Security.PSK if key else Security.NONE
        self._administration.create(node_id, security, secret=key or None)
        await self._registry.poll_changes()

    async def device(self, node_id: str) -> Device:
        """The device once it is registered."""
        device = self._registry.find_device(node_id)
        assert device is not None
        return Device(self, await self._until(lambda: self._registry.find_registration_of(device.number)))

    async def _until(self, find: Callable[[], Registration | None]) -> Registration:
        async with asyncio.timeout(DEADLINE_S):
            while (found := find()) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return found

    async def values(self, node_id: str) -> dict[str, object]:
        """Path → latest value of what the device has sent, once there is any."""
        async with asyncio.timeout(DEADLINE_S):
            while not (found := self._administration.values(node_id)):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert all(each.origin is Origin.SEND for each in found)
        return {each.path: each.value for each in found}

    async def send(
        self, registration: Registration, request: Request, token: bytes | None = None
    ) -> Answered:
        """Send one request to the device behind *registration*."""
        remote = self._gateway.stack.find_remote(registration.identity, registration.address)
        assert remote is not None, "no session"
        answered: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._gateway.stack.link.request(remote, request, answered.set_result, token=token)
        outcome = await answered
        if not isinstance(outcome, Answered):
            raise NoAnswer(outcome)
        return outcome

    def watch(self, device: Device, operation: Observe, request: Request, token: bytes) -> None:
        """Take what comes under *token* for notifications of *operation*."""
        self._observed[token] = (device, operation, request)

    def forget(self, token: bytes) -> None:
        """Take it for nothing any more."""
        del self._observed[token]

    def _note(self, remote: Remote, token: bytes, notification: Notification) -> bool:
        if token not in self._observed:
            return False
        device, operation, request = self._observed[token]
        if notification.first_block is None:
            device.notified.put_nowait(
                read_notification(operation.paths, device.profile, notification.response)
            )
            return True

        def keep(outcome: Outcome) -> None:
            assert isinstance(outcome, Answered), outcome
            device.notified.put_nowait(read_notification(operation.paths, device.profile, outcome.response))

        self._gateway.stack.link.fetch_rest(remote, request, token, notification, keep)
        return True


class Device:
    """One registered device."""

    def __init__(self, managing: Managing, registration: Registration) -> None:
        self._managing = managing
        self.registration = registration
        self.profile = DeviceProfile.of(registration, MODEL)
        self.notified: asyncio.Queue[Decoded] = asyncio.Queue()

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

    async def ask(self, operation: Operation, token: bytes | None = None) -> Answer:
        """Carry *operation* out, in another format if the device wants none of the first."""
        request = prepare(operation, self.profile)
        assert not isinstance(request, Refusal), request.text
        tried = []
        while True:
            tried.append(request)
            outcome = await self._managing.send(self.registration, request, token)
            again = prepare_again(operation, self.profile, tried, outcome.response.code)
            if again is None:
                return read_answer(operation, self.profile, outcome.response)
            request = again

    async def observe(self, operation: Observe) -> tuple[Answer, bytes]:
        """Observe; the first answer, and the token."""
        token = secrets.token_bytes(8)
        request = prepare(operation, self.profile)
        assert not isinstance(request, Refusal), request.text
        self._managing.watch(self, operation, request, token)
        return await self.ask(operation, token), token

    def forget(self, token: bytes) -> None:
        self._managing.forget(token)

    async def notification(self) -> dict[str, object]:
        """Path → value of the next one."""
        async with asyncio.timeout(DEADLINE_S):
            decoded = await self.notified.get()
        assert not decoded.misfits
        return {str(record.path): record.value for record in decoded.records}


@asynccontextmanager
async def running(command: Sequence[str], log: File) -> AsyncIterator[asyncio.StreamWriter]:
    """A foreign program that writes to the file *log*; gives its standard input. Ends with the context."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=output, stderr=output
        )
    assert process.stdin is not None
    try:
        yield process.stdin
    finally:
        process.kill()
        await process.wait()


@asynccontextmanager
async def managing_gateway(folder: File, downlink: DownlinkSettings | None = None) -> AsyncIterator[Managing]:
    """A gateway on *folder*/registry.db, until the context is left."""
    config = GatewayConfig(downlink=downlink or DownlinkSettings())
    path = folder / "registry.db"
    registry = await Registry.open(Database.open(path))
    coap, coaps = (UdpListener(bind_sockets(HOST, 0)) for _ in range(2))
    try:
        gateway = Gateway(config, registry, SystemClock(), send_coap=coap.send, send_coaps=coaps.send)
        coap.start(gateway.receive_coap)
        coaps.start(gateway.receive_coaps, gateway.flush_coaps)
        with Administration(Database.open(path)) as administration:
            yield Managing(registry, gateway, administration, (coap.port, coaps.port))
        await registry.flush()
        await gateway.close()
    finally:
        coap.close()
        coaps.close()
        await registry.close()
