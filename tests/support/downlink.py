"""The worker that sends commands, over a real registry and a link that the test answers for."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path as File
from typing import Any, NamedTuple, cast

from gateway.commanding import make_command
from gateway.lwm2m.answers import Response
from gateway.lwm2m.operations import Execute, Observe, Operation, Read
from gateway.lwm2m.path import parse_path
from gateway.lwm2m.registration import Policy
from gateway.lwm2m.requests import Refusal, Request
from gateway.messaging.link import Link, Notification
from gateway.messaging.outcomes import Answered, Outcome, TimedOut
from gateway.messaging.remote import Remote
from gateway.objectmodel import own_model
from gateway.workers.commands import Commands
from registry.commands import Command, CommandState, NewCommand
from registry.model import Registration, Security
from registry.observations import Observation
from registry.outcomes import CommitFailure, CommitOutcome
from registry.store import Registry
from tests.support.registry import Place, let_loop_run, register

TEXT = 0
NODE = "meter-7"
SILENT = TimedOut(is_acknowledged=False)
SENSOR = parse_path("/3303/0/5700")
READ = Read((parse_path("/3/0/9"),))
OBSERVE = Observe((SENSOR,))
EXECUTE = Execute(parse_path("/3/0/4"))


class FakeRemote(NamedTuple):
    identity: str | None
    address: str


class FakeAsking:
    """One request of the worker's, and how the test ends it."""

    def __init__(
        self,
        remote: FakeRemote,
        request: Request,
        on_outcome: Callable[[Outcome], None],
        token: bytes | None,
        state: str | None,
    ) -> None:
        self.remote = remote
        self.request = request
        self.token = token
        self.state = state
        "Of the command that was stored last, when the request left."

        self.end = on_outcome
        self.is_sent = True
        self.is_cancelled = False

    def answer(
        self,
        code: str,
        payload: bytes = b"",
        content_format: int | None = TEXT,
        *,
        sequence: int | None = None,
    ) -> None:
        """The device answers."""
        kind = content_format if payload else None
        self.end(Answered(Response(code, kind, payload, sequence is not None), sequence))

    def cancel(self) -> None:
        self.is_cancelled = True


class FakeLink:
    """Keeps what it is asked, in order."""

    def __init__(self) -> None:
        self.asked: list[FakeAsking] = []
        self.fetched: list[FakeAsking] = []
        self.on_notification: Callable[[Any, bytes, Notification], bool] | None = None
        self.find_state: Callable[[], str | None] = lambda: None

    def request(
        self,
        remote: FakeRemote,
        request: Request,
        on_outcome: Callable[[Outcome], None],
        *,
        token: bytes | None = None,
    ) -> FakeAsking:
        self.asked.append(FakeAsking(remote, request, on_outcome, token, self.find_state()))
        return self.asked[-1]

    def fetch_rest(
        self,
        remote: FakeRemote,
        request: Request,
        token: bytes,
        _notification: Notification,
        on_outcome: Callable[[Outcome], None],
    ) -> FakeAsking:
        self.fetched.append(FakeAsking(remote, request, on_outcome, token, None))
        return self.fetched[-1]


class FakeReach:
    """Every device can be reached where it registered from, but those in `gone`."""

    def __init__(self) -> None:
        self.fake = FakeLink()
        self.gone: set[str] = set()

    @property
    def link(self) -> Link:
        return cast("Link", self.fake)

    def find_remote(self, identity: str | None, address: str) -> Remote | None:
        return None if address in self.gone else cast("Remote", FakeRemote(identity, address))


class Desk:
    """A worker with one device, ``meter-7``, which is registered unless the test ends that."""

    def __init__(self, place: Place, registry: Registry) -> None:
        self.place = place
        self.registry = registry
        self.reach = FakeReach()
        self.link = self.reach.fake
        self.link.find_state = self._last_state
        self._count = 0
        self.worker = self.make_worker()

    def make_worker(self) -> Commands:
        """Another one on the same registry, as after a restart."""

        def call_soon(call: Callable[[int], None], number: int) -> None:
            self._soon.append((call, number))

        self._soon: list[tuple[Callable[[int], None], int]] = []
        return Commands(
            self.registry, self.reach, self.place.clock, Policy(), own_model, self._entropy, 93.0, call_soon
        )

    async def register(self, location: str = "", **values: Any) -> Registration:
        """Register the device, perhaps anew; the worker hears of it."""
        registration = await register(self.registry, NODE, location, **values)
        self.worker.hear(registration)
        await self.settle()
        return registration

    async def ask(self, operation: Operation, ttl_s: int = 3_600) -> Command:
        """Store a command from outside, and let the worker take it up."""
        new = make_command(operation, None, ttl_s)
        assert not isinstance(new, Refusal)
        return await self.store(new)

    async def store(self, new: NewCommand) -> Command:
        """The same with a command of the test's own."""
        with self.place.administration() as administration:
            command = administration.store_command(NODE, new)
        await self.registry.poll_changes()
        await self.settle()
        return command

    async def settle(self) -> None:
        """Let everything happen that needs no time and no device."""
        for _ in range(6):
            soon, self._soon = self._soon, []
            for call, number in soon:
                call(number)
            await self.registry.flush()
            await let_loop_run()

    async def tick(self, seconds: float = 1.0) -> None:
        """Time passes, and the worker looks around."""
        self.place.clock.advance(seconds)
        await self.worker.work()
        await self.settle()

    def notify(self, token: bytes, notification: Notification, remote: FakeRemote | None = None) -> bool:
        """A notification comes, from where the device is unless *remote* says otherwise."""
        assert self.link.on_notification is not None
        return self.link.on_notification(remote or FakeRemote(None, "192.0.2.1:5683"), token, notification)

    def look(self, command: Command) -> Command:
        with self.place.administration() as administration:
            return administration.get_command(command.id)

    @property
    def observations(self) -> list[Observation]:
        """As they are stored."""
        with self.place.administration() as administration:
            return list(administration.observations(NODE))

    @property
    def values(self) -> dict[str, object]:
        """Path → latest value."""
        with self.place.administration() as administration:
            return {each.path: each.value for each in administration.values(NODE)}

    def _entropy(self, length: int) -> bytes:
        self._count += 1
        return self._count.to_bytes(length, "big")

    def _last_state(self) -> str | None:
        rows = self.place.rows("SELECT state FROM command ORDER BY id DESC LIMIT 1")
        return rows[0][0] if rows else None


@asynccontextmanager
async def desk(folder: File, *, is_registered: bool = True, **registration: Any) -> AsyncIterator[Desk]:
    """A worker at its place, and its device."""
    place = Place(folder)
    place.create(NODE, Security.PSK if registration.get("identity") else Security.NONE)
    async with place.registry() as registry:
        at = Desk(place, registry)
        await at.worker.start()
        if is_registered:
            await at.register(**registration)
        yield at


def state(at: Desk, command: Command) -> tuple[CommandState, str | None]:
    found = at.look(command)
    return found.state, found.result.error


async def observed(at: Desk, sequence: int = 1) -> FakeAsking:
    """The sensor is observed; the request that did it."""
    await at.ask(OBSERVE)
    asking = at.link.asked[-1]
    asking.answer("2.05", b"21.5", sequence=sequence)
    await at.settle()
    return asking


def failing(failure: CommitFailure) -> Callable[..., None]:
    """In place of a method of the store: its last function hears that nothing was committed."""

    def fail(*arguments: object) -> None:
        done = next(each for each in arguments if callable(each))
        done(CommitOutcome(failure))

    return fail
