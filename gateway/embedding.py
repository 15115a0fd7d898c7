"""A gateway inside a program of somebody else's: started and stopped by it, devices asked by `await`.

The same parts as ``nodegate serve``, without its signals, announcements and settings from outside. What is
asked of devices goes through the registry, as from the command line.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path as File
from tempfile import TemporaryDirectory
from typing import Self, TypeVar

from gateway.app import Opened, opened, work
from gateway.lwm2m.arguments import parse_arguments
from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.inputs import read_value
from gateway.lwm2m.model import DeviceModel
from gateway.lwm2m.negotiation import DeviceProfile
from gateway.lwm2m.operationcodec import encode_operation
from gateway.lwm2m.operations import (
    Cancel,
    Create,
    Delete,
    Discover,
    Execute,
    Observe,
    Operation,
    Read,
    Write,
    is_repeatable,
    paths_of,
)
from gateway.lwm2m.path import Path, parse_path
from gateway.lwm2m.requests import Refusal, prepare
from gateway.lwm2m.values import Type
from gateway.settings import SQLITE, GatewayConfig
from registry.administration import Administration
from registry.commands import Command, CommandState, NewCommand
from registry.events import EventType
from registry.model import Origin, Registration, Security
from registry.sqlite import Database

OPERATION_TTL_S = 60
"How long an operation may wait for its device to be there and awake."

_GLANCE_S = 0.02

T = TypeVar("T")
Values = Mapping[str, object]
"Path → value; Opaque as bytes."


class DeviceError(Exception):
    """An operation that did not succeed: refused by the device, or never answered."""

    def __init__(self, text: str, code: str | None) -> None:
        super().__init__(text)
        self.code = code
        "CoAP code as text (``4.04``); None without an answer."


class NotRunning(RuntimeError):
    """Something was asked of a gateway before or after its time."""

    def __init__(self) -> None:
        super().__init__("the gateway does not run: use it inside `async with`")


class Gateway:
    """A gateway on loopback, as an async context manager.

    Entering raises what `gateway.app.serve` does; leaving raises ExceptionGroup when a part had failed.
    """

    def __init__(
        self,
        db: str | File | None = None,
        host: str = "127.0.0.1",
        coap_port: int = 0,
        coaps_port: int = 0,
        settings: Mapping[str, object] | None = None,
    ) -> None:
        """*db*: a path or ``sqlite:///…``; None: a temporary registry. A port of 0: of the system's choice.

        *settings*: ``section.key`` → value, as in docs/configuration.md; environment and files are not read.

        Raises:
            ValueError: a setting that there is not, or a value that it cannot have.
        """
        self._db = db
        self._sections = _sections(settings or {})
        self._sections.setdefault("server", {}).update(
            host=(host,), coap_port=coap_port, coaps_port=coaps_port
        )
        # What is created here should count at once.
        self._sections.setdefault("registry", {}).setdefault("poll_s", _GLANCE_S)
        GatewayConfig.model_validate(self._sections)
        self._stack = AsyncExitStack()
        self._opened: Opened | None = None
        self._administration: Administration | None = None
        self._thread: ThreadPoolExecutor | None = None

    async def __aenter__(self) -> Self:
        async with AsyncExitStack() as stack:
            url = self._db
            if url is None:
                url = File(stack.enter_context(TemporaryDirectory(prefix="nodegate-"))) / "registry.db"
            config = GatewayConfig.model_validate(self._sections | {"db": self._database_section(url)})
            running = await stack.enter_async_context(opened(config))
            stopping = asyncio.Event()
            group = await stack.enter_async_context(asyncio.TaskGroup())
            group.create_task(work(running.workers, stopping))
            stack.callback(stopping.set)
            # The file is waited for in a thread of its own: the gateway writes to it meanwhile.
            self._thread = stack.enter_context(ThreadPoolExecutor(1, "nodegate-administration"))
            self._administration = Administration(Database.open(config.db.url))
            stack.callback(self._administration.close)
            self._opened = running
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exception: object) -> None:
        self._opened = None
        await self._stack.aclose()

    @property
    def coap_uri(self) -> str:
        """Where devices without security find it: ``coap://HOST:PORT``."""
        return self._running.uris[0]

    @property
    def coaps_uri(self) -> str:
        """Where security devices find it: ``coaps://HOST:PORT``."""
        return next(uri for uri in self._running.uris if uri.startswith("coaps:"))

    async def create(self, node_id: str, security: str = "none", secret: bytes | None = None) -> bytes | None:
        """Let a device come: ``none``, or ``psk`` with *secret* (made when None). Returns the secret.

        Raises:
            ValueError: no such security.
            RegistryError: the node ID is taken, or no device may have it or this secret.
        """
        wanted = Security(security)
        created = await self._administer(lambda admin: admin.create(node_id, wanted, secret))
        while self._running.registry.find_device(node_id) is None:  # noqa: ASYNC110
            await asyncio.sleep(_GLANCE_S)
        return created.secret

    async def device(self, node_id: str, timeout: float = 30) -> Device:  # noqa: ASYNC109
        """The device, once it is registered.

        Raises:
            TimeoutError: it did not register within *timeout* seconds.
        """
        async with asyncio.timeout(timeout):
            while self._find_registration(node_id) is None:  # noqa: ASYNC110
                await asyncio.sleep(_GLANCE_S)
        return Device(self, node_id)

    @property
    def _running(self) -> Opened:
        if self._opened is None:
            raise NotRunning()
        return self._opened

    def _database_section(self, url: str | File) -> dict[str, object]:
        text = str(url)
        is_url = text.startswith("sqlite:")
        return self._sections.get("db", {}) | {"url": text if is_url else f"{SQLITE}{File(text).absolute()}"}

    def _find_registration(self, node_id: str) -> Registration | None:
        device = self._running.registry.find_device(node_id)
        return None if device is None else self._running.registry.find_registration_of(device.number)

    def profile_of(self, node_id: str) -> DeviceProfile:
        """What the device registered, by the definitions at hand.

        Raises:
            DeviceError: it is not registered.
        """
        registration = self._find_registration(node_id)
        if registration is None:
            raise DeviceError(f"{node_id} is not registered", None)
        return DeviceProfile.of(registration, self._running.gateway.definitions.model)

    async def carry_out(self, node_id: str, operation: Operation) -> Command:
        """Have *operation* done; returns the command, ended by an answer of class 2.

        Raises:
            ValueError: the device or the model cannot have it.
            DeviceError: refused, or not answered.
        """
        refusal = prepare(operation, self.profile_of(node_id))
        if isinstance(refusal, Refusal):
            raise ValueError(refusal.text)
        paths = tuple(map(str, paths_of(operation)))
        new = NewCommand(
            operation.name, paths, encode_operation(operation), is_repeatable(operation), OPERATION_TTL_S
        )
        command = await self._administer(lambda admin: admin.store_command(node_id, new))
        while not command.has_ended:
            await asyncio.sleep(_GLANCE_S)
            command = await self._administer(partial(Administration.get_command, id_=command.id))
        code = command.result.code
        if command.state is not CommandState.ANSWERED or code is None or not code.startswith("2."):
            why = command.result.error or code or command.state.value
            raise DeviceError(f"{operation.name} {' '.join(paths)} of {node_id}: {why}", code)
        return command

    async def last_event(self) -> int:
        """Id of the newest event of the registry."""
        return await self._administer(Administration.last_event_id)

    async def notified(self, node_id: str, after: int) -> AsyncIterator[dict[str, object]]:
        """What the device reports by notifications behind event *after*: path → value, message by message."""
        while True:
            events = await self._administer(
                partial(Administration.events, after=after, types=[EventType.VALUES_REPORTED.value])
            )
            for event in events:
                after = event.id
                reported = event.data["values"]
                if event.node_id == node_id and event.data["origin"] == Origin.NOTIFY.value:
                    assert isinstance(reported, list)
                    yield {each["path"]: each["value"] for each in reported}
            if not events:
                await asyncio.sleep(_GLANCE_S)

    async def _administer(self, job: Callable[[Administration], T]) -> T:
        if self._opened is None or self._administration is None:
            raise NotRunning()
        return await asyncio.get_running_loop().run_in_executor(self._thread, job, self._administration)


class Device:
    """A device that has registered. Each method raises DeviceError when the device refuses or is silent,
    ValueError when a path or value is none, or the model forbids the operation.
    """

    def __init__(self, gateway: Gateway, node_id: str) -> None:
        self._gateway = gateway
        self.node_id = node_id

    async def read(self, path: str) -> object:
        """The value of a resource; above it, and of a multiple resource, a dict path → value."""
        return self._value(path, await self._do(Read((_path(path),))))

    async def write(self, path: str, value: object, partial: bool = False) -> None:
        """Replace what is at *path*, or with *partial* update it. Above resources *value* is a dict by id."""
        target = _path(path)
        await self._do(Write(target, read_value(target, value, self._model), partial))

    async def execute(self, path: str, args: str = "") -> None:
        """Run a resource; *args* are digits with texts: ``0='now',1``. Never sent twice."""
        with _told():
            parse_arguments(args)
        await self._do(Execute(_path(path), args))

    async def discover(self, path: str) -> dict[str, dict[str, str | None]]:
        """What is at and below *path*: path → its attributes."""
        command = await self._do(Discover(_path(path)))
        return {link["path"]: link["attributes"] for link in json.loads(command.result.links or "[]")}

    async def create(self, path: str, values: Mapping[int | str, object]) -> None:
        """Make an object instance of *values* by resource id; at ``/o`` the device chooses its number."""
        target = _path(path)
        records = read_value(target, values, self._model) if values else ()
        await self._do(Create(target, records))

    async def delete(self, path: str) -> None:
        """Remove an object instance, or a resource instance."""
        await self._do(Delete(_path(path)))

    async def observe(self, path: str) -> AsyncIterator[object]:
        """The first value, then each notification's, as `read` gives them; leaving the loop cancels."""
        target = _path(path)
        after = await self._gateway.last_event()
        first = await self._do(Observe((target,)))
        try:
            yield self._value(path, first)
            async for values in self._gateway.notified(self.node_id, after):
                inside = {each: value for each, value in values.items() if _is_within(each, str(target))}
                if inside:
                    yield self._shape(target, inside)
        finally:
            # Whoever leaves has what he wanted: a device or a gateway that is gone has cancelled as well.
            with suppress(DeviceError, NotRunning):
                await self._do(Cancel((target,)))

    @property
    def _model(self) -> DeviceModel:
        return self._gateway.profile_of(self.node_id).model

    async def _do(self, operation: Operation) -> Command:
        return await self._gateway.carry_out(self.node_id, operation)

    def _value(self, path: str, command: Command) -> object:
        return self._shape(_path(path), json.loads(command.result.values or "{}"))

    def _shape(self, target: Path, values: Values) -> object:
        typed = {path: self._typed(_path(path), value) for path, value in values.items()}
        return typed[str(target)] if str(target) in typed and len(target) > 2 else typed

    def _typed(self, path: Path, value: object) -> object:
        """Bytes stand as hex in the registry; without a definition nobody knows that they are bytes."""
        is_bytes = isinstance(value, str) and self._model.find_type(path) is Type.OPAQUE
        return bytes.fromhex(str(value)) if is_bytes else value


def _sections(settings: Mapping[str, object]) -> dict[str, dict[str, object]]:
    sections: dict[str, dict[str, object]] = {}
    for name, value in settings.items():
        section, dot, key = name.partition(".")
        if not dot:
            raise ValueError(f"{name!r} is no setting: they are named section.key")
        sections.setdefault(section, {})[key] = value
    return sections


def _path(text: str) -> Path:
    with _told():
        return parse_path(text)


@contextmanager
def _told() -> Iterator[None]:
    """What cannot be read is the caller's mistake."""
    try:
        yield
    except DecodeError as error:
        raise ValueError(str(error)) from error


def _is_within(path: str, above: str) -> bool:
    return above == "/" or path == above or path.startswith(f"{above}/")
