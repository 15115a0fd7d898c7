"""A closed-loop load: datagrams made beforehand, one outstanding on each of a number of sockets.

The generator polls and never sleeps: a sleeping peer must be woken by the server's send, which would be
charged to the server, and more to a slow one than to a fast one.
"""

from __future__ import annotations

import socket
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager

_PATIENCE_S = 5.0

# A server that was kept waiting acknowledges first and answers later (RFC 7252 §5.2.2).
_EMPTY_ACK = b"\x60\x00"
_CONFIRMABLE = 0x40
_RESPONSE = 0x40
_HEADER_BYTES = 4

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


def exchange(
    sockets: Sequence[socket.socket], datagrams: Sequence[bytes], check: Check, *, window: int | None = None
) -> list[bytes]:
    """Send *datagrams*, dealt out to the sockets in turn, each when the answer before it is there.

    At most *window* are outstanding, one a socket by default. Gives the answers in the order of the
    datagrams.

    Raises:
        Unanswered: a datagram without an answer, or one that *check* refuses.
    """
    answers = [b""] * len(datagrams)
    queues = [iter(range(start, len(datagrams), len(sockets))) for start in range(len(sockets))]
    waiting: dict[int, int] = {}
    idle = deque(range(len(sockets)))
    room = window or len(sockets)
    for sock in sockets:
        sock.setblocking(False)
    last_answer_at = time.monotonic()
    while idle or waiting:
        while idle and len(waiting) < room:
            place = idle.popleft()
            index = next(queues[place], None)
            if index is not None:
                sockets[place].send(datagrams[index])
                waiting[place] = index
        answered = _poll(sockets, waiting, answers)
        for place in answered:
            del waiting[place]
        idle.extend(answered)
        if answered:
            last_answer_at = time.monotonic()
        elif time.monotonic() - last_answer_at > _PATIENCE_S:
            raise Unanswered(f"no answer to {len(waiting)} of the requests")
    for sock in sockets:
        sock.settimeout(_PATIENCE_S)
    wrong = next((answer for answer in answers if not check(answer)), None)
    if wrong is not None:
        raise Unanswered(f"unexpected answer {wrong.hex()}")
    return answers


def _poll(sockets: Sequence[socket.socket], waiting: dict[int, int], answers: list[bytes]) -> list[int]:
    """The places of *waiting* whose answer has come and is now in *answers*."""
    ready = []
    for place, index in waiting.items():
        try:
            answer = _take(sockets[place])
        except BlockingIOError:
            continue
        if answer is not None:
            answers[index] = answer
            ready.append(place)
    return ready


def _take(sock: socket.socket) -> bytes | None:
    """What has come; None where it only says that the answer will come later."""
    answer = sock.recv(2048)
    if answer[:2] == _EMPTY_ACK:
        return None
    if len(answer) >= _HEADER_BYTES and answer[0] & 0xF0 == _CONFIRMABLE and answer[1] >= _RESPONSE:
        sock.send(_EMPTY_ACK + answer[2:_HEADER_BYTES])
    return answer


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
            answer = _take(sock) or _take(sock)
            answered += answer is not None and check(answer)
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
