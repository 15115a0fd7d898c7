"""UDP on loopback: answered from the address that was asked, read in batches, nothing ever raised."""

from __future__ import annotations

import asyncio
import errno
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

import pytest

from gateway.address import Address
from gateway.transport import binding
from gateway.transport.binding import bind_sockets
from gateway.transport.udp import (
    DRAIN_LIMIT,
    MAX_DATAGRAM_BYTES,
    UdpListener,
    UdpSocket,
    local_end_ipv4,
    local_end_ipv6,
)

linux = pytest.mark.skipif(sys.platform != "linux", reason="packet information is read on Linux only")
LOOPBACKS = [
    pytest.param("127.0.0.1", id="ipv4"),
    pytest.param(
        "::1", id="ipv6", marks=pytest.mark.skipif(not binding._has_ipv6(), reason="this machine has no IPv6")
    ),
]


class _Echo:
    """A listener that sends everything back and remembers it."""

    def __init__(self, sockets: list[socket.socket]) -> None:
        self.received: list[tuple[bytes, Address]] = []
        self.batches: list[int] = []
        self.listener = UdpListener(sockets)
        self._arrived = asyncio.Event()

    def take(self, data: bytes, address: Address) -> None:
        self.received.append((data, address))
        self.listener.send(data, address)

    def drained(self) -> None:
        self.batches.append(len(self.received) - sum(self.batches))
        self._arrived.set()

    async def until(self, is_reached: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not is_reached():
                await self._arrived.wait()
                self._arrived.clear()


@asynccontextmanager
async def _echo(host: str | None) -> AsyncIterator[_Echo]:
    echo = _Echo(bind_sockets(host, 0))
    echo.listener.start(echo.take, echo.drained)
    try:
        yield echo
    finally:
        echo.listener.close()


@contextmanager
def _client(host: str, port: int) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.connect((host, port))
        client.setblocking(False)
        yield client


async def _reply(client: socket.socket) -> bytes:
    async with asyncio.timeout(10):
        return await asyncio.get_running_loop().sock_recv(client, 65_536)


@pytest.mark.parametrize("is_wildcard", [True, False])
@pytest.mark.parametrize("host", LOOPBACKS)
async def test_datagram_is_handed_up_and_answered(host: str, is_wildcard: bool) -> None:
    async with _echo(None if is_wildcard else host) as echo:
        with _client(host, echo.listener.port) as client:
            client.send(b"hello")
            assert await _reply(client) == b"hello"
            ((data, address),) = echo.received
            assert data == b"hello"
            assert address[:2] == client.getsockname()[:2]
        counters = echo.listener.counters.as_dict()
        assert (counters["received"], counters["sent"]) == (1, 1)
        assert sum(counters.values()) == 2


@linux
async def test_wildcard_answers_from_the_address_that_was_asked() -> None:
    async with _echo(None) as echo:
        for host in ("127.0.0.2", "127.0.0.3"):
            with _client(host, echo.listener.port) as client:
                client.send(b"x")
                assert await _reply(client) == b"x", "a connected socket takes nothing from another address"
        first, second = (address.local for _, address in echo.received)
        assert first != second


@linux
async def test_socket_of_each_single_address_answers_for_itself() -> None:
    sockets = bind_sockets("127.0.0.1", 0)
    port = sockets[0].getsockname()[1]
    sockets += bind_sockets("127.0.0.2", port)
    echo = _Echo(sockets)
    echo.listener.start(echo.take, echo.drained)
    try:
        assert [str(address) for address in echo.listener.addresses] == [
            f"127.0.0.1:{port}",
            f"127.0.0.2:{port}",
        ]
        for host in ("127.0.0.2", "127.0.0.1"):
            with _client(host, port) as client:
                client.send(b"x")
                assert await _reply(client) == b"x"
    finally:
        echo.listener.close()


async def test_at_most_64_datagrams_are_read_in_one_batch() -> None:
    async with _echo("127.0.0.1") as echo:
        with _client("127.0.0.1", echo.listener.port) as client:
            for number in range(150):
                client.send(b"%d" % number)
            await echo.until(lambda: len(echo.received) == 150)
    assert [data for data, _ in echo.received] == [b"%d" % number for number in range(150)]
    assert max(echo.batches) <= DRAIN_LIMIT
    assert len(echo.batches) >= 3


async def test_error_of_the_receiver_ends_neither_the_batch_call_nor_the_reading() -> None:
    loop = asyncio.get_running_loop()
    errors: list[object] = []
    loop.set_exception_handler(lambda _, context: errors.append(context.get("exception")))
    echo = _Echo(bind_sockets("127.0.0.1", 0))

    def take(data: bytes, address: Address) -> None:
        echo.received.append((data, address))
        if data == b"bad":
            raise ValueError("a bug of ours")

    echo.listener.start(take, echo.drained)
    with _client("127.0.0.1", echo.listener.port) as client:
        client.send(b"bad")
        client.send(b"good")
        await echo.until(lambda: len(echo.received) == 2)
    echo.listener.close()
    assert len(errors) == 1
    assert len(echo.batches) == 2


async def test_too_long_datagram_is_dropped_and_the_next_one_read() -> None:
    for host in ("127.0.0.1", None):
        async with _echo(host) as echo:
            with _client("127.0.0.1", echo.listener.port) as client:
                client.send(bytes(MAX_DATAGRAM_BYTES + 1))
                client.send(bytes(MAX_DATAGRAM_BYTES))
                assert len(await _reply(client)) == MAX_DATAGRAM_BYTES
            assert echo.listener.counters.dropped_too_long == 1


@linux
async def test_F11_datagram_to_a_group_is_dropped() -> None:
    async with _echo(None) as echo:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton("127.0.0.1"))
            try:
                sender.sendto(b"group", ("224.0.0.1", echo.listener.port))
            except OSError as error:
                pytest.skip(f"no route to a group here: {error}")
        with _client("127.0.0.1", echo.listener.port) as client:
            client.send(b"single")
            assert await _reply(client) == b"single"
        assert [data for data, _ in echo.received] == [b"single"]


async def test_closed_port_of_a_peer_is_harmless() -> None:
    async with _echo("127.0.0.1") as echo:
        with _client("127.0.0.1", echo.listener.port) as gone:
            target = Address(*gone.getsockname())
        for _ in range(5):
            echo.listener.send(b"to nobody", target)
        with _client("127.0.0.1", echo.listener.port) as client:
            client.send(b"x")
            assert await _reply(client) == b"x"


async def test_listener_stopped_reads_no_more_but_still_sends() -> None:
    async with _echo("127.0.0.1") as echo:
        with _client("127.0.0.1", echo.listener.port) as client:
            echo.listener.stop()
            echo.listener.stop()
            client.send(b"x")
            echo.listener.send(b"bye", Address(*client.getsockname()))
            assert await _reply(client) == b"bye"
            assert echo.received == []


async def test_listener_may_close_in_the_middle_of_a_batch() -> None:
    for host in ("127.0.0.1", None):
        echo = _Echo(bind_sockets(host, 0))

        def take(data: bytes, address: Address, echo: _Echo = echo) -> None:
            echo.received.append((data, address))
            echo.listener.close()
            echo.listener.close()
            echo.listener.send(data, address)

        with _client("127.0.0.1", echo.listener.port) as client:
            client.send(b"1")
            client.send(b"2")
            echo.listener.start(take, echo.drained)
            await echo.until(lambda echo=echo: len(echo.received) == 1)
        assert echo.listener.counters.dropped_send_error == 1
        assert echo.listener.counters.dropped_receive_error == 0


async def test_address_of_a_family_not_listened_on_is_dropped() -> None:
    async with _echo("127.0.0.1") as echo:
        echo.listener.send(b"x", Address("::1", 5683))
        assert echo.listener.counters.dropped_send_error == 1


async def test_address_of_a_family_that_none_of_several_sockets_has_is_dropped() -> None:
    listener = UdpListener([*bind_sockets("127.0.0.1", 0), *bind_sockets("127.0.0.1", 0)])
    listener.send(b"x", Address("::1", 5683))
    assert listener.counters.dropped_send_error == 1
    listener.close()


class _FailingSocket:
    """A real socket whose next calls fail as told."""

    def __init__(self, failures: dict[str, list[OSError]]) -> None:
        self._socket = bind_sockets("127.0.0.1", 0)[0]
        self._failures = failures

    def __getattr__(self, name: str) -> object:
        if self._failures.get(name):
            error = self._failures[name].pop(0)

            def fail(*_: object) -> None:
                raise error

            return fail
        return getattr(self._socket, name)


async def test_full_send_buffer_drops_and_counts() -> None:
    failing = _FailingSocket({"sendto": [BlockingIOError(), OSError(errno.ENETUNREACH, "no route")]})
    reader = UdpSocket(failing)
    for _ in range(3):
        reader.send(b"x", Address("127.0.0.1", 9))
    counters = reader.counters
    assert (counters.dropped_send_buffer_full, counters.dropped_send_error, counters.sent) == (1, 1, 1)
    reader.close()


@pytest.mark.parametrize("is_wildcard", [True, False])
async def test_error_of_one_receive_call_does_not_end_the_batch(is_wildcard: bool) -> None:
    received = asyncio.Event()

    class Refusing:
        """Fails each other call, as a pending ICMP error makes it."""

        def __init__(self, sock: socket.socket) -> None:
            self._socket = sock
            self._calls = 0

        def __getattr__(self, name: str) -> object:
            real = getattr(self._socket, name)
            if name not in ("recvfrom", "recvmsg"):
                return real

            def receive(*arguments: int) -> object:
                self._calls += 1
                if self._calls == 1:
                    raise ConnectionRefusedError
                return real(*arguments)

            return receive

    reader = UdpSocket(Refusing(bind_sockets("0.0.0.0" if is_wildcard else "127.0.0.1", 0)[0]))
    reader.start(lambda *_: received.set(), lambda: None)
    with _client("127.0.0.1", reader.address.port) as client:
        client.send(b"x")
        async with asyncio.timeout(10):
            await received.wait()
    assert reader.counters.dropped_receive_error == 1
    reader.close()


def test_packet_information_is_turned_round() -> None:
    own, group = bytes([192, 0, 2, 1]), bytes([224, 0, 1, 187])
    assert local_end_ipv4(b"\x02\0\0\0" + own + own) == bytes(4) + own + bytes(4)
    assert local_end_ipv4(b"\x02\0\0\0" + own + group) is None
    assert local_end_ipv4(b"odd") == b""


def test_packet_information_of_ipv6_keeps_the_interface_of_link_local_only() -> None:
    public = bytes.fromhex("20010db8000000000000000000000001")
    link_local = bytes.fromhex("fe800000000000000000000000000001")
    group = bytes.fromhex("ff0200000000000000000000000000fd")
    interface = b"\x02\0\0\0"
    assert local_end_ipv6(public + interface) == public + bytes(4)
    assert local_end_ipv6(link_local + interface) == link_local + interface
    assert local_end_ipv6(group + interface) is None
    assert local_end_ipv6(b"odd") == b""


@linux
async def test_learned_local_ends_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gateway.transport.udp._MAX_KNOWN_LOCALS", 2)
    reader = UdpSocket(bind_sockets("0.0.0.0", 0)[0])
    for number in range(5):
        own = bytes([127, 0, 0, number])
        reader._learn_local(bytes(4) + own + own)
        assert len(reader._locals) <= 2
    reader.close()
