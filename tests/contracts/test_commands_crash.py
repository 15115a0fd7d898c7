"""``kill -9`` between a command's being stored and its end: nothing is lost, and nothing done twice.

The gateway is a process of its own, the device a socket. Each step waits for a datagram, no step for a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path as File

import aiocoap
import pytest

from gateway.commanding import make_command
from gateway.lwm2m.operations import Create, Execute, Operation, Read, Write
from gateway.lwm2m.path import parse_path
from gateway.lwm2m.records import Record
from gateway.lwm2m.requests import Refusal
from gateway.lwm2m.values import Type
from registry.administration import Administration
from registry.commands import Command, CommandState
from registry.model import NewDevice, Security
from registry.sqlite import Database
from tests.support.serving import PlainDevice, Serving, import_devices, serving

ZONE, LIFETIME = parse_path("/3/0/15"), parse_path("/1/2/1")
READ = Read((parse_path("/3/0/0"),))
NEVER_REPEATED: dict[str, Operation] = {
    "execute": Execute(parse_path("/3/0/4")),
    "create": Create(parse_path("/1/2"), (Record(LIFETIME, 300, Type.INTEGER),)),
    "partial write": Write(ZONE, (Record(ZONE, "Europe/Vienna", Type.STRING),), is_partial=True),
}
WITHOUT_RETRANSMISSIONS = ("--set", "downlink.ack_timeout_s=600")


class Site:
    """A registry, the gateways that run on it one after the other, and who asks."""

    def __init__(self, folder: File) -> None:
        self.database = folder / "nodegate.db"
        self._port = 0
        import_devices(
            self.database,
            [NewDevice("sleeper", Security.NONE), NewDevice("awake", Security.NONE)],
        )

    @contextmanager
    def gateway(self) -> Iterator[Serving]:
        """One that runs, on the port of those before."""
        port = ("--coap-port", str(self._port))
        with serving(self.database, *port, *WITHOUT_RETRANSMISSIONS) as gateway:
            self._port = gateway.port("coap")
            yield gateway

    def ask(self, node_id: str, operation: Operation) -> int:
        """Store a command, as the command line does; its id."""
        new = make_command(operation, None, ttl_s=3_600)
        assert not isinstance(new, Refusal)
        with self._administration() as administration:
            return administration.store_command(node_id, new).id

    def command(self, id_: int) -> Command:
        with self._administration() as administration:
            return administration.get_command(id_)

    def _administration(self) -> Administration:
        return Administration(Database.open(f"sqlite:///{self.database}"))


@pytest.fixture
def site(tmp_path: File) -> Site:
    return Site(tmp_path)


@contextmanager
def registered(gateway: Serving, node_id: str, *more: str) -> Iterator[tuple[PlainDevice, tuple[str, ...]]]:
    """A device on a socket of its own, and its location."""
    with PlainDevice(gateway.port("coap")) as device:
        yield device, device.register(node_id, 86_400, *more).opt.location_path


def settle(gateway: Serving, device: PlainDevice, location: tuple[str, ...]) -> None:
    """Have what the device sent committed: an Update behind it is answered, then a clean stop."""
    assert device.update(location).code is aiocoap.CHANGED
    assert gateway.stop()[0] == 0


def asks_for(request: aiocoap.Message) -> tuple[aiocoap.Code, tuple[str, ...]]:
    return request.code, request.opt.uri_path


def test_command_for_a_sleeping_device_survives_kill_9_and_goes_out_when_it_wakes(site: Site) -> None:
    with (
        site.gateway() as gateway,
        registered(gateway, "sleeper", "Q") as (sleeper, location),
        registered(gateway, "awake") as (awake, _),
    ):
        gateway.kill()
        # A new process has heard nothing of the sleeper: it sleeps.
        with site.gateway() as gateway:
            waiting = site.ask("sleeper", READ)
            site.ask("awake", READ)
            # Commands are taken up in their order: the sleeper's was, when this one comes.
            awake.receive()
            assert sleeper.hears_nothing()
            gateway.kill()
        assert site.command(waiting).state is CommandState.QUEUED
        with site.gateway() as gateway:
            awake.receive()
            assert sleeper.hears_nothing()
            assert sleeper.update(location).code is aiocoap.CHANGED
            request = sleeper.receive()
            assert asks_for(request) == (aiocoap.GET, ("3", "0", "0"))
            sleeper.answer(request, aiocoap.CONTENT, b"Maker")
            settle(gateway, sleeper, location)
    command = site.command(waiting)
    assert (command.state, command.attempts) == (CommandState.ANSWERED, 1)
    assert command.result.values == '{"/3/0/0": "Maker"}'


@pytest.mark.parametrize("is_answered", [False, True], ids=["silent", "answering"])
@pytest.mark.parametrize("operation", NEVER_REPEATED.values(), ids=NEVER_REPEATED)
def test_crash_between_sending_and_answer_has_nothing_done_twice(
    site: Site, operation: Operation, is_answered: bool
) -> None:
    with site.gateway() as gateway, registered(gateway, "awake") as (device, location):
        never, behind = site.ask("awake", operation), site.ask("awake", READ)
        request = device.receive()
        assert request.code is aiocoap.POST
        assert site.command(never).state is CommandState.SENT, "committed before the datagram left"
        if is_answered:
            # Whether the gateway still gets it is left open.
            device.answer(request, aiocoap.CHANGED)
        gateway.kill()
        if not is_answered:
            assert site.command(never).state is CommandState.SENT
        with site.gateway() as gateway:
            request = device.receive()
            # Read comes next: in this order the other one would have come before it.
            assert asks_for(request) == (aiocoap.GET, ("3", "0", "0"))
            device.answer(request, aiocoap.CONTENT, b"Maker")
            settle(gateway, device, location)
        assert device.hears_nothing()
    once = site.command(never)
    assert once.attempts == 1
    if not (is_answered and once.state is CommandState.ANSWERED):
        assert (once.state, once.result.error) == (CommandState.FAILED, "unknown outcome")
    assert site.command(behind).state is CommandState.ANSWERED


def test_crash_between_sending_and_answer_has_a_read_sent_again(site: Site) -> None:
    with site.gateway() as gateway, registered(gateway, "awake") as (device, location):
        read = site.ask("awake", READ)
        before = device.receive()
        gateway.kill()
        with site.gateway() as gateway:
            request = device.receive()
            assert asks_for(request) == asks_for(before)
            device.answer(request, aiocoap.CONTENT, b"Maker")
            settle(gateway, device, location)
    assert (site.command(read).state, site.command(read).attempts) == (CommandState.ANSWERED, 2)
