"""Half-open floods: hellos by the hundred thousand, with and without cookies, and what others feel of them.

In memory an `Endpoint` under given time; over loopback a whole gateway in a process of its own. Reports
memory before and after, and how long established sessions take meanwhile.
"""

from __future__ import annotations

import argparse
import os
import secrets
import socket
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path
from statistics import median, quantiles

from gateway.address import Address
from gateway.dtls.client import Client
from gateway.dtls.events import ClientData
from gateway.dtls.extensions import encode_renegotiation_info
from gateway.dtls.messages import HandshakeType, encode_client_hello, encode_message
from gateway.dtls.record import ContentType, encode_record
from gateway.dtls.settings import ClientConfig, EndpointConfig
from gateway.dtls.suites import DEFAULT_SUITES
from registry.administration import Administration
from registry.model import NewDevice
from registry.sqlite import Database
from tests.support.dtls_attack import is_hello_verify_request
from tests.support.dtls_pair import Pair, Server
from tools.bench.process import ServerProcess

HELLOS_A_SECOND = 5_000
"As many handshakes as one address may begin in a minute, every second."

SESSIONS = 8
LISTENING = 256
"Strangers at a time that wait for an answer."

_HANDSHAKE = int(ContentType.HANDSHAKE)
_EXTENSIONS = {0xFF01: encode_renegotiation_info(), 23: b"", 54: b"\0"}
_COOKIE_AT = 28
_PING = bytes.fromhex("40000001")
"An empty confirmable message (RFC 7252 §4.3); a Reset is the answer."


@dataclass
class Flood:
    """What one flood did."""

    name: str
    hellos: int
    memory_before_bytes: int
    memory_early_bytes: int
    "After a tenth of the hellos: the tables are full by then."

    memory_after_bytes: int
    quiet_us: Sequence[float]
    "What an exchange of an established session took before the flood."

    flooded_us: Sequence[float] = field(default_factory=list)
    unanswered: int = 0

    def line(self) -> str:
        """For a reader: memory in KB, times in µs."""
        growth = (self.memory_early_bytes - self.memory_before_bytes) // 1024
        rest = (self.memory_after_bytes - self.memory_early_bytes) // 1024
        times = "  ".join(
            f"{name} p50 {median(values):,.0f} p99 {quantiles(values, n=100)[98]:,.0f}"
            for name, values in (("quiet", self.quiet_us), ("flooded", self.flooded_us))
        )
        return (
            f"{self.name:34}{self.hellos:>11,} hellos  memory +{growth:,} KB in the first tenth, {rest:+,} KB"
            f" in the rest  exchange of a session, µs: {times}  unanswered {self.unanswered}"
        )


def hello(random: bytes, cookie: bytes = b"") -> bytes:
    """A record with a whole ClientHello, the first or, with a cookie, the second."""
    body = encode_client_hello(0xFEFD, random, b"", cookie, DEFAULT_SUITES, _EXTENSIONS)
    seq = 1 if cookie else 0
    return encode_record(_HANDSHAKE, seq, encode_message(HandshakeType.CLIENT_HELLO, seq, body))


def cookie_of(reply: bytes) -> bytes | None:
    """The cookie in a HelloVerifyRequest; None: the reply is something else."""
    return reply[_COOKIE_AT:] if is_hello_verify_request(reply) else None


# --- in memory


def in_memory(hellos: int, config: EndpointConfig, *, has_cookies: bool, sessions: int = SESSIONS) -> Flood:
    """Hellos from ever new addresses at an endpoint; given time passes as if 5,000 came a second."""
    server = Server(config)
    pairs = []
    for number in range(sessions):
        identity = b"device %d" % number
        server.psks[identity] = secrets.token_bytes(16)
        client = ClientConfig(identity, server.psks[identity])
        address = Address("192.0.2.1", 1 + number)
        pairs.append(Pair(client, server=server, address=address, seed=str(number)))
        pairs[-1].handshake()
    exchange = _memory_exchange(pairs)
    quiet = [exchange() for _ in range(2_000)]
    server.events.clear()
    endpoint = server.endpoint
    every = max(1, hellos // 2_000)
    before = early = own_memory_bytes()
    flooded: list[float] = []
    for number in range(hellos):
        server.now += 1 / HELLOS_A_SECOND
        address = stranger(number)
        random = number.to_bytes(32, "big")
        endpoint.receive_datagram(hello(random), address, server.now)
        replies = endpoint.datagrams_to_send()
        if has_cookies:
            endpoint.receive_datagram(hello(random, replies[-1][0][_COOKIE_AT:]), address, server.now)
        due = endpoint.get_timer()
        if due is not None and due <= server.now:
            endpoint.handle_timer(server.now)
        endpoint.datagrams_to_send()
        if number % every == 0:
            flooded.append(exchange())
        if number == hellos // 10:
            early = own_memory_bytes()
    name = f"in memory, {'with' if has_cookies else 'without'} cookies"
    assert endpoint.session_count == sessions, "the sessions that were there are there"
    return Flood(name, hellos, before, early, own_memory_bytes(), quiet, flooded)


def stranger(number: int) -> Address:
    """The *number*-th address that nobody has heard of."""
    return Address(f"198.{18 + (number >> 31)}.{number >> 8 & 255}.{number & 255}", 1_024 + (number >> 16))


def own_memory_bytes() -> int:
    """What this process has in RAM."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _memory_exchange(pairs: Sequence[Pair]) -> Callable[[], float]:
    """A function that makes one exchange with the next session in turn and gives its microseconds."""
    turn = 0

    def exchange() -> float:
        nonlocal turn
        pair = pairs[turn % len(pairs)]
        turn += 1
        pair.client.send(_PING, pair.now)
        (datagram,) = pair.client.datagrams_to_send()
        endpoint = pair.server.endpoint
        start_ns = time.perf_counter_ns()
        (event,) = endpoint.receive_datagram(datagram, pair.address, pair.now)
        endpoint.send(event.session, _PING)  # type: ignore[union-attr]
        sent = endpoint.datagrams_to_send()
        took_us = (time.perf_counter_ns() - start_ns) / 1000
        assert sent[-1][1] == pair.address
        return took_us

    return exchange


# --- over loopback


def over_loopback(hellos: int, folder: Path, *, has_cookies: bool) -> Flood:
    """The same against a gateway in its own process, 5,000 a second, each from an address of its own."""
    url = f"sqlite:///{folder}/{'with' if has_cookies else 'without'}.db"
    devices = [NewDevice(f"flood-{number}", secret=secrets.token_bytes(16)) for number in range(SESSIONS)]
    with Administration(Database.open(url)) as administration:
        administration.import_devices(devices)
    arguments = ["-m", "tools.admin.main", "serve", "--db", url, "--host", "127.0.0.1", "--coap-port", "0"]
    arguments += ["--coaps-port", "0", "--set", "dtls.handshakes_per_minute=0"]
    with ServerProcess(arguments, 2, folder / "serve.log") as server, ExitStack() as stack:
        port = server.ports["coaps"]
        peers = [_Peer(stack, port, each.node_id.encode(), each.secret or b"") for each in devices]
        quiet = [peer.exchange() for _ in range(1_000 // SESSIONS) for peer in peers]
        before = server.resident_bytes()
        flood = Flood(
            f"over loopback, {'with' if has_cookies else 'without'} cookies", hellos, before, before, 0, quiet
        )
        _run_loopback(flood, server, peers, port, has_cookies)
        flood.memory_after_bytes = server.resident_bytes()
        assert all(peer.exchange() > 0 for peer in peers), "every session is still there"
    return flood


def _run_loopback(
    flood: Flood, server: ServerProcess, peers: Sequence[_Peer], port: int, has_cookies: bool
) -> None:
    start_s = time.monotonic()
    times: list[float] = []
    strangers: deque[_Stranger] = deque()
    turns = cycle(peers)
    peer = next(turns)
    peer.begin()
    sent = 0
    while sent < flood.hellos:
        if sent < (time.monotonic() - start_s) * HELLOS_A_SECOND:
            # One at a time, so that an answer never waits for the sender of the flood.
            strangers.append(_Stranger(port, sent))
            if len(strangers) > LISTENING:
                strangers.popleft().leave(has_cookies)
            sent += 1
        if sent == flood.hellos // 10:
            flood.memory_early_bytes = server.resident_bytes()
        took_us = peer.poll()
        if took_us is not None:
            times += [took_us] if took_us else []
            flood.unanswered += not took_us
            peer = next(turns)
            peer.begin()
    while strangers:
        strangers.popleft().leave(has_cookies)
    flood.flooded_us = times


class _Stranger:
    """An address from which one client sends its hello, and, with its cookie, perhaps the second."""

    def __init__(self, port: int, number: int) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((f"127.{64 + (number >> 16)}.{number >> 8 & 255}.{number & 255}", 0))
        self._socket.setblocking(False)
        self._socket.connect(("127.0.0.1", port))
        self._random = secrets.token_bytes(32)
        self._socket.send(hello(self._random))

    def leave(self, has_cookies: bool) -> None:
        """The end; a cookie that has come is sent back first."""
        with self._socket as sock:
            try:
                cookie = cookie_of(sock.recv(2_048))
            except BlockingIOError:
                return
            if cookie is not None and has_cookies:
                sock.send(hello(self._random, cookie))


class _Peer:
    """An established session, and one exchange at a time over it."""

    PATIENCE_S = 1.0

    def __init__(self, stack: ExitStack, port: int, identity: bytes, psk: bytes) -> None:
        self._socket = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self._socket.connect(("127.0.0.1", port))
        self._socket.settimeout(5.0)
        self._client = Client(ClientConfig(identity, psk), secrets.token_bytes)
        self._client.start(time.monotonic())
        while not self._client.is_established:
            self._flush()
            self._client.receive_datagram(self._socket.recv(2_048), time.monotonic())
        self._flush()
        self._message_id = 0
        self._begun_s = 0.0

    def exchange(self) -> float:
        """Ask and wait; microseconds."""
        self.begin()
        while (took_us := self.poll()) is None:
            pass
        return took_us

    def begin(self) -> None:
        """Send a ping."""
        self._socket.setblocking(False)
        self._message_id = self._message_id + 1 & 0xFFFF
        self._client.send(_PING[:2] + self._message_id.to_bytes(2, "big"), time.monotonic())
        self._begun_s = time.perf_counter()
        self._flush()

    def poll(self) -> float | None:
        """How long the answer took, once it is there; 0: it will not come; None: not yet."""
        if not self._begun_s:
            self.begin()
        for event in self._receive():
            if isinstance(event, ClientData) and event.data[2:4] == self._message_id.to_bytes(2, "big"):
                return (time.perf_counter() - self._begun_s) * 1e6
        return None if time.perf_counter() - self._begun_s < self.PATIENCE_S else 0.0

    def _receive(self) -> Iterator[object]:
        try:
            datagram = self._socket.recv(2_048)
        except BlockingIOError:
            return
        yield from self._client.receive_datagram(datagram, time.monotonic())

    def _flush(self) -> None:
        for datagram in self._client.datagrams_to_send():
            self._socket.send(datagram)


def main(arguments: list[str] | None = None) -> int:
    """Run both floods in memory and over loopback; print a line for each."""
    parser = argparse.ArgumentParser(prog="tools/fuzz flood", description="Flood the gateway with hellos.")
    parser.add_argument("--in-memory", type=int, default=1_000_000, help="hellos at an endpoint in memory")
    parser.add_argument("--loopback", type=int, default=100_000, help="hellos to a gateway on loopback")
    options = parser.parse_args(arguments)
    for has_cookies in (False, True):
        if options.in_memory:
            flood = in_memory(options.in_memory, EndpointConfig(), has_cookies=has_cookies)
            print(flood.line(), flush=True)
    with tempfile.TemporaryDirectory(prefix="nodegate-flood-") as folder:
        for has_cookies in (False, True):
            if options.loopback:
                flood = over_loopback(options.loopback, Path(folder), has_cookies=has_cookies)
                print(flood.line(), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
