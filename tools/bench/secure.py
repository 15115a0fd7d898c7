"""DTLS clients for the benchmark: many handshakes at once over a few sockets, records sealed beforehand."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gateway.dtls.client import Client
from gateway.dtls.events import ClientData
from gateway.dtls.settings import ClientConfig
from tools.bench.load import Unanswered


class Peer(Protocol):
    """Whoever can make a handshake."""

    @property
    def config(self) -> ClientConfig: ...


@dataclass(frozen=True, slots=True)
class Credential:
    """What a security device has."""

    node_id: str
    secret: bytes

    @property
    def config(self) -> ClientConfig:
        """Its client role: a connection ID towards the server."""
        return ClientConfig(identity=self.node_id.encode(), psk=self.secret, cid=b"")


def handshake(sockets: Sequence[socket.socket], peers: Sequence[Peer]) -> list[Client]:
    """Full handshakes with connection id, one a socket at a time; gives the clients in order.

    Raises:
        Unanswered: a handshake that did not come to its end.
    """
    clients: list[Client] = []
    for start in range(0, len(peers), len(sockets)):
        batch = [_start(peer) for peer in peers[start : start + len(sockets)]]
        waiting = list(zip(sockets, batch, strict=False))
        while waiting:
            for sock, client in waiting:
                for datagram in client.datagrams_to_send():
                    sock.send(datagram)
            for sock, client in waiting:
                _receive(sock, client)
            waiting = [(sock, client) for sock, client in waiting if not client.is_established]
        clients += batch
    return clients


def seal(client: Client, message: bytes) -> bytes:
    """The record that carries *message*, not sent yet."""
    client.send(message, time.monotonic())
    (datagram,) = client.datagrams_to_send()
    return datagram


def opened(client: Client, datagram: bytes) -> bytes:
    """What the application data record in *datagram* carries.

    Raises:
        Unanswered: no record that this client can open.
    """
    for event in client.receive_datagram(datagram, time.monotonic()):
        if isinstance(event, ClientData):
            return event.data
    raise Unanswered("a record that does not open")


def first_hello() -> bytes:
    """A ClientHello without cookie."""
    (datagram,) = _start(Credential("probe", bytes(16))).datagrams_to_send()
    return datagram


def _start(peer: Peer) -> Client:
    client = Client(peer.config, os.urandom)
    client.start(time.monotonic())
    return client


def _receive(sock: socket.socket, client: Client) -> None:
    try:
        client.receive_datagram(sock.recv(2048), time.monotonic())
    except TimeoutError:
        raise Unanswered("a handshake got no answer") from None
