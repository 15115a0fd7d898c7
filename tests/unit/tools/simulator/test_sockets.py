import asyncio
import resource
import socket
from random import Random

import pytest

from tools.simulator.errors import SimulatorError
from tools.simulator.network import CLEAN, Impairment, Path
from tools.simulator.sockets import DeviceSocket, raise_file_limit
from tools.simulator.timers import TimerHeap


class Peer:
    """A plain socket on loopback and a device socket connected to it."""

    def __init__(self, uplink=CLEAN, downlink=CLEAN):
        self.peer = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.peer.bind(("127.0.0.1", 0))
        self.peer.setblocking(False)
        self.loop = asyncio.get_running_loop()
        self.received = asyncio.Queue()
        self.unreachable = asyncio.Event()
        self.socket = DeviceSocket(
            self.loop,
            TimerHeap(self.loop),
            (socket.AF_INET, self.peer.getsockname()),
            (Path(uplink, Random(1)), Path(downlink, Random(1))),
            self.received.put_nowait,
            self.unreachable.set,
        )

    def __enter__(self):
        self.socket.open()
        return self

    def __exit__(self, *_):
        self.socket.close()
        self.peer.close()

    async def heard(self):
        return await self.loop.sock_recvfrom(self.peer, 100)


async def test_datagrams_go_both_ways():
    with Peer() as peer:
        peer.socket.send(b"up")
        data, address = await peer.heard()
        assert data == b"up"
        peer.peer.sendto(b"down", address)
        assert await peer.received.get() == b"down"


async def test_rebound_socket_has_another_port():
    with Peer() as peer:
        peer.socket.send(b"one")
        _, before = await peer.heard()
        peer.socket.rebind()
        peer.socket.send(b"two")
        _, after = await peer.heard()
        assert before[1] != after[1]
        peer.peer.sendto(b"down", after)
        assert await peer.received.get() == b"down"


async def test_uplink_doubles_and_delays():
    with Peer(uplink=Impairment(duplicate=1.0, jitter_s=0.001)) as peer:
        peer.socket.send(b"up")
        assert [(await peer.heard())[0] for _ in range(2)] == [b"up", b"up"]


async def test_lost_datagrams_do_not_go_out():
    with Peer(uplink=Impairment(loss=1.0)) as peer:
        peer.socket.send(b"up")
        with pytest.raises(BlockingIOError):
            peer.peer.recv(100)


async def test_port_where_nothing_listens_is_reported():
    with Peer() as peer:
        peer.peer.close()
        peer.socket.send(b"up")
        await peer.unreachable.wait()


async def test_closed_socket_is_quiet():
    with Peer() as peer:
        peer.socket.close()
        peer.socket.close()
        peer.socket.send(b"up")
        peer.socket.rebind()
        with pytest.raises(BlockingIOError):
            peer.peer.recv(100)


async def test_what_is_delivered_after_the_close_is_dropped():
    with Peer(uplink=Impairment(delay_s=0.01), downlink=Impairment(delay_s=0.01)) as peer:
        peer.socket.send(b"up")
        peer.socket.close()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(peer.heard(), 0.05)


async def test_socket_that_cannot_be_opened_is_named():
    loop = asyncio.get_running_loop()
    path = Path(CLEAN, Random(1))
    broken = DeviceSocket(
        loop, TimerHeap(loop), (socket.AF_INET, ("256.0.0.1", 1)), (path, path), lambda _: None, lambda: None
    )
    with pytest.raises(SimulatorError, match=r"no socket to 256\.0\.0\.1"):
        broken.open()


def test_enough_files_change_nothing(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", lambda *_: pytest.fail("needless"))
    raise_file_limit(500)


def test_soft_limit_is_raised_as_far_as_needed(monkeypatch):
    given = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: given.append(limits))
    raise_file_limit(3000)
    assert given == [(3064, 4096)]


def test_hard_limit_is_named_with_what_to_do(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, 4096))
    with pytest.raises(SimulatorError, match=r"5000 devices need 5064 open files.*4096.*ulimit"):
        raise_file_limit(5000)


def test_no_hard_limit_is_no_limit(monkeypatch):
    given = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (1024, resource.RLIM_INFINITY))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: given.append(limits))
    raise_file_limit(3000)
    assert given == [(3064, resource.RLIM_INFINITY)]
