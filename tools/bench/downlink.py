"""Devices that are asked and that notify: the load on `tools.bench.asker`.

One socket is all the devices: it listens on every address of the loopback network, and each device has one.
Like the other load it polls and never sleeps.
"""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Sequence
from contextlib import closing, suppress
from pathlib import Path

from aiocoap.message import Message
from aiocoap.numbers.codes import Code
from aiocoap.numbers.types import Type

from gateway.lwm2m.operationcodec import encode_operation
from gateway.lwm2m.operations import Read
from gateway.lwm2m.path import parse_path
from registry import commands, devices
from registry.clock import SystemClock
from registry.commands import NewCommand
from registry.sqlite import Database
from tools.bench import load, requests
from tools.bench.asker import device_host, observed_token
from tools.bench.load import Unanswered
from tools.bench.process import ServerProcess
from tools.bench.scenarios import WINDOW, PlainDevices, measure

_PATIENCE_S = 5.0
_IP_PKTINFO = 8
_RECEIVE_BUFFER_BYTES = 16 << 20
_SO_RCVBUFFORCE = 33

# SenML CBOR: [{0: "/3303/0/5700", 2: 21.5}]
_VALUE = b"\x81\xa2\x00\x6c/3303/0/5700\x02\xf9\x4d\x60"
_CONTENT_FORMAT = b"\xc1\x70"
_OBSERVED_CONTENT_FORMAT = b"\x61\x01\x61\x70"


class Crowd:
    """All devices: what reaches them, from which of their addresses they speak."""

    def __init__(self, server_port: int) -> None:
        self._server = ("127.0.0.1", server_port)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("0.0.0.0", 0))
        self._socket.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER_BYTES)
        except PermissionError:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _RECEIVE_BUFFER_BYTES)
        self._socket.setblocking(False)
        self.port: int = self._socket.getsockname()[1]

    def close(self) -> None:
        self._socket.close()

    def receive(self, count: int) -> list[tuple[bytes, bytes]]:
        """The next *count* datagrams, each with the address of the device that it is for.

        Raises:
            Unanswered: so many do not come.
        """
        received: list[tuple[bytes, bytes]] = []
        deadline = time.monotonic() + _PATIENCE_S
        while len(received) < count:
            try:
                data, ancillary, _, _ = self._socket.recvmsg(2048, 64)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise load.Unanswered(f"{len(received)} of {count} datagrams came") from None
                continue
            received.append((data, ancillary[0][2][8:12]))
        return received

    def send(self, data: bytes, host: bytes) -> None:
        """From the device at *host*."""
        packet_info = struct.pack("=i4s4s", 0, host, bytes(4))
        self._socket.sendmsg((data,), ((socket.IPPROTO_IP, _IP_PKTINFO, packet_info),), 0, self._server)


def outstanding(server: ServerProcess, count: int) -> float:
    """*count* devices are asked, all before the first answers; then all of them answer."""
    port = server.ports["coap"]
    with closing(Crowd(port)) as crowd, load.connected_sockets(1, port) as (control,):

        def operation() -> int:
            _command(control, "ask", b"%d %d" % (count, crowd.port))
            asked = crowd.receive(count)
            for start in range(0, count, WINDOW):
                for request, host in asked[start : start + WINDOW]:
                    crowd.send(_answer(request), host)
                _fence(control, start)
            answered = int(_command(control, "answered", b"").payload)
            if answered != count:
                raise load.Unanswered(f"{answered} of {count} requests to devices were answered")
            return count

        return measure(server, operation)


def notifications(server: ServerProcess, count: int, rounds: int) -> float:
    """*count* devices, each observed, notify in turn; the confirmable messages are acknowledged."""
    with closing(Crowd(server.ports["coap"])) as crowd:
        hosts = [socket.inet_aton(device_host(number)) for number in range(count)]
        turns = [[_notification(number, turn) for number in range(count)] for turn in range(rounds)]

        def operation() -> int:
            for turn in turns:
                for start in range(0, count, WINDOW):
                    window = range(start, min(start + WINDOW, count))
                    for number in window:
                        crowd.send(turn[number], hosts[number])
                    _check_acknowledged(crowd.receive(len(window)))
            return count * rounds

        return measure(server, operation)


def stored_commands(plain: PlainDevices, database: Path) -> float:
    """Microseconds for each of as many Reads as there are devices, stored at once and done one by one.

    From their being noticed in the file to their end's commit, that of *sent* before the request included.
    """
    path = parse_path("/3303/0/5700")
    new = NewCommand("read", (str(path),), encode_operation(Read((path,))), is_repeatable=True)

    def do() -> int:
        with Database.open(database) as store:
            with store.transaction() as connection:
                for node_id in plain.node_ids:
                    device = devices.find(connection, node_id)
                    assert device is not None
                    commands.insert(connection, device, new, commands.MAX_TTL_S, SystemClock.wall_ms())
            _answer_all(plain.sockets, len(plain.node_ids))
            deadline = time.monotonic() + _PATIENCE_S
            while left := store.query("SELECT count(*) FROM command WHERE ended_at_ms IS NULL")[0][0]:
                if time.monotonic() > deadline:
                    raise Unanswered(f"{left} commands did not end")
                time.sleep(0.05)
        return len(plain.node_ids)

    return measure(plain.server, do)


def _answer_all(sockets: Sequence[socket.socket], count: int) -> None:
    """Answer *count* requests, whichever of the sockets they come to; a repeated one is answered again."""
    seen: set[bytes] = set()
    deadline = time.monotonic() + _PATIENCE_S
    for sock in sockets:
        sock.setblocking(False)
    while len(seen) < count:
        if time.monotonic() > deadline:
            raise Unanswered(f"{count - len(seen)} commands were not sent")
        for sock in sockets:
            with suppress(BlockingIOError):
                request = sock.recv(2048)
                seen.add(request)
                sock.send(_answer(request))


def _check_acknowledged(replies: Sequence[tuple[bytes, bytes]]) -> None:
    for reply, _ in replies:
        if reply[0] != 0x60 or reply[1] != 0:
            raise load.Unanswered(f"a notification was answered by {reply.hex()}")


def _answer(request: bytes) -> bytes:
    """The piggybacked 2.05."""
    token_end = 4 + (request[0] & 0x0F)
    return (
        bytes((request[0] | 0x20, Code.CONTENT)) + request[2:token_end] + _CONTENT_FORMAT + b"\xff" + _VALUE
    )


def _notification(number: int, turn: int) -> bytes:
    mid = (number + turn) & 0xFFFF
    header = bytes((0x48, Code.CONTENT, mid >> 8, mid & 0xFF)) + observed_token(number)
    return header + _OBSERVED_CONTENT_FORMAT + b"\xff" + _VALUE[:-1] + bytes((turn,))


def _command(control: socket.socket, path: str, payload: bytes) -> Message:
    mid = time.monotonic_ns() & 0xFFFF
    message = Message(code=Code.POST, uri_path=(path,), payload=payload)
    message.mtype, message.mid, message.token = Type.CON, mid, mid.to_bytes(4, "big")
    control.send(message.encode())
    reply: Message = Message.decode(control.recv(2048))
    return reply


def _fence(control: socket.socket, mid: int) -> None:
    """Wait until the server has taken everything so far: its receive buffer must not overflow."""
    control.send(requests.ping(mid & 0xFFFF))
    control.recv(2048)
