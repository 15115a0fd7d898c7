"""A gateway in a process of its own, and a plain device that speaks to it datagram by datagram."""

from __future__ import annotations

import os
import select
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import aiocoap

from registry.administration import Administration
from registry.model import Created, NewDevice
from registry.sqlite import Database
from tests.support.command import start_nodegate

DEADLINE_S = 20.0
"No wait is longer."

CLEAN: dict[str, str | None] = {name: None for name in os.environ if name.upper().startswith("NODEGATE_")}
"An environment without settings of this machine."


def import_devices(database: Path, devices: Sequence[NewDevice]) -> list[Created]:
    """Put *devices* into the registry in the file *database*, which need not exist."""
    administration = Administration(Database.open(f"sqlite:///{database}"))
    try:
        return administration.import_devices(devices)
    finally:
        administration.close()


@dataclass
class Serving:
    """A gateway that has said where it listens."""

    process: subprocess.Popen[str]
    listeners: list[tuple[str, str, int]]
    "Scheme, host, port."

    def port(self, scheme: str) -> int:
        """The port of *scheme*; with several listeners they share it."""
        return next(port for name, _, port in self.listeners if name == scheme)

    def stop(self) -> tuple[int, str]:
        """SIGTERM; exit status and what stood on stderr."""
        self.process.send_signal(signal.SIGTERM)
        _, err = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, err

    def kill(self) -> None:
        """SIGKILL: a crash."""
        self.process.kill()
        self.process.communicate(timeout=DEADLINE_S)


@contextmanager
def serving(database: Path, *flags: str, host: str = "127.0.0.1", listeners: int = 2) -> Iterator[Serving]:
    """A gateway on *database*, on ports of the system's choice; killed at the end if it still runs."""
    words = ("serve", "--db", f"sqlite:///{database}", "--coap-port", "0", "--coaps-port", "0")
    if host:
        words = (*words, "--host", host)
    process = start_nodegate(*words, *flags, environment=CLEAN)
    try:
        yield Serving(process, [_read_listener(process) for _ in range(listeners)])
    finally:
        process.kill()
        process.communicate()


def _read_listener(process: subprocess.Popen[str]) -> tuple[str, str, int]:
    assert process.stdout is not None
    # Unbuffered by line: select would not see what a text stream has read ahead.
    deadline = time.monotonic() + DEADLINE_S
    line = b""
    while not line.endswith(b"\n"):
        ready, _, _ = select.select([process.stdout], [], [], max(0.0, deadline - time.monotonic()))
        byte = os.read(process.stdout.fileno(), 1) if ready else b""
        if not byte:
            process.kill()
            raise AssertionError(f"the gateway did not start: {process.communicate()[1]}")
        line += byte
    scheme, _, rest = line.decode().removeprefix("listening ").strip().partition("://")
    host, _, port = rest.rpartition(":")
    return scheme, host, int(port)


class PlainDevice:
    """A non-security device on a socket of its own."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        self.socket.settimeout(DEADLINE_S)
        self.socket.connect((host, port))
        self._mid = 0

    def __enter__(self) -> PlainDevice:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()

    def register(self, node_id: str, lifetime_s: int = 300, *more: str) -> aiocoap.Message:
        """The answer to a Register, with *more* parameters."""
        return self.ask(self.register_datagram(node_id, lifetime_s, *more))

    def update(self, location: Sequence[str]) -> aiocoap.Message:
        """The answer to an Update without parameters."""
        return self.ask(self._post(location))

    def register_datagram(self, node_id: str, lifetime_s: int = 300, *more: str) -> bytes:
        """A Register to send at will."""
        query = (f"ep={node_id}", f"lt={lifetime_s}", "lwm2m=1.1", *more)
        return self._post(("rd",), query, b"</1/0>,</3/0>")

    def ask(self, datagram: bytes) -> aiocoap.Message:
        """Send, and decode the one datagram that comes back."""
        self.socket.send(datagram)
        return self.receive()

    def receive(self) -> aiocoap.Message:
        """The next datagram, decoded."""
        return aiocoap.Message.decode(self.socket.recv(2048))

    def hears_nothing(self) -> bool:
        """Whether no datagram lies there."""
        return not select.select([self.socket], [], [], 0)[0]

    def answer(self, request: aiocoap.Message, code: aiocoap.Code, payload: bytes = b"") -> None:
        """Answer *request* in its acknowledgement."""
        response = aiocoap.Message(code=code, payload=payload)
        response.mtype, response.mid, response.token = aiocoap.ACK, request.mid, request.token
        self.socket.send(response.encode())

    def _post(self, path: Sequence[str], query: Sequence[str] = (), payload: bytes = b"") -> bytes:
        self._mid += 1
        message = aiocoap.Message(code=aiocoap.POST, payload=payload, uri_path=path, uri_query=query)
        message.mtype = aiocoap.CON
        message.mid = self._mid & 0xFFFF
        message.token = self._mid.to_bytes(4, "big")
        return message.encode()
