"""What an attack on a DTLS endpoint may and may not do, as context managers around it.

- `dropped`: the rule of the catalogue: nothing sent, nothing told, nobody more or fewer; named counters grow.
- `Bystander`: an established peer that must not notice.
- `Operations`: the cryptographic work done, call by call.

The attack itself is made with `dtls_pair.RawClient`, or from the raw parts below.
"""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from typing import Any

import pytest

from gateway.address import Address
from gateway.dtls import keys
from gateway.dtls.client import ClientConfig
from gateway.dtls.messages import HandshakeType, encode_message
from gateway.dtls.record import encode_record
from gateway.dtls.suites import AEAD, SUITES
from tests.support.dtls_pair import HANDSHAKE, Entropy, Hello, Pair, RawClient, Server

ELSEWHERE = Address("198.51.100.66", 6_666)
BYSTANDER = Address("198.51.100.7", 5_684)


@contextmanager
def counted(server: Server, **expected: int) -> Iterator[None]:
    """Exactly these counters grow, by so much."""
    before = server.endpoint.counters.as_dict()
    yield
    after = server.endpoint.counters.as_dict()
    assert {name: after[name] - before[name] for name in after if after[name] != before[name]} == expected


@contextmanager
def silent(server: Server) -> Iterator[None]:
    """No answer, no event, no session and no handshake more or less."""
    endpoint = server.endpoint
    events, outbox = len(server.events), len(server.outbox)
    population = endpoint.session_count, endpoint.handshake_count
    yield
    assert server.outbox[outbox:] == []
    assert server.events[events:] == []
    assert (endpoint.session_count, endpoint.handshake_count) == population


@contextmanager
def dropped(server: Server, **expected: int) -> Iterator[None]:
    """`silent`, and exactly these counters grow. Datagrams go in by `Server.give`."""
    with silent(server), counted(server, **expected):
        yield


@contextmanager
def dropped_once(server: Server) -> Iterator[None]:
    """`silent`, and one counter, whichever it is, grows by one."""
    before = sum(server.endpoint.counters.as_dict().values())
    with silent(server):
        yield
    assert sum(server.endpoint.counters.as_dict().values()) == before + 1


class Bystander:
    """An established peer with a key of its own; `check` that it is well afterwards."""

    def __init__(
        self,
        server: Server,
        cid: bytes | None = None,
        address: Address = BYSTANDER,
        identity: bytes = b"bystander",
    ) -> None:
        psk = server.psks.setdefault(identity, sha256(identity).digest()[:16])
        config = ClientConfig(identity, psk, cid=cid)
        self.pair = Pair(config, server=server, address=address, seed="bystander")
        self.session = self.pair.handshake()
        self._said = 0
        self.check()

    def check(self) -> None:
        """It is heard and hears, on the session it always had."""
        self._said += 1
        question, answer = f"question {self._said}".encode(), f"answer {self._said}".encode()
        server = self.pair.server
        self.pair.say(question)
        assert server.received[-1] == question
        assert server.send(self.session, answer)
        self.pair.exchange()
        assert self.pair.client_received[-1] == answer


class Operations:
    """MACs, hashes of long keys, AEAD calls and drawn bytes, as ``(what, size)``; see `record_operations`."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, int]] = []

    def take(self) -> list[tuple[str, int]]:
        """What was done since the last call."""
        taken, self.calls = self.calls, []
        return taken

    def count(self, what: str) -> int:
        """How often *what* was done since the last `take`."""
        return sum(name == what for name, _ in self.calls)

    def wrap(self, what: str, function: Callable[..., Any], argument: int) -> Callable[..., Any]:
        """*function*, each call noted with one of its arguments: a number, or how long it is."""

        def noted(*arguments: Any) -> Any:
            value = arguments[argument]
            self.calls.append((what, value if isinstance(value, int) else len(value)))
            return function(*arguments)

        return noted


class _NotedAead:
    def __init__(self, aead: AEAD, operations: Operations) -> None:
        self.encrypt = operations.wrap("encrypt", aead.encrypt, 1)
        self.decrypt = operations.wrap("decrypt", aead.decrypt, 1)


def record_operations(monkeypatch: pytest.MonkeyPatch) -> Operations:
    """Note what is computed from here on, by the server as well as by clients in this process."""
    operations = Operations()
    mac = keys.HmacSha256
    monkeypatch.setattr(keys, "sha256", operations.wrap("sha256", keys.sha256, 0))
    monkeypatch.setattr(mac, "digest", operations.wrap("hmac", mac.digest, 1))
    monkeypatch.setattr(Entropy, "__call__", operations.wrap("entropy", Entropy.__call__, 1))
    for suite in list(SUITES.values()):
        make = operations.wrap("aead key", suite.aead, 0)
        noted = replace(suite, aead=lambda key, make=make: _NotedAead(make(key), operations))
        monkeypatch.setitem(SUITES, suite.id, noted)
    return operations


@contextmanager
def memory_grows_less_than(limit_bytes: int) -> Iterator[None]:
    """Python's memory does not grow by *limit_bytes* from the beginning to the end."""
    with traced() as grown:
        yield
        growth = grown()
    assert growth < limit_bytes, f"{growth} bytes more than before"


@contextmanager
def traced() -> Iterator[Callable[[], int]]:
    """Gives a function that tells how many bytes were taken and not given back since the beginning."""
    gc.collect()
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()

    def grown() -> int:
        gc.collect()
        return tracemalloc.get_traced_memory()[0] - before

    try:
        yield grown
    finally:
        tracemalloc.stop()


def raw_hello(
    *,
    version: bytes = b"\xfe\xfd",
    random: bytes = b"r" * 32,
    session_id: bytes = b"\0",
    cookie: bytes = b"\0",
    suites: bytes = b"\0\2\xc0\xa8",
    compression: bytes = b"\1\0",
    extensions: bytes = b"",
) -> bytes:
    """The body of a ClientHello from parts that bring their own lengths, right or wrong."""
    return b"".join((version, random, session_id, cookie, suites, compression, extensions))


def hello_record(body: bytes, *, message_seq: int = 0, sequence: int = 0, version: int = 0xFEFD) -> bytes:
    """A record with a whole ClientHello."""
    message = encode_message(HandshakeType.CLIENT_HELLO, message_seq, body)
    return encode_record(HANDSHAKE, sequence, message, version)


def cookie_of(reply: bytes) -> bytes:
    """The cookie in a datagram that is a HelloVerifyRequest and nothing else."""
    assert reply[0] == HANDSHAKE
    assert reply[13] == HandshakeType.HELLO_VERIFY_REQUEST
    length = reply[27]
    assert len(reply) == 28 + length
    return reply[28:]


def is_hello_verify_request(reply: bytes) -> bool:
    """Whether a datagram asks for a cookie."""
    return reply[0] == HANDSHAKE and reply[13] == HandshakeType.HELLO_VERIFY_REQUEST


def established(
    server: Server, *, cid: bytes | None = None, number: int = 0, identity: bytes | None = None
) -> RawClient:
    """A hand-made client that has connected and said nothing yet, the *number*-th of its kind."""
    hello = Hello(random=sha256(b"%d" % number).digest())
    client = RawClient(
        server,
        hello if cid is None else hello.with_cid(cid),
        address=Address(f"203.0.113.{number % 250 + 1}", 10_000 + number),
        **({} if identity is None else {"identity": identity, "psk": server.psks[identity]}),
    )
    client.connect()
    return client
