"""What the program asks of the gateway within it: through the registry, as from the command line."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from typing import TypeVar

from gateway.app import Opened
from gateway.commanding import make_command
from gateway.embedding.errors import DeviceError, NotRunning
from gateway.lwm2m.negotiation import DeviceProfile
from gateway.lwm2m.operations import Operation
from gateway.lwm2m.requests import Refusal
from registry.administration import Administration
from registry.commands import Command, CommandState
from registry.errors import StorageUnavailable
from registry.events import EventType
from registry.model import Origin, Registration

OPERATION_TTL_S = 60
"How long an operation may wait for its device to be there and awake."

GLANCE_S = 0.02
"How often it is looked for a registration or a report while one is waited for."

_LONG_GLANCE_S = 0.25
"The same for the end of a command, of which the registry tells unless it came from outside."

T = TypeVar("T")


class Asking:
    """Of one run of a gateway; each method raises NotRunning once that is over."""

    def __init__(self, opened: Opened, administration: Administration, thread: Executor) -> None:
        """*thread* waits for *administration*'s file, to which the gateway writes meanwhile."""
        self._opened = opened
        self._administration = administration
        self._thread = thread
        self._is_over = False
        self._awaited: dict[int, asyncio.Event] = {}
        opened.registry.downlink.on_end(self._note_end)

    def end(self) -> None:
        """From now on nothing can be asked."""
        self._is_over = True

    @property
    def opened(self) -> Opened:
        """The parts of the gateway."""
        if self._is_over:
            raise NotRunning()
        return self._opened

    async def administer(self, job: Callable[[Administration], T]) -> T:
        """The result of *job*, done in the thread."""
        if self._is_over:
            raise NotRunning()
        return await asyncio.get_running_loop().run_in_executor(self._thread, job, self._administration)

    def find_registration(self, node_id: str) -> Registration | None:
        """The registration of the device; None while it has none."""
        registry = self.opened.registry
        device = registry.find_device(node_id)
        return None if device is None else registry.find_registration_of(device.number)

    def profile_of(self, node_id: str) -> DeviceProfile:
        """What the device registered, by the definitions at hand.

        Raises:
            DeviceError: it is not registered.
        """
        registration = self.find_registration(node_id)
        if registration is None:
            raise DeviceError(f"{node_id} is not registered", None)
        return DeviceProfile.of(registration, self.opened.gateway.definitions.model)

    async def carry_out(self, node_id: str, operation: Operation) -> Command:
        """Have *operation* done; returns the command, ended by an answer of class 2.

        Raises:
            ValueError: the device or the model cannot have it.
            DeviceError: refused, or not answered.
        """
        new = make_command(operation, self.profile_of(node_id), OPERATION_TTL_S)
        if isinstance(new, Refusal):
            raise ValueError(new.text)
        command = await self.administer(lambda admin: admin.store_command(node_id, new))
        await self.take_notice()
        command = await self._wait_for_end(command)
        code = command.result.code
        if command.state is not CommandState.ANSWERED or code is None or not code.startswith("2."):
            why = command.result.error or code or command.state.value
            raise DeviceError(f"{operation.name} {' '.join(new.paths)} of {node_id}: {why}", code)
        return command

    async def take_notice(self) -> None:
        """Have the gateway look at once at what was changed from outside, as its worker does now and then."""
        while True:
            try:
                return await self.opened.registry.poll_changes()
            except StorageUnavailable:
                await asyncio.sleep(_LONG_GLANCE_S)

    async def _wait_for_end(self, command: Command) -> Command:
        ended = self._awaited[command.id] = asyncio.Event()
        try:
            while True:
                command = await self.administer(partial(Administration.get_command, id_=command.id))
                if command.has_ended:
                    return command
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LONG_GLANCE_S):
                        await ended.wait()
        finally:
            del self._awaited[command.id]

    def _note_end(self, id_: int) -> None:
        if id_ in self._awaited:
            self._awaited[id_].set()

    async def last_event(self) -> int:
        """Id of the newest event of the registry."""
        return await self.administer(Administration.last_event_id)

    async def notified(self, node_id: str, after: int) -> AsyncIterator[dict[str, object]]:
        """What the device reports by notifications behind event *after*: path → value, message by message."""
        while True:
            events = await self.administer(
                partial(Administration.events, after=after, types=[EventType.VALUES_REPORTED.value])
            )
            for event in events:
                after = event.id
                reported = event.data["values"]
                if event.node_id == node_id and event.data["origin"] == Origin.NOTIFY.value:
                    assert isinstance(reported, list)
                    yield {each["path"]: each["value"] for each in reported}
            if not events:
                await asyncio.sleep(GLANCE_S)
