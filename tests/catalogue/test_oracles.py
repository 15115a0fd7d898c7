"""Negative catalogue, E: nothing to be learned from answers, reflected messages and alerts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import pytest

from gateway.address import Address
from gateway.dtls.client import Client, ClientConfig, ClientState
from gateway.dtls.endpoint import Endpoint
from gateway.dtls.events import HandshakeFailed, HandshakeFailure, PskRequested, SessionEnd, SessionEnded
from gateway.dtls.extensions import ExtensionType
from gateway.dtls.messages import HandshakeType, encode_message
from gateway.dtls.record import encode_record
from gateway.dtls.settings import EndpointConfig
from gateway.dtls.suites import DEFAULT_SUITES, SUITES
from tests.support.dtls_attack import (
    ELSEWHERE,
    Bystander,
    counted,
    dropped,
    dropped_once,
    established,
    hello_record,
    record_operations,
    silent,
)
from tests.support.dtls_cases import CIDS
from tests.support.dtls_pair import (
    ADDRESS,
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    IDENTITY,
    PSK,
    TLS12_CID,
    Entropy,
    Hello,
    Pair,
    RawClient,
    Server,
    only,
)

UNKNOWN = IDENTITY[::-1]
EMS = int(ExtensionType.EXTENDED_MASTER_SECRET)


def with_cid(hello: Hello, cid: bytes | None) -> Hello:
    return hello if cid is None else hello.with_cid(cid)


# --- E1: unknown identity and wrong key


class Behaviour(NamedTuple):
    """All that a handshake without the right key brings about, step by step."""

    operations: list[list[tuple[str, int]]]
    answers: list[list[int]]
    events: list[list[type]]
    counters: list[dict[str, int]]
    unfinished: list[int]


Flight = Callable[[bytes, bytes, bytes], list[bytes]]
"Key exchange, ChangeCipherSpec and Finished as records → datagrams."

FLIGHTS: dict[str, Flight] = {
    "together": lambda exchange, change, finished: [exchange + change + finished],
    "apart": lambda exchange, change, finished: [exchange, change, finished],
    "finished alone": lambda exchange, change, finished: [exchange + change, finished],
    "finished first": lambda exchange, change, finished: [finished, change, exchange, change],
    "never finished": lambda exchange, change, finished: [exchange + change],
    "only the exchange": lambda exchange, change, finished: [exchange],
    "twice": lambda exchange, change, finished: [exchange + change + finished] * 2,
    "finished twice": lambda exchange, change, finished: [exchange + change, finished, finished],
}


def behave(
    identity: bytes, psk: bytes, known: bytes, hello: Hello, flight: Flight, monkeypatch: pytest.MonkeyPatch
) -> Behaviour:
    """Watch a server that knows *known* as the key of `IDENTITY` meet a client with *psk*."""
    with monkeypatch.context() as patch:
        operations = record_operations(patch)
        server = Server(psks={IDENTITY: known})
        client = RawClient(server, hello, identity=identity, psk=psk)
        client.begin()
        datagrams = flight(client.key_exchange(), client.change_cipher_spec(), client.finished())
        behaviour = Behaviour([], [], [], [], [])
        steps: list[Callable[[], Any]] = [
            *(lambda datagram=datagram: server.give(datagram) for datagram in datagrams),
            lambda: server.pass_time(4.9),
            lambda: server.pass_time(0.2),
            lambda: server.pass_time(60.0),
            lambda: server.give(datagrams[-1]),
        ]
        for step in steps:
            operations.take()
            events = step()
            behaviour.operations.append(operations.take())
            behaviour.answers.append([len(answer) for answer in server.take()])
            behaviour.events.append([type(event) for event in events])
            behaviour.counters.append(server.endpoint.counters.as_dict())
            behaviour.unfinished.append(server.endpoint.handshake_count)
        return behaviour


HELLOS = {
    **{SUITES[suite].name: Hello(suites=(suite,)) for suite in DEFAULT_SUITES},
    "without extended master secret": Hello().without(EMS),
    "with connection IDs": Hello().with_cid(b"peer"),
}


@pytest.mark.parametrize("flight", FLIGHTS.values(), ids=list(FLIGHTS))
@pytest.mark.parametrize("hello", HELLOS.values(), ids=list(HELLOS))
def test_E1_unknown_identity_and_wrong_key_are_alike(
    hello: Hello, flight: Flight, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = behave(IDENTITY, b"w" * 16, PSK, hello, flight, monkeypatch)
    unknown = behave(UNKNOWN, b"w" * 16, PSK, hello, flight, monkeypatch)
    assert wrong == unknown
    assert not any(unknown.answers), "and both are silent"
    assert unknown.unfinished[-1] == 0
    assert any(name == "hmac" for calls in unknown.operations for name, _ in calls)


@pytest.mark.parametrize("length", [1, 16, 30])
def test_E1_length_of_the_key_does_not_show(length: int, monkeypatch: pytest.MonkeyPatch) -> None:
    flight = FLIGHTS["together"]
    wrong = behave(IDENTITY, b"w", b"k" * length, Hello(), flight, monkeypatch)
    unknown = behave(UNKNOWN, b"w", b"k" * length, Hello(), flight, monkeypatch)
    assert wrong == unknown


def test_E1_only_the_operator_learns_which_it_was(server: Server) -> None:
    reasons = {}
    for identity in (IDENTITY, UNKNOWN):
        client = RawClient(server, identity=identity, psk=b"wrong")
        client.begin()
        (failed,) = only(HandshakeFailed, client.finish())
        assert client.replies == []
        reasons[identity] = failed.reason
    assert reasons == {
        IDENTITY: HandshakeFailure.WRONG_KEY,
        UNKNOWN: HandshakeFailure.UNKNOWN_IDENTITY,
    }


def test_E1_unknown_identity_is_not_served_with_any_fixed_key(server: Server) -> None:
    for psk in (b"", bytes(16), b"\xff" * 16, PSK):
        client = RawClient(server, identity=UNKNOWN, psk=psk)
        client.begin()
        client.finish()
    assert server.sessions == []
    assert len(server.failures) == 4


def test_E1_empty_key_is_no_key(server: Server) -> None:
    server.psks[IDENTITY] = b""
    client = RawClient(server, psk=b"")
    client.begin()
    client.finish()
    assert server.sessions == []
    assert [event.reason for event in server.failures] == [HandshakeFailure.UNKNOWN_IDENTITY]


# --- E2: reflection


@pytest.mark.parametrize("cid", CIDS)
def test_E2_server_takes_none_of_its_own_messages(server: Server, cid: bytes | None) -> None:
    client = RawClient(server, with_cid(Hello(), cid))
    client.get_cookie()
    own = list(client.replies)
    client.begin()
    own += client.replies
    with dropped(server, bad_version=1, unexpected_messages=2):
        for datagram in own:
            server.give(datagram)
    client.finish()
    (session,) = server.sessions
    last_flight = list(client.replies)
    server.send(session, b"from the server")
    said = server.take()
    for datagram in (*own, *last_flight, *said):
        with silent(server):
            server.give(datagram)
    client.say(b"from the client")
    assert server.received == [b"from the client"]


def test_E2_server_does_not_open_its_own_records_under_a_chosen_connection_id() -> None:
    # The connection ID that the server will give out is known here, so the client can ask for the same.
    probe = established(Server(), cid=b"")
    assert probe.server_hello is not None
    server = Server()
    client = established(server, cid=probe.server_hello.connection_id)
    (session,) = server.sessions
    assert session.cid == probe.server_hello.connection_id
    server.send(session, b"from the server")
    (datagram,) = server.take(client.address)
    assert datagram[0] == TLS12_CID
    with dropped(server, bad_records=1):
        server.give(datagram, client.address)
    client.say(b"from the client")
    assert server.received == [b"from the client"]


@pytest.mark.parametrize("cid", CIDS)
def test_E2_client_takes_none_of_its_own_messages(cid: bytes | None) -> None:
    pair = Pair(ClientConfig(IDENTITY, PSK, cid=cid))
    pair.handshake()
    pair.say(b"said")
    for upto in range(1, len(pair.sent_to_server) + 1):
        mirror = Client(ClientConfig(IDENTITY, PSK, cid=cid), Entropy("client"))
        mirror.start(pair.now)
        events: list[object] = []
        for datagram in pair.sent_to_server[:upto]:
            events += mirror.receive_datagram(datagram, pair.now)
        assert mirror.state in (ClientState.HANDSHAKE, ClientState.FAILED)
    for datagram in pair.sent_to_server:
        assert not pair.client.receive_datagram(datagram, pair.now)
    pair.say(b"said again")
    assert pair.server.received == [b"said", b"said again"]


def test_E2_client_before_a_mirror_gives_up() -> None:
    client = Client(ClientConfig(IDENTITY, PSK), Entropy("client"))
    client.start(0.0)
    for _ in range(20):
        for datagram in client.datagrams_to_send():
            client.receive_datagram(datagram, 0.0)
    assert client.state is ClientState.FAILED
    assert client.datagrams_to_send() == []


def test_E2_records_of_one_session_do_not_open_in_another_of_the_same_key(server: Server) -> None:
    first = established(server, cid=b"", number=1)
    second = established(server, cid=b"", number=2)
    cid_of_second = second.sealed(APPLICATION_DATA, b"")[11:19]
    record = first.sealed(APPLICATION_DATA, b"for the first")
    with dropped(server, bad_records=1):
        server.give(record[:11] + cid_of_second + record[19:], second.address)
    first.say(b"first")
    second.say(b"second")
    assert server.received == [b"first", b"second"]


# --- E12: alerts


STRANGE_DATAGRAMS = {
    "fatal alert": encode_record(ALERT, 0, b"\2\x28"),
    "close_notify": encode_record(ALERT, 0, b"\1\0"),
    "warning": encode_record(ALERT, 0, b"\1\x64"),
    "alerts": encode_record(ALERT, 0, b"\2\x28") * 20,
    "change": encode_record(CHANGE_CIPHER_SPEC, 0, b"\1"),
    "data": encode_record(APPLICATION_DATA, 0, b"data"),
    "finished": encode_record(HANDSHAKE, 0, encode_message(HandshakeType.FINISHED, 3, bytes(12))),
    "exchange": encode_record(HANDSHAKE, 0, encode_message(HandshakeType.CLIENT_KEY_EXCHANGE, 2, b"\0\1i")),
    "protected alert": b"\x15\xfe\xfd\0\1\0\0\0\0\0\0\0\x12" + bytes(18),
    "protected data": b"\x17\xfe\xfd\0\1\0\0\0\0\0\0\0\x12" + bytes(18),
    "with a connection ID": b"\x19\xfe\xfd\0\1\0\0\0\0\0\0" + bytes(8) + b"\0\x12" + bytes(18),
    "epoch 7": b"\x17\xfe\xfd\0\7\0\0\0\0\0\0\0\x12" + bytes(18),
    "unknown type": encode_record(99, 0, b"?"),
    "noise": bytes(range(7, 107)),
    "malformed hello": hello_record(b"\xfe\xfd"),
    "HTTP": b"GET / HTTP/1.1\r\n\r\n",
    "plain CoAP": b"\x40\x01\x12\x34\xb2rd",
}


@pytest.mark.parametrize("datagram", STRANGE_DATAGRAMS.values(), ids=list(STRANGE_DATAGRAMS))
def test_E12_strangers_get_no_answer(server: Server, datagram: bytes) -> None:
    bystander = Bystander(server)
    for _ in range(3):
        with silent(server):
            server.give(datagram, ELSEWHERE)
    bystander.check()


@pytest.mark.parametrize("cid", CIDS)
@pytest.mark.parametrize("description", [10, 20, 40, 50, 90, 100, 255])
@pytest.mark.parametrize("level", [1, 2])
def test_E12_alert_is_not_answered(server: Server, cid: bytes | None, level: int, description: int) -> None:
    client = RawClient(server, with_cid(Hello(), cid))
    client.begin()
    client.send(client.record(ALERT, bytes((level, description))))
    assert client.replies == []
    client = established(server, cid=cid)
    client.send(client.sealed(ALERT, bytes((level, description))))
    assert client.replies == []


@pytest.mark.parametrize("cid", CIDS)
@pytest.mark.parametrize("level", [1, 2])
def test_E12_close_notify_is_answered_by_one_and_then_silence(
    server: Server, cid: bytes | None, level: int
) -> None:
    client = established(server, cid=cid)
    close = client.sealed(ALERT, bytes((level, 0)))
    events = client.send(close)
    assert [event.reason for event in only(SessionEnded, events)] == [SessionEnd.CLOSE_NOTIFY]
    assert [(alert.level, alert.description) for alert in client.protected_alerts()] == [(1, 0)]
    for datagram in (close, client.sealed(ALERT, b"\1\0"), client.sealed(ALERT, b"\2\x28")):
        with dropped_once(server):
            server.give(datagram, client.address)


@pytest.mark.parametrize("cid", CIDS)
@pytest.mark.parametrize("who", ["client", "server", "both"])
def test_E12_two_that_close_do_not_go_on_closing(cid: bytes | None, who: str) -> None:
    pair = Pair(ClientConfig(IDENTITY, PSK, cid=cid))
    session = pair.handshake()
    before = len(pair.sent_to_server) + len(pair.sent_to_client)
    if who != "client":
        pair.server.events += pair.server.endpoint.end_session(session, pair.now)
        pair.server.give(b"")
    if who != "server":
        pair.client.close(pair.now)
    pair.exchange()
    pair.pass_time(600.0)
    assert len(pair.sent_to_server) + len(pair.sent_to_client) - before == 2
    assert pair.server.endpoint.session_count == 0


def test_E12_no_renegotiation_thrown_back_is_not_answered(server: Server) -> None:
    client = established(server)
    client.send(client.sealed(HANDSHAKE, client.message(HandshakeType.CLIENT_HELLO, Hello().body())))
    (refusal,) = client.replies
    with silent(server):
        server.give(refusal, client.address)
    with dropped(server, alerts_ignored=1):
        server.give(client.sealed(ALERT, b"\1\x64"), client.address)


def test_E12_two_servers_back_to_back_fall_silent() -> None:
    """Whatever a server says, another one has nothing to say to it for long."""
    source = Server()
    client = RawClient(source, Hello(version=0xFEFF))
    client.get_cookie()
    said = [*client.replies]
    client.send(client.client_hello())
    said += client.replies
    client = RawClient(source)
    client.begin()
    said += client.replies
    client.finish()
    said += client.replies
    client.send(client.sealed(ALERT, b"\1\0"))
    said += client.replies
    assert len(said) > 4
    endpoints = [Endpoint(EndpointConfig(), Entropy(name), 0.0) for name in "ab"]
    to_a, to_b = Address("192.0.2.10", 5_684), Address("192.0.2.11", 5_684)
    for datagram in said:
        endpoints[0].receive_datagram(datagram, to_b, 0.0)
        for endpoint, other, address in ((*endpoints, to_a), (*reversed(endpoints), to_b)):
            for answer, _ in endpoint.datagrams_to_send():
                other.receive_datagram(answer, address, 0.0)
        assert [endpoint.datagrams_to_send() for endpoint in endpoints] == [[], []]


def test_E12_asking_for_a_key_is_no_answer(server: Server) -> None:
    server.is_answering = False
    client = RawClient(server)
    client.begin()
    with counted(server):
        assert len(only(PskRequested, client.send(client.key_exchange()))) == 1
    assert client.replies == []
    assert server.take(ADDRESS) == []
