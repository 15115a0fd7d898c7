"""What is measured, operation by operation.

A server's CPU time is read before and after a closed loop of requests; the difference is divided by
the answers. Every answer is checked: a run with a wrong or missing answer gives no figure.
"""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from gateway.dtls.client import Client
from tools.bench import load, requests, secure
from tools.bench.certified import CertifiedDevice
from tools.bench.process import ServerProcess
from tools.bench.secure import Credential

WINDOW = 64
"Requests outstanding."

PLAIN_PORTS = 256
"Source ports of the plain devices. As many Registers are outstanding, whose answers wait for the commit."


def measure(server: ServerProcess, operation: Callable[[], int]) -> float:
    """Microseconds of *server*'s CPU for each of the operations that *operation* says it did."""
    before = server.cpu_ns()
    count = operation()
    return (server.cpu_ns() - before) / 1000 / count


def echo(server: ServerProcess, count: int) -> float:
    """An Update's bytes, sent back as they came, to as many ports as Updates come from."""
    datagrams = [requests.update(("rd", "x" * 22), mid) for mid in range(count)]
    with load.connected_sockets(PLAIN_PORTS, server.ports["echo"]) as sockets:
        return measure(
            server, lambda: len(load.exchange(sockets, datagrams, lambda answer: True, window=WINDOW))
        )


@dataclass(slots=True)
class PlainDevices:
    """Non-security devices of one server, each at an address of its own for good."""

    server: ServerProcess
    node_ids: Sequence[str]
    sockets: Sequence[socket.socket]
    "Dealt out to the devices in turn."

    locations: list[tuple[str, ...]] = field(default_factory=list)
    mid: int = 0

    def register(self) -> float:
        """Each device registers once."""
        datagrams = [requests.register(node_id, self._next_mid()) for node_id in self.node_ids]
        answers: list[bytes] = []

        def operation() -> int:
            answers.extend(load.exchange(self.sockets, datagrams, requests.is_answer(requests.CREATED)))
            return len(answers)

        cost = measure(self.server, operation)
        self.locations = [requests.location_of(answer) for answer in answers]
        return cost

    def update(self, rounds: int) -> float:
        """*rounds* Updates of each device."""
        turns = [
            [requests.update(location, self._next_mid()) for location in self.locations]
            for _ in range(rounds)
        ]
        check = requests.is_answer(requests.CHANGED)

        def operation() -> int:
            return sum(len(load.exchange(self.sockets, turn, check, window=WINDOW)) for turn in turns)

        return measure(self.server, operation)

    def send(self, rounds: int) -> float:
        """*rounds* Sends of each device, ten values each; answered after the commit, like Registers."""
        turns = [[requests.send(self._next_mid()) for _ in self.locations] for _ in range(rounds)]
        check = requests.is_answer(requests.CHANGED)

        def operation() -> int:
            return sum(len(load.exchange(self.sockets, turn, check)) for turn in turns)

        return measure(self.server, operation)

    def burst(self) -> int:
        """All devices register at the same moment; gives how many were answered."""
        datagrams = [requests.register(node_id, self._next_mid()) for node_id in self.node_ids]
        return load.burst(self.sockets, datagrams, requests.is_answer(requests.CREATED))

    def _next_mid(self) -> int:
        self.mid += 1
        return self.mid


@dataclass(slots=True)
class SecureDevices:
    """Security devices of one server with their sessions."""

    server: ServerProcess
    credentials: Sequence[Credential]
    sockets: Sequence[socket.socket]
    clients: list[Client] = field(default_factory=list)
    locations: list[tuple[str, ...]] = field(default_factory=list)
    mid: int = 0

    def handshake(self) -> float:
        """Each device makes a full handshake."""

        def operation() -> int:
            self.clients = secure.handshake(self.sockets, self.credentials)
            return len(self.clients)

        return measure(self.server, operation)

    def register(self) -> float:
        """Each device registers over its session."""
        messages = [
            requests.register(credential.node_id, self._next_mid()) for credential in self.credentials
        ]
        datagrams = [
            secure.seal(client, message) for client, message in zip(self.clients, messages, strict=True)
        ]
        answers: list[bytes] = []

        def operation() -> int:
            answers.extend(load.exchange(self.sockets, datagrams, _is_record))
            return len(answers)

        cost = measure(self.server, operation)
        opened = [secure.opened(client, answer) for client, answer in zip(self.clients, answers, strict=True)]
        if not all(map(requests.is_answer(requests.CREATED), opened)):
            raise load.Unanswered("a Register over coaps was refused")
        self.locations = [requests.location_of(answer) for answer in opened]
        return cost

    def update(self, rounds: int) -> float:
        """*rounds* Updates of each device, over its session and from its address."""
        turns = [
            [
                secure.seal(client, requests.update(location, self._next_mid()))
                for client, location in zip(self.clients, self.locations, strict=True)
            ]
            for _ in range(rounds)
        ]
        last: list[bytes] = []

        def operation() -> int:
            for turn in turns:
                last[:] = load.exchange(self.sockets, turn, _is_record, window=WINDOW)
            return rounds * len(last)

        cost = measure(self.server, operation)
        opened = [secure.opened(client, answer) for client, answer in zip(self.clients, last, strict=True)]
        if not all(map(requests.is_answer(requests.CHANGED), opened)):
            raise load.Unanswered("an Update over coaps was refused")
        return cost

    def forge(self, each: int) -> list[bytes]:
        """*each* Updates a session, sealed rightly, the tag broken afterwards."""
        forged = []
        for client, location in zip(self.clients, self.locations, strict=True):
            for _ in range(each):
                record = secure.seal(client, requests.update(location, self._next_mid()))
                forged.append(record[:-1] + bytes((record[-1] ^ 1,)))
        return forged

    def _next_mid(self) -> int:
        self.mid += 1
        return self.mid


def certified_handshakes(
    server: ServerProcess, sockets: Sequence[socket.socket], devices: Sequence[CertifiedDevice]
) -> float:
    """Each device makes a full handshake in which both sides prove a certificate."""
    return measure(server, lambda: len(secure.handshake(sockets, devices)))


def random_datagrams(count: int, seed: int = 1) -> list[bytes]:
    """Noise of the sizes of real datagrams."""
    source = random.Random(seed)
    return [source.randbytes(source.randrange(1, 200)) for _ in range(count)]


def hostile(server: ServerProcess, scheme: str, datagrams: Sequence[bytes]) -> float:
    """What datagrams that deserve no answer cost, each."""
    mids = iter(range(1, 1 << 16))
    # A client's hello without cookie is the probe on the secure port: it is answered without state.
    hello = secure.first_hello()
    with load.connected_sockets(2, server.ports[scheme]) as (sock, prober):

        def operation() -> int:
            load.unanswered(
                sock, prober, datagrams, lambda: requests.ping(next(mids)) if scheme == "coap" else hello
            )
            return len(datagrams)

        return measure(server, operation)


def _is_record(answer: bytes) -> bool:
    return len(answer) > 13 and answer[0] in {23, 25}


def unknown_updates(server: ServerProcess, count: int) -> float:
    """Updates of registrations that do not exist: each is answered, by 4.04."""
    not_found = requests.is_answer(requests.NOT_FOUND)
    with load.connected_sockets(WINDOW, server.ports["coap"]) as sockets:
        datagrams = [requests.update(("rd", os.urandom(11).hex()), mid) for mid in range(count)]
        return measure(server, lambda: len(load.exchange(sockets, datagrams, not_found)))
