"""A disk that fails at any moment, and a process that dies beside it: no number twice, no record twice."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from random import Random
from typing import Any

import pytest

from gateway.address import Address
from gateway.dtls.endpoint import Endpoint
from gateway.dtls.events import ApplicationData
from gateway.dtls.session import Session
from gateway.dtls.traffic import Traffic
from registry import generation, sessionfile
from registry.errors import StorageUnavailable
from registry.model import Security
from registry.sessionfile import SessionFile
from tests.support.clock import virtual_time
from tests.support.gateway import Scene, gateway_in_memory

WALKS = 8
RUNS = 5
LIKELIHOODS = (0.0, 0.05, 0.2, 1.0)


class Disk:
    """Fails as often as `likelihood` says: before it has done what it was asked for, or behind it."""

    def __init__(self) -> None:
        self.random = Random(4)
        self.likelihood = 0.0
        self.faults = 0

    def spoil(self, patch: pytest.MonkeyPatch, owner: Any, name: str) -> None:
        work = getattr(owner, name)

        def fail_or(*arguments: Any, **options: Any) -> Any:
            if self.random.random() >= self.likelihood:
                return work(*arguments, **options)
            self.faults += 1
            if self.likelihood < 1 and self.random.random() < 0.4:
                work(*arguments, **options)
            raise StorageUnavailable("it failed")

        patch.setattr(owner, name, fail_or)


class Wire:
    """What was ever sealed, and what was ever taken: keys and number."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.sent: set[tuple[bytes, int]] = set()
        self.taken: set[tuple[bytes, int]] = set()
        self.repeated: list[tuple[bytes, int]] = []
        self.heard: deque[tuple[bytes, Address]] = deque(maxlen=40)
        "What came in last."

        self._watch(patch)

    def _note(self, seen: set[tuple[bytes, int]], session: Session, sequence: int) -> None:
        used = session.keys, sequence
        if used in seen:
            self.repeated.append(used)
        seen.add(used)

    def _watch(self, patch: pytest.MonkeyPatch) -> None:
        seal, receive, listen = Session.seal, Traffic.receive, Endpoint.receive_datagram

        def sealed(session: Session, *arguments: Any) -> bytes:
            self._note(self.sent, session, session.next_sequence)
            return seal(session, *arguments)

        def received(traffic: Traffic, session: Session, record: Any, *arguments: Any) -> Any:
            events = receive(traffic, session, record, *arguments)
            if any(isinstance(event, ApplicationData) for event in events):
                self._note(self.taken, session, record.sequence)
            return events

        def heard(endpoint: Endpoint, datagram: bytes, address: Address, now: float) -> Any:
            self.heard.append((datagram, address))
            return listen(endpoint, datagram, address, now)

        patch.setattr(Endpoint, "receive_datagram", heard)
        patch.setattr(Session, "seal", sealed)
        patch.setattr(Traffic, "receive", received)


def test_number_is_used_once_whenever_the_disk_fails(tmp_path, monkeypatch) -> None:
    disk = Disk()
    wire = Wire(monkeypatch)
    for name in ("write", "checkpoint", "raise_generation", "begin_sweep", "load"):
        disk.spoil(monkeypatch, SessionFile, name)
    disk.spoil(monkeypatch, sessionfile, "delete")
    disk.spoil(monkeypatch, generation, "_write")
    for number in range(WALKS):
        folder = tmp_path / str(number)
        folder.mkdir()
        walk(folder, disk, wire, number * RUNS)
    assert wire.repeated == []
    assert min(disk.faults, len(wire.sent), len(wire.taken)) > 0


def walk(folder: Any, disk: Disk, wire: Wire, seed: int) -> None:
    """Start after start on the same folder, with the same devices; keys differ from *seed* to seed."""
    random = disk.random

    @virtual_time
    async def live(clock: Any) -> None:
        network, players = None, []
        for run in range(RUNS):
            is_crashing = random.random() < 0.6
            disk.likelihood = random.choice((0.0, 0.05, 0.2)) if run else 0.0
            async with gateway_in_memory(
                clock, folder, seed=seed + run, network=network, is_crashing=is_crashing
            ) as scene:
                network = scene.network
                for datagram, address in [*wire.heard]:
                    # Somebody sends it all again.
                    scene.gateway.receive_coaps(datagram, address)
                scene.gateway.flush_coaps()
                if not run:
                    players = [scene.play(f"m-{n}", Security.PSK, host=f"192.0.2.{n}") for n in range(1, 4)]
                for _ in range(random.randrange(1, 12)):
                    await random.choice(STEPS)(scene, players, disk)
                disk.likelihood = random.choice(LIKELIHOODS)
                for _ in range(3):
                    await ask(scene, players, disk)
                    await asyncio.sleep(0.2)

    live()


async def change(scene: Scene, players: list[Any], disk: Disk) -> None:
    """The disk becomes better or worse."""
    disk.likelihood = disk.random.choice(LIKELIHOODS)


async def wait(scene: Scene, players: list[Any], disk: Disk) -> None:
    await asyncio.sleep(disk.random.choice((0.01, 0.3, 2, 40)))


async def update(scene: Scene, players: list[Any], disk: Disk) -> None:
    player = disk.random.choice(players)
    for _ in range(disk.random.randrange(1, 6) * player.is_registered()):
        player.update()


async def move(scene: Scene, players: list[Any], disk: Disk) -> None:
    player = disk.random.choice(players)
    if player.is_registered():
        player.connection.rebind()


async def ask(scene: Scene, players: list[Any], disk: Disk) -> None:
    """Pings, until numbers may run out."""
    for session in list(scene.gateway.endpoint._sessions.all()):
        for _ in range(disk.random.choice((1, 30, 200))):
            scene.gateway.coaps.send(session, b"\x40\0" + disk.random.randbytes(2))


STEPS: tuple[Callable[..., Any], ...] = (change, wait, wait, update, move, ask, ask)
