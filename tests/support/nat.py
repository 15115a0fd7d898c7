"""A NAT on loopback: a client's port changes under its session, or a datagram is lost."""

from __future__ import annotations

import select
import socket
import threading
from enum import StrEnum


class Way(StrEnum):
    """Direction of a datagram, as its receiver sees it."""

    TO_SERVER = "to-server"
    TO_CLIENT = "to-client"


class Nat:
    """Forwards datagrams between one client and a server, which sees a port of the NAT's own.

    `rebind` gives the client another port towards the server, as a NAT does that forgot a mapping: what
    the server sends to the port before is lost. `lose` names a datagram that does not arrive.
    """

    def __init__(self, host: str, server_port: int) -> None:
        self._server = (host, server_port)
        self._inside = self._socket()
        self._outside = self._socket()
        self._wake, self._woken = socket.socketpair()
        self._rebound = threading.Event()
        self.port: int = self._inside.getsockname()[1]
        self.outside_ports: list[int] = [self._outside.getsockname()[1]]
        self._lost: set[tuple[Way, int]] = set()
        self.passed = dict.fromkeys(Way, 0)
        "Datagrams that came, the lost ones included."
        self._thread = threading.Thread(target=self._forward)
        self._thread.start()

    def rebind(self) -> None:
        """Return when everything goes by the new port."""
        self._rebound.clear()
        self._wake.send(b"r")
        assert self._rebound.wait(10)

    def lose(self, way: Way, number: int) -> None:
        """Lose the datagram of that number, counted from 1 each way; to be called before it comes."""
        self._lost.add((way, number))

    def close(self) -> None:
        """Stop forwarding."""
        self._wake.send(b"c")
        self._thread.join()
        for each in (self._inside, self._outside, self._wake, self._woken):
            each.close()

    def _socket(self) -> socket.socket:
        opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        opened.bind((self._server[0], 0))
        return opened

    def _forward(self) -> None:
        client = None
        while True:
            ready, _, _ = select.select([self._inside, self._outside, self._woken], [], [])
            if self._inside in ready:
                datagram, client = self._inside.recvfrom(65535)
                if self._arrives(Way.TO_SERVER):
                    self._outside.sendto(datagram, self._server)
            if self._outside in ready:
                datagram = self._outside.recv(65535)
                if self._arrives(Way.TO_CLIENT) and client is not None:
                    self._inside.sendto(datagram, client)
            if self._woken in ready:
                if self._woken.recv(1) == b"c":
                    return
                fresh = self._socket()  # before the old one is closed, so that its port is another
                self._outside.close()
                self._outside = fresh
                self.outside_ports.append(fresh.getsockname()[1])
                self._rebound.set()

    def _arrives(self, way: Way) -> bool:
        self.passed[way] += 1
        return (way, self.passed[way]) not in self._lost
