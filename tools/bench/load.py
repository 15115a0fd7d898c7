"""A closed-loop load: datagrams made beforehand, one outstanding on each of a number of sockets.

The generator does as little as possible between two datagrams, so that the server never waits for it.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

_PATIENCE_S = 5.0

Check = Callable[[bytes], bool]
"Whether an answer is the one that the operation wants."


class Unanswered(Exception):
    """The server did not answer, or not as expected; the figures would mean nothing."""


@contextmanager
def connected_sockets(count: int, port: int) -> Iterator[list[socket.socket]]:
    """*count* source ports, all connected to the server's *port* on loopback."""
    with ExitStack() as stack:
        sockets = []
        for _ in range(count):
            sock = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            sock.settimeout(_PATIENCE_S)
            sock.connect(("127.0.0.1", port))
            sockets.append(sock)
        yield sockets


def exchange(sockets: Sequence[socket.socket], datagrams: Sequence[bytes], check: Check) -> list[bytes]:
    """Send *datagrams* round robin, one outstanding per socket; give the answers in order.

    Raises:
        Unanswered: a datagram without an answer, or one that *check* refuses.
    """
    answers: list[bytes] = []
    window = len(sockets)
    for start in range(0, len(datagrams), window):
        batch = datagrams[start : start + window]
        for sock, datagram in zip(sockets, batch, strict=False):
            sock.send(datagram)
        for sock, _ in zip(sockets, batch, strict=False):
            try:
                answers.append(sock.recv(2048))
            except TimeoutError:
                raise Unanswered(f"no answer to one of the requests from {start}") from None
    wrong = next((answer for answer in answers if not check(answer)), None)
    if wrong is not None:
        raise Unanswered(f"unexpected answer {wrong.hex()}")
    return answers


def burst(sockets: Sequence[socket.socket], datagrams: Sequence[bytes], check: Check) -> int:
    """Send all *datagrams* at once; count the right answers that come back."""
    for index, datagram in enumerate(datagrams):
        sockets[index % len(sockets)].send(datagram)
    answered = 0
    deadline = time.monotonic() + _PATIENCE_S
    for index in range(len(datagrams)):
        sock = sockets[index % len(sockets)]
        sock.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            answered += check(sock.recv(2048))
        except TimeoutError:
            continue
    return answered


def unanswered(
    sock: socket.socket,
    prober: socket.socket,
    datagrams: Sequence[bytes],
    probe: Callable[[], bytes],
    every: int = 50,
) -> None:
    """Send *datagrams* that deserve no answer; after each *every* wait for the answer to a probe.

    The probe paces the load: without it the server's buffer would overflow and drop for free.
    """
    for start in range(0, len(datagrams), every):
        for datagram in datagrams[start : start + every]:
            sock.send(datagram)
        prober.send(probe())
        try:
            prober.recv(2048)
        except TimeoutError:
            raise Unanswered("the server stopped answering") from None
