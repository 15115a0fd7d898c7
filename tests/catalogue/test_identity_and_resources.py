"""Negative catalogue, E: identities whose key goes, that come twice, or that cannot be looked up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest

from gateway.address import Address
from gateway.dtls.client import Client, ClientConfig, ClientState
from gateway.dtls.endpoint import Endpoint
from gateway.dtls.events import (
    HandshakeFailed,
    HandshakeFailure,
    PskRequested,
    SessionEnd,
    SessionEnded,
    SessionEstablished,
)
from gateway.dtls.messages import HandshakeType
from gateway.dtls.session import Session
from gateway.dtls.settings import EndpointConfig
from gateway.transport.coaps import CoapsTransport
from tests.support.clock import VirtualClock, virtual_time
from tests.support.dtls_attack import (
    ELSEWHERE,
    Bystander,
    counted,
    dropped,
    dropped_once,
    established,
    silent,
)
from tests.support.dtls_cases import CIDS
from tests.support.dtls_pair import (
    ADDRESS,
    IDENTITY,
    PSK,
    Entropy,
    Hello,
    Pair,
    RawClient,
    Server,
    only,
)


def revoke(server: Server, identity: bytes = IDENTITY) -> list[SessionEnded | HandshakeFailed]:
    """Take the key away, as the owner does: from its store, then from the endpoint."""
    del server.psks[identity]
    ended = list(server.endpoint.end_sessions(identity, server.now))
    server.events += ended
    server.outbox += server.endpoint.datagrams_to_send()
    assert all(isinstance(event, SessionEnded | HandshakeFailed) for event in ended)
    return ended  # type: ignore[return-value]


def peer(server: Server, number: int, *, cid: bytes | None = b"", psk: bytes = PSK) -> RawClient:
    """One of several clients that all claim to be `IDENTITY`."""
    hello = Hello(random=bytes((number,)) * 32)
    hello = hello if cid is None else hello.with_cid(cid)
    return RawClient(server, hello, psk=psk, address=Address("192.0.2.1", 40_000 + number))


# --- E6: the key is removed


@pytest.mark.parametrize("cid", CIDS)
@pytest.mark.parametrize("has_spoken", [False, True])
def test_E6_session_of_a_removed_key_ends_at_once(cid: bytes | None, has_spoken: bool) -> None:
    pair = Pair(ClientConfig(IDENTITY, PSK, cid=cid))
    server = pair.server
    session = pair.handshake()
    bystander = Bystander(server)
    if has_spoken:
        pair.say(b"before")
    pair.client.send(b"on its way", pair.now)
    (late,) = pair.client.datagrams_to_send()
    assert [(event.session, event.reason) for event in only(SessionEnded, revoke(server))] == [
        (session, SessionEnd.ENDED)
    ]
    with dropped_once(server):
        server.give(late, pair.address)
    assert not server.endpoint.send(session, b"after")
    pair.exchange()
    assert pair.client.state is ClientState.CLOSED, "it was told"
    assert b"on its way" not in server.received
    assert server.endpoint.session_count == 1
    bystander.check()


@pytest.mark.parametrize("session_id", [b"", b"s" * 32])
def test_E6_nothing_resumes_what_rested_on_a_removed_key(server: Server, session_id: bytes) -> None:
    client = established(server)
    assert client.server_hello is not None
    session_id = session_id or client.server_hello.session_id
    revoke(server)
    server.take(client.address)
    again = RawClient(server, Hello(random=b"2" * 32, session_id=session_id), address=client.address)
    again.begin()
    assert again.server_hello is not None
    assert again.server_hello.session_id != session_id
    events = again.finish()
    assert [event.identity for event in only(PskRequested, events)] == [IDENTITY]
    assert [event.reason for event in only(HandshakeFailed, events)] == [HandshakeFailure.UNKNOWN_IDENTITY]
    assert server.sessions == []


STEPS: dict[str, Callable[[RawClient], list[bytes]]] = {
    "exchange": lambda client: [client.key_exchange()],
    "change": lambda client: [client.key_exchange(), client.change_cipher_spec()],
}


@pytest.mark.parametrize("step", STEPS.values(), ids=list(STEPS))
def test_E6_handshake_of_a_removed_key_ends_at_once(
    server: Server, step: Callable[[RawClient], list[bytes]]
) -> None:
    client = RawClient(server)
    client.begin()
    client.send(*step(client))
    other = RawClient(server, identity=b"other", psk=b"o" * 16, address=ELSEWHERE)
    server.psks[b"other"] = b"o" * 16
    other.begin()
    other.send(other.key_exchange())
    assert len(only(HandshakeFailed, revoke(server))) == 1
    assert server.endpoint.handshake_count == 1
    with silent(server):
        server.give(client.change_cipher_spec() + client.finished())
    other.send(other.change_cipher_spec(), other.finished())
    assert [session.identity for session in server.sessions] == [b"other"]


def test_E6_key_that_was_looked_up_before_its_removal_is_of_no_use_after(server: Server) -> None:
    server.is_answering = False
    client = RawClient(server)
    client.begin()
    (request,) = only(PskRequested, client.send(client.key_exchange()))
    revoke(server)
    with dropped(server, late_keys=1):
        server.provide(request, PSK)
    with silent(server):
        server.give(client.change_cipher_spec() + client.finished())


def test_E6_handshake_that_has_not_said_who_it_is_finds_no_key_later(server: Server) -> None:
    client = RawClient(server)
    client.begin()
    assert revoke(server) == []
    client.finish()
    assert server.sessions == []
    assert [event.reason for event in server.failures] == [HandshakeFailure.UNKNOWN_IDENTITY]


# --- E7: one identity, several devices


@pytest.mark.parametrize("cid", CIDS)
def test_E7_older_session_ends_silently_once_the_newer_has_spoken(server: Server, cid: bytes | None) -> None:
    first, second = peer(server, 1, cid=cid), peer(server, 2, cid=cid)
    older = first.connect()
    first.say(b"first")
    newer = second.connect()
    first.say(b"still here")
    assert server.sessions == [older, newer]
    events = second.say(b"second")
    assert [(event.session, event.reason) for event in only(SessionEnded, events)] == [
        (older, SessionEnd.SUPERSEDED)
    ]
    assert server.take(first.address) == []
    with dropped_once(server):
        server.give(first.sealed(23, b"too late"), first.address)
    assert server.received == [b"first", b"still here", b"second"]


@pytest.mark.parametrize("cid", CIDS)
def test_E7_newcomers_that_never_speak_take_nothing_from_the_one_that_does(
    server: Server, cid: bytes | None
) -> None:
    first = peer(server, 0, cid=cid)
    session = first.connect()
    first.say(b"first")
    for number in range(1, 50):
        peer(server, number, cid=cid).connect()
        assert server.endpoint.session_count == 2, "at most two of an identity"
        first.say(b"still here")
    assert session in server.sessions
    assert server.received.count(b"still here") == 49


@pytest.mark.parametrize("cid", CIDS)
def test_E7_without_the_key_nobody_is_put_out(server: Server, cid: bytes | None) -> None:
    first, second = peer(server, 1, cid=cid), peer(server, 2, cid=cid)
    first.connect()
    first.say(b"first")
    second.connect()
    before = list(server.sessions)
    for number in range(3, 100):
        thief = peer(server, number, cid=cid, psk=b"guess %02d" % number)
        thief.begin()
        thief.finish()
        for step in (thief.change_cipher_spec(), thief.sealed(23, b"mine now")):
            with silent(server):
                server.give(step, thief.address)
    assert server.sessions == before
    assert only(SessionEnded, server.events) == []
    first.say(b"still here")
    assert server.received == [b"first", b"still here"]


def test_E7_two_devices_of_one_identity_each_pay_for_a_turn_with_a_handshake(server: Server) -> None:
    """A ping-pong between holders of the same key is possible, and bounded by their own handshakes."""
    for number in range(20):
        turn = peer(server, number)
        turn.connect()
        turn.say(b"my turn")
        assert server.endpoint.session_count == 1
    assert server.count("handshakes_completed") == 20
    assert server.count("sessions_superseded") == 19


# --- E10: the owner's look-up fails


def test_E10_key_that_never_comes_delays_no_other_and_ends_by_timeout(server: Server) -> None:
    server.is_answering = False
    client = RawClient(server)
    client.begin()
    client.finish()
    server.is_answering = True
    Bystander(server).check()
    assert server.endpoint.handshake_count == 1
    events = server.pass_time(server.config.handshake_timeout_s + 0.1)
    assert [event.address for event in only(HandshakeFailed, events)] == [ADDRESS]
    assert server.endpoint.handshake_count == 0


def test_E10_two_answers_to_one_question_count_once(server: Server) -> None:
    server.is_answering = False
    client = RawClient(server)
    client.begin()
    (request,) = only(PskRequested, client.finish())
    assert len(only(SessionEstablished, server.provide(request, PSK))) == 1
    with dropped(server, late_keys=2):
        server.provide(request, PSK)
        server.provide(request, None)


class Fault(Exception):
    """What a look-up may raise."""


class Scene:
    """A transport whose look-up fails for one identity, read in batches the way a socket's are."""

    def __init__(self) -> None:
        loop = asyncio.get_running_loop()
        self.sent: list[tuple[bytes, Address]] = []
        self.data: list[bytes] = []
        self.failed: list[HandshakeFailed] = []
        self.transport = CoapsTransport(
            Endpoint(EndpointConfig(), Entropy("server"), loop.time()),
            lambda data, address: self.sent.append((data, address)),
            lookup_psk=self._find,
            on_data=self._receive,
            on_session_ended=lambda session, reason: None,
            on_handshake_failed=self.failed.append,
        )
        self.clients: dict[Address, Client] = {}

    def _find(self, asked: PskRequested) -> bytes | None:
        if asked.identity == b"fault":
            raise Fault
        return PSK

    def _receive(self, session: Session, data: bytes) -> None:
        self.data.append(data)

    def add(self, identity: bytes, number: int) -> Client:
        client = Client(ClientConfig(identity, PSK, retransmit_count=0), Entropy(f"client {number}"))
        self.clients[Address("192.0.2.1", number)] = client
        client.start(asyncio.get_running_loop().time())
        return client

    def carry(self) -> None:
        """Until the wire is quiet. A fault ends its batch; the rest is read in the next one."""
        now = asyncio.get_running_loop().time()
        while True:
            batch = [
                (datagram, address)
                for address, client in self.clients.items()
                for datagram in client.datagrams_to_send()
            ]
            if not batch:
                return
            while batch:
                try:
                    with suppress(Fault):
                        while batch:
                            self.transport.receive(*batch.pop(0))
                finally:
                    self.transport.flush()
            sent, self.sent = self.sent, []
            for datagram, address in sent:
                self.clients[address].receive_datagram(datagram, now)


@virtual_time
async def test_E10_fault_of_a_look_up_closes_only_its_handshake(clock: VirtualClock) -> None:
    scene = Scene()
    before = scene.add(b"before", 1)
    scene.carry()
    assert before.is_established
    faulty, after = scene.add(b"fault", 2), scene.add(b"after", 3)
    scene.carry()
    assert after.is_established
    assert not faulty.is_established
    for client, data in ((before, b"from before"), (after, b"from after")):
        client.send(data, clock.monotonic())
    scene.carry()
    assert scene.data == [b"from before", b"from after"]
    await asyncio.sleep(EndpointConfig().handshake_timeout_s + 1)
    assert [event.address.port for event in scene.failed] == [2]
    assert scene.transport.endpoint.handshake_count == 0
    assert scene.transport.endpoint.session_count == 2
    again = scene.add(b"again", 4)
    scene.carry()
    assert again.is_established


def test_E10_exchange_repeated_while_the_look_up_runs_asks_no_second_time(server: Server) -> None:
    server.is_answering = False
    client = RawClient(server)
    client.begin()
    exchange = client.key_exchange()
    assert len(only(PskRequested, client.send(exchange))) == 1
    with counted(server, unexpected_messages=10), silent(server):
        for _ in range(10):
            server.give(exchange)
    assert client.message_seq == 3
    assert exchange[13] == HandshakeType.CLIENT_KEY_EXCHANGE
