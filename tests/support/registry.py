"""Small factories for tests of the registry: a place on disk, devices in it, a store without threads."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor, Future
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from registry.administration import Administration
from registry.model import Device, NewDevice, ObjectLink, ObjectList, Registration, Security
from registry.outcomes import CommitOutcome
from registry.sealing import KeySource
from registry.settings import RegistrySettings
from registry.sqlite import Database
from registry.store import Registry
from tests.support.clock import VirtualClock

AT_ONCE = RegistrySettings(group_window_s=0.0)
"Settings under which a group does not wait."

OBJECTS = ObjectList((ObjectLink(1, 0), ObjectLink(3, 0), ObjectLink(5, None, "1.1")))


class InlineExecutor(Executor):
    """Does the work at once, in the caller's thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except BaseException as error:  # noqa: BLE001  (an executor hands every error on)
            future.set_exception(error)
        return future


class Place:
    """A registry's file and its clock; opened as often as a test likes."""

    def __init__(self, folder: Path, clock: VirtualClock | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "nodegate.db"
        self.clock = clock or VirtualClock()

    def database(self, key: KeySource | None = None) -> Database:
        """A connection of its own."""
        return Database.open(self.path, key=key)

    def administration(self, key: KeySource | None = None) -> Administration:
        """The command line's face, on this place's clock."""
        return Administration(self.database(key), clock=self.clock)

    def create(self, node_id: str, security: Security = Security.NONE, **values: Any) -> Device:
        """Add a device from outside."""
        with self.administration() as administration:
            return administration.create(node_id, security, **values).device

    def create_many(self, count: int, **values: Any) -> None:
        """Add ``node-0`` … from outside."""
        rows = [NewDevice(f"node-{index}", Security.NONE, **values) for index in range(count)]
        with self.administration() as administration:
            administration.import_devices(rows)

    def shown_chain(self) -> bytes | None:
        """The certificates that the gateway shows instead of its own, as administrators see them."""
        with self.administration() as administration:
            return administration.server_key(lambda: pytest.fail("it is there")).chain

    def rows(self, sql: str, *parameters: object) -> list[Any]:
        """What the file says."""
        with self.database() as database:
            return database.query(sql, parameters)

    def execute(self, sql: str, *parameters: object) -> None:
        """Change the file behind everybody's back."""
        with self.database() as database, database.transaction() as connection:
            connection.execute(sql, parameters)

    def after_power_cut(self) -> Place:
        """What another machine would find on the disk at this moment."""
        there = Place(self.path.parent / "after", VirtualClock(self.clock.monotonic(), self.clock.wall_ms()))
        for name in (self.path.name, self.path.name + "-wal", self.path.name + ".key"):
            if (self.path.parent / name).exists():
                shutil.copy(self.path.parent / name, there.path.parent / name)
        return there

    async def open(self, settings: RegistrySettings = AT_ONCE, key: KeySource | None = None) -> Registry:
        """The gateway's face, without threads."""
        return await Registry.open(
            self.database(key), settings=settings, clock=self.clock, executor=InlineExecutor()
        )

    @asynccontextmanager
    async def registry(self, settings: RegistrySettings = AT_ONCE) -> AsyncIterator[Registry]:
        """`open`, closed at the end."""
        registry = await self.open(settings)
        try:
            yield registry
        finally:
            await registry.close()


class Outcomes(list[CommitOutcome]):
    """Use its `append` as *done*."""

    @property
    def are_committed(self) -> list[bool]:
        return [outcome.is_committed for outcome in self]


def event_types(administration: Administration) -> list[str]:
    """Of all that has happened, oldest first."""
    return [event.type for event in administration.events()]


def make_registration(device: Device, location: str = "", **values: Any) -> Registration:
    """A registration of *device* with ordinary values; *values* replace some."""
    registration = Registration(
        device=device.number,
        device_id=device.device_id,
        node_id=device.node_id,
        location=location or f"at-{device.node_id}",
        identity=device.node_id if device.security is Security.PSK else None,
        address="192.0.2.1:5683",
        lwm2m="1.1",
        binding="U",
        lifetime_s=300,
        objects=OBJECTS,
        registered_at_ms=1_800_000_000_000,
    )
    return registration._replace(**values)


async def register(registry: Registry, node_id: str, location: str = "", **values: Any) -> Registration:
    """Register the device and wait for the commit."""
    device = registry.find_device(node_id)
    assert device is not None
    outcomes = Outcomes()
    registry.register(make_registration(device, location, **values), outcomes.append)
    await registry.flush()
    assert outcomes.are_committed == [True]
    registration = registry.find_registration_of(device.number)
    assert registration is not None
    return registration


async def let_loop_run() -> None:
    """Give every callback that is due its turn."""
    for _ in range(5):
        await asyncio.sleep(0)
