"""A device, as a program that embeds the gateway sees it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import contextmanager, suppress

from gateway.embedding.asking import Asking
from gateway.embedding.errors import DeviceError, NotRunning
from gateway.lwm2m.arguments import parse_arguments
from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.inputs import read_value
from gateway.lwm2m.model import DeviceModel
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
)
from gateway.lwm2m.path import Path, parse_path
from gateway.lwm2m.values import Type
from registry.commands import Command

Values = Mapping[str, object]
"Path → value; Opaque as bytes."


class Device:
    """A device that has registered. Each method raises DeviceError when the device refuses or is silent,
    ValueError when a path or value is none, or the model forbids the operation.
    """

    def __init__(self, asking: Asking, node_id: str) -> None:
        self._asking = asking
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
        after = await self._asking.last_event()
        first = await self._do(Observe((target,)))
        try:
            yield self._value(path, first)
            async for values in self._asking.notified(self.node_id, after):
                inside = {each: value for each, value in values.items() if _is_within(each, str(target))}
                if inside:
                    yield self._shape(target, inside)
        finally:
            # Whoever leaves has what he wanted: a device or a gateway that is gone has cancelled as well.
            with suppress(DeviceError, NotRunning):
                await self._do(Cancel((target,)))

    @property
    def _model(self) -> DeviceModel:
        return self._asking.profile_of(self.node_id).model

    async def _do(self, operation: Operation) -> Command:
        return await self._asking.carry_out(self.node_id, operation)

    def _value(self, path: str, command: Command) -> object:
        return self._shape(_path(path), json.loads(command.result.values or "{}"))

    def _shape(self, target: Path, values: Values) -> object:
        typed = {path: self._typed(_path(path), value) for path, value in values.items()}
        return typed[str(target)] if str(target) in typed and len(target) > 2 else typed

    def _typed(self, path: Path, value: object) -> object:
        """Bytes stand as hex in the registry; without a definition nobody knows that they are bytes."""
        is_bytes = isinstance(value, str) and self._model.find_type(path) is Type.OPAQUE
        return bytes.fromhex(str(value)) if is_bytes else value


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
