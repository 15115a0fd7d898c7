"""Thousands of devices in one process, on real sockets and one shared timer.

Starts them at a given rate, keeps their sockets, ends when each is decided. Knows no registry and
draws nothing.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from tools.simulator.client.firmware import Result
from tools.simulator.device import Device
from tools.simulator.download import Download, PackageUri, parse_package_uri
from tools.simulator.driver import Driver
from tools.simulator.errors import SimulatorError
from tools.simulator.events import DeviceEvent, Ended, PackageWanted
from tools.simulator.fetching import Fetching
from tools.simulator.network import CLEAN, Impairment, Path
from tools.simulator.report import Report
from tools.simulator.settings import DeviceSettings
from tools.simulator.sockets import DeviceSocket, raise_file_limit
from tools.simulator.timers import TimerHeap

Target = tuple[socket.AddressFamily, Any]

_TICK_S = 0.01
_STARTED_PER_TURN = 16
_STOPPED_PER_TICK = 50


@dataclass(frozen=True, slots=True)
class FleetSettings:
    """How a fleet behaves as a whole."""

    rate: float = 100.0
    "Devices started per second."

    connecting_limit: int = 4_000
    "No further device is started while this many are neither registered nor given up."

    uplink: Impairment = CLEAN
    downlink: Impairment = CLEAN
    rebind_s: float | None = None
    "Every device takes a new local port about this often."

    seed: int | None = None
    "For loss, jitter and back-off; None: drawn."

    stop_limit_s: float = 30.0
    "How long de-registering may take."


class _Member:
    """One device with its socket."""

    __slots__ = ("device", "driver", "socket")

    driver: Driver

    def __init__(self, device: Device, device_socket: DeviceSocket) -> None:
        self.device = device
        self.socket = device_socket


class Fleet:
    """Runs devices against their servers. `run` once; `interrupt` ends it early."""

    def __init__(
        self, devices: Sequence[tuple[DeviceSettings, Target]], settings: FleetSettings, report: Report
    ) -> None:
        self._devices = devices
        self._settings = settings
        self._report = report
        self._random = Random(settings.seed)
        self._members: list[_Member] = []
        self._file_sockets: set[DeviceSocket] = set()
        self._open = 0
        self._loop: asyncio.AbstractEventLoop
        self._heap: TimerHeap
        self._interrupted = asyncio.Event()
        self._settled = asyncio.Event()
        self._all_gone = asyncio.Event()
        self._paths = (
            Path(settings.uplink, Random(self._random.getrandbits(64))),
            Path(settings.downlink, Random(self._random.getrandbits(64))),
        )
        for device, _ in devices:
            report.expect(device.node_id, device.scheme)

    async def run(self, duration_s: float | None, deregisters: bool) -> None:
        """Start every device and wait until each is decided, but at least *duration_s*.

        Raises:
            SimulatorError: this process cannot have the sockets.
        """
        raise_file_limit(len(self._devices))
        self._loop = asyncio.get_running_loop()
        self._heap = TimerHeap(self._loop)
        begin = self._loop.time()
        try:
            await self._start_all()
            await self._until(self._settled, None)
            if duration_s is not None:
                await self._until(self._interrupted, begin + duration_s - self._loop.time())
            self._report.close({one.device.settings.node_id: one.device.state.value for one in self._members})
            if deregisters:
                await self._stop_all()
        finally:
            self._heap.clear()
            for member in self._members:
                member.socket.close()
            for file_socket in self._file_sockets:
                file_socket.close()

    def interrupt(self) -> None:
        """End as soon as possible: nothing more is started or waited for. A second time, at once."""
        if self._interrupted.is_set():
            self._all_gone.set()
        self._interrupted.set()
        self._settled.set()

    async def _until(self, event: asyncio.Event, limit_s: float | None) -> None:
        if limit_s is not None and limit_s <= 0:
            return
        try:
            async with asyncio.timeout(limit_s):
                await event.wait()
        except TimeoutError:
            pass

    # -- starting and stopping --------------------------------------------------------------------

    async def _start_all(self) -> None:
        """Start devices at the rate, as long as not too many are connecting."""
        if not self._devices:
            self._settled.set()
        due_at = self._loop.time()
        for number, (settings, target) in enumerate(self._devices):
            await self._pause_until(due_at, is_turn_over=number % _STARTED_PER_TURN == 0)
            if self._interrupted.is_set():
                return
            due_at = max(due_at, self._loop.time() - _TICK_S) + 1 / self._settings.rate
            self._start(settings, target)

    async def _pause_until(self, due_at: float, is_turn_over: bool) -> None:
        """Keep the rate and the bound; let the sockets be read at least once a turn."""
        if is_turn_over:
            await asyncio.sleep(0)
        while not self._interrupted.is_set():
            pause_s = due_at - self._loop.time()
            connecting = len(self._members) - (len(self._devices) - self._report.undecided)
            if pause_s <= 0 and connecting < self._settings.connecting_limit:
                return
            await asyncio.sleep(max(pause_s, _TICK_S))

    def _start(self, settings: DeviceSettings, target: Target) -> None:
        device = Device(settings, os.urandom, self._random)
        device_socket = DeviceSocket(
            self._loop,
            self._heap,
            target,
            self._paths,
            on_datagram=lambda datagram: driver.receive(datagram),
            on_unreachable=lambda: driver.receive_unreachable(),
        )
        member = _Member(device, device_socket)
        driver = Driver(device, self._heap, device_socket.send, lambda _, event: self._record(member, event))
        member.driver = driver
        device_socket.open()
        self._members.append(member)
        self._open += 1
        self._report.count_start(device)
        if self._settings.rebind_s is not None:
            self._schedule_rebind(member, self._settings.rebind_s * self._random.uniform(0.5, 1))
        driver.start()

    async def _stop_all(self) -> None:
        """De-register everyone, a few at a time, and wait for the answers within the limit."""
        for number, member in enumerate(self._members):
            if number % _STOPPED_PER_TICK == 0:
                await asyncio.sleep(_TICK_S)
            if not member.device.state.is_final:
                member.driver.stop()
        if self._open:
            await self._until(self._all_gone, self._settings.stop_limit_s)

    # -- what happens meanwhile -------------------------------------------------------------------

    def _record(self, member: _Member, event: DeviceEvent) -> None:
        self._report.record(member.device, event)
        if isinstance(event, PackageWanted):
            self._fetch(member, event.uri)
        if isinstance(event, Ended):
            member.socket.close()
            self._open -= 1
            if self._open == 0:
                self._all_gone.set()
        if self._report.is_settled:
            self._settled.set()

    def _fetch(self, member: _Member, uri: str) -> None:
        """Get a firmware package for the device, by a socket of its own."""
        place = parse_package_uri(uri)
        target = place if isinstance(place, Result) else _find_target(place)
        if isinstance(target, Result):
            # Told after this event: the device is still being drained.
            self._heap.call_at(self._heap.time(), self._finish_fetch, member, target)
            return
        assert isinstance(place, PackageUri)

        def finish(outcome: bytes | Result) -> None:
            file_socket.close()
            self._file_sockets.discard(file_socket)
            self._finish_fetch(member, outcome)

        file_socket = DeviceSocket(
            self._loop,
            self._heap,
            target,
            self._paths,
            on_datagram=lambda datagram: fetching.receive(datagram),
            on_unreachable=lambda: None,
        )
        download = Download(place, member.device.settings.coap, self._random)
        fetching = Fetching(download, self._heap, file_socket.send, finish)
        try:
            file_socket.open()
        except SimulatorError:
            self._heap.call_at(self._heap.time(), self._finish_fetch, member, Result.CONNECTION_LOST)
            return
        self._file_sockets.add(file_socket)
        fetching.start()

    def _finish_fetch(self, member: _Member, outcome: bytes | Result) -> None:
        if not member.device.state.is_final:
            member.device.finish_download(outcome, self._heap.time())
            member.driver.settle()

    def _schedule_rebind(self, member: _Member, after_s: float) -> None:
        self._heap.call_at(self._heap.time() + after_s, self._rebind, member)

    def _rebind(self, member: _Member) -> None:
        if not member.device.state.is_final:
            assert self._settings.rebind_s is not None
            member.socket.rebind()
            self._schedule_rebind(member, self._settings.rebind_s)


def _find_target(place: PackageUri) -> Target | Result:
    """Where a file server is; names are not looked up, which would keep all other devices waiting."""
    try:
        found = socket.getaddrinfo(
            place.host, place.port, type=socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
        )
    except OSError:
        return Result.INVALID_URI
    family, _, _, _, address = found[0]
    return family, address
