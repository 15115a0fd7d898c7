"""The closed loop sends everything, keeps one outstanding a socket and accepts no wrong answer."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import pytest

from tools.bench import load


class _Recorded:
    """A socket that counts what is outstanding on all of its kind."""

    outstanding = 0
    most = 0

    def __init__(self, sock: socket.socket) -> None:
        self._sock = sock
        self.setblocking = sock.setblocking
        self.settimeout = sock.settimeout

    def send(self, data: bytes) -> None:
        _Recorded.outstanding += 1
        _Recorded.most = max(_Recorded.most, _Recorded.outstanding)
        self._sock.send(data)

    def recv(self, length: int) -> bytes:
        data = self._sock.recv(length)
        _Recorded.outstanding -= 1
        return data


@pytest.fixture
def answering(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Callable[[bytes], bytes | None]], int]]:
    """Starts a server that answers by a function; gives its port."""
    monkeypatch.setattr(load, "_PATIENCE_S", 0.5)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))
        threads: list[threading.Thread] = []

        def start(answer: Callable[[bytes], bytes | None]) -> int:
            def serve() -> None:
                while (received := server.recvfrom(2048))[0] != b"stop":
                    reply = answer(received[0])
                    if reply is not None:
                        server.sendto(reply, received[1])

            threads.append(threading.Thread(target=serve))
            threads[0].start()
            return server.getsockname()[1]

        yield start
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stopper:
            stopper.sendto(b"stop", server.getsockname())
        for thread in threads:
            thread.join()


def test_answers_come_in_the_order_of_the_datagrams(answering: Callable[..., int]) -> None:
    port = answering(lambda data: b"re:" + data)
    datagrams = [str(number).encode() for number in range(25)]
    with load.connected_sockets(4, port) as sockets:
        answers = load.exchange(sockets, datagrams, lambda answer: answer.startswith(b"re:"))
    assert answers == [b"re:" + datagram for datagram in datagrams]


def test_no_more_than_the_window_are_outstanding(answering: Callable[..., int]) -> None:
    port = answering(lambda data: data)
    with load.connected_sockets(5, port) as sockets:
        recorded = [_Recorded(sock) for sock in sockets]
        answers = load.exchange(recorded, [bytes((n,)) for n in range(23)], bool, window=2)  # type: ignore[arg-type]
    assert answers == [bytes((n,)) for n in range(23)]
    assert _Recorded.most == 2


def test_silence_gives_no_figure(answering: Callable[..., int]) -> None:
    port = answering(lambda data: None if data == b"3" else data)
    with load.connected_sockets(2, port) as sockets, pytest.raises(load.Unanswered, match="no answer to 1"):
        load.exchange(sockets, [str(number).encode() for number in range(6)], lambda answer: True)


def test_wrong_answer_gives_no_figure(answering: Callable[..., int]) -> None:
    port = answering(lambda data: b"no")
    with load.connected_sockets(2, port) as sockets, pytest.raises(load.Unanswered, match="6e6f"):
        load.exchange(sockets, [b"1", b"2"], lambda answer: answer == b"yes")


def test_burst_counts_the_right_answers(answering: Callable[..., int]) -> None:
    port = answering(lambda data: None if data == b"3" else data)
    with load.connected_sockets(2, port) as sockets:
        assert load.burst(sockets, [b"1", b"2", b"3", b"4"], lambda answer: answer != b"4") == 2


def test_hostile_datagrams_are_paced_by_a_probe(answering: Callable[..., int]) -> None:
    seen: list[bytes] = []

    def answer(data: bytes) -> bytes | None:
        seen.append(data)
        return data if data == b"probe" else None

    port = answering(answer)
    with load.connected_sockets(2, port) as (sock, prober):
        load.unanswered(sock, prober, [b"x"] * 5, lambda: b"probe", every=2)
    assert seen.count(b"x") == 5
    assert seen.count(b"probe") == 3


class _Scripted:
    """A socket on which these datagrams arrive one by one."""

    def __init__(self, *arriving: bytes) -> None:
        self._arriving = list(arriving)
        self.sent: list[bytes] = []
        self.send = self.sent.append

    def recv(self, _length: int) -> bytes:
        return self._arriving.pop(0)

    def setblocking(self, _flag: bool) -> None:
        pass

    settimeout = setblocking


def test_separate_answer_is_waited_for_and_acknowledged() -> None:
    sock = _Scripted(b"\x60\x00\x12\x34", b"\x40\x44\xab\xcd")
    answers = load.exchange([sock], [b"\x40\x02\x12\x34"], lambda answer: True)  # type: ignore[list-item]
    assert answers == [b"\x40\x44\xab\xcd"]
    assert sock.sent == [b"\x40\x02\x12\x34", b"\x60\x00\xab\xcd"]
