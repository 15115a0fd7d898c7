"""A NAT on loopback, for clients whose port must change under a session."""

from __future__ import annotations

import select
import socket
import threading


class Nat:
    """Forwards datagrams between one client and a server, which sees a port of the NAT's own.

    `rebind` gives the client another port towards the server, as a NAT does that forgot a mapping: what
    the server sends to the port before is lost.
    """

    def __init__(self, host: str, server_port: int) -> None:
        self._server = (host, server_port)
        self._inside = self._socket()
        self._outside = self._socket()
        self._wake, self._woken = socket.socketpair()
        self._rebound = threading.Event()
        self.port: int = self._inside.getsockname()[1]
        self.outside_ports: list[int] = [self._outside.getsockname()[1]]
        self._thread = threading.Thread(target=self._forward)
        self._thread.start()

    def rebind(self) -> None:
        """Return when everything goes by the new port."""
        self._rebound.clear()
        self._wake.send(b"r")
        assert self._rebound.wait(10)

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
                self._outside.sendto(datagram, self._server)
            if self._outside in ready and client is not None:
                self._inside.sendto(self._outside.recv(65535), client)
            if self._woken in ready:
                if self._woken.recv(1) == b"c":
                    return
                fresh = self._socket()  # before the old one is closed, so that its port is another
                self._outside.close()
                self._outside = fresh
                self.outside_ports.append(fresh.getsockname()[1])
                self._rebound.set()
