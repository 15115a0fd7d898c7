"""`gateway.dtls.client`: the connection around and after its handshake."""

from __future__ import annotations

import pytest

from gateway.address import Address
from gateway.dtls.alerts import CLOSE_NOTIFY, Alert, AlertDescription, AlertLevel, encode_alert, fatal
from gateway.dtls.client import Client, ClientConfig, ClientState
from gateway.dtls.endpoint import EndpointConfig
from gateway.dtls.errors import LocalProtocolError
from gateway.dtls.events import (
    ClientClosed,
    ClientData,
    ClientEstablished,
    ClientFailed,
    HandshakeFailure,
    SessionEnd,
    SessionEnded,
)
from gateway.dtls.messages import encode_message
from gateway.dtls.record import decode_records
from gateway.dtls.session import Session
from tests.support.dtls_pair import (
    ALERT,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    IDENTITY,
    PSK,
    TLS12_CID,
    Entropy,
    Pair,
    Server,
)


def connected(cid: bytes | None = b"") -> tuple[Pair, Session]:
    pair = Pair(ClientConfig(IDENTITY, PSK, cid=cid))
    return pair, pair.handshake()


def give(pair: Pair, session: Session, content_type: int, content: bytes) -> list[object]:
    """Hand the client a record of the server's session that the server would not send."""
    return list(pair.client.receive_datagram(session.seal(content_type, content), pair.now))


def test_a_client_starts_once_and_sends_only_when_established() -> None:
    client = Client(ClientConfig(IDENTITY, PSK), Entropy())
    assert client.state is ClientState.IDLE
    assert client.get_timer() is None
    assert client.handle_timer(0.0) == ()
    assert client.receive_datagram(b"\x16" + bytes(30), 0.0) == []
    with pytest.raises(LocalProtocolError):
        client.send(b"x", 0.0)
    client.start(0.0)
    assert client.state is ClientState.HANDSHAKE
    assert client.get_timer() == 1.0
    assert len(client.datagrams_to_send()) == 1
    with pytest.raises(LocalProtocolError):
        client.start(0.0)


@pytest.mark.parametrize("cid", [None, b"", b"c", b"c" * 255])
def test_data_goes_both_ways_with_and_without_cids(cid: bytes | None) -> None:
    pair, session = connected(cid)
    assert pair.client_events == [ClientEstablished()]
    pair.say(b"up")
    pair.server.send(session, b"down")
    pair.exchange()
    assert pair.server.received == [b"up"]
    assert pair.client_received == [b"down"]
    up, down = pair.sent_to_server[-1][0], pair.sent_to_client[-1][0]
    assert (up == TLS12_CID) == (cid is not None)
    assert (down == TLS12_CID) == bool(cid)
    assert pair.client.get_timer() is None


def test_established_client_delivers_once_and_only_what_is_authentic() -> None:
    pair, session = connected()
    record = session.seal(23, b"data")
    forged = record[:-1] + bytes((record[-1] ^ 1,))
    assert pair.client.receive_datagram(forged, pair.now) == []
    assert pair.client.receive_datagram(record, pair.now) == [ClientData(b"data")]
    assert pair.client.receive_datagram(record, pair.now) == []
    assert pair.client.receive_datagram(b"noise", pair.now) == ()
    assert give(pair, session, 23, b"") == []


def test_records_in_clear_do_nothing_to_an_established_client() -> None:
    pair, session = connected()
    assert pair.client.receive_datagram(bytes.fromhex("15fefd00000000000000090002022a"), pair.now) == []
    assert pair.client.datagrams_to_send() == []
    assert pair.client.is_established
    assert give(pair, session, 23, b"data") == [ClientData(b"data")]


def test_close_says_goodbye() -> None:
    pair, session = connected()
    pair.client.close(pair.now)
    assert pair.client.state is ClientState.CLOSED
    pair.carry_to_server()
    assert SessionEnded(session, SessionEnd.CLOSE_NOTIFY) in pair.server.events
    assert pair.carry_to_client() == 1
    assert pair.client_events == [ClientEstablished()]


def test_close_before_the_end_of_the_handshake_says_nothing() -> None:
    pair = Pair()
    pair.start()
    pair.client.datagrams_to_send()
    pair.client.close(pair.now)
    assert pair.client.datagrams_to_send() == []
    assert pair.client.get_timer() is None


def test_close_notify_of_the_server_is_answered() -> None:
    pair, session = connected()
    assert give(pair, session, ALERT, encode_alert(CLOSE_NOTIFY)) == [ClientClosed(SessionEnd.CLOSE_NOTIFY)]
    (answer,) = pair.client.datagrams_to_send()
    ((_, opened),) = [(each, session.opener.open(each)) for each in decode_records(answer, 8)]
    assert opened == (ALERT, encode_alert(CLOSE_NOTIFY))
    assert give(pair, session, 23, b"late") == []


def test_fatal_alert_of_the_server_ends_the_connection_and_others_do_not() -> None:
    pair, session = connected()
    assert give(pair, session, ALERT, b"\1\x5a") == []
    assert give(pair, session, ALERT, b"\1") == []
    assert pair.client.is_established
    content = encode_alert(fatal(AlertDescription.INTERNAL_ERROR))
    assert give(pair, session, ALERT, content) == [ClientClosed(SessionEnd.PEER_ALERT)]
    assert pair.client.datagrams_to_send() == []


def test_renegotiation_is_refused_with_a_warning() -> None:
    pair, session = connected()
    give(pair, session, HANDSHAKE, encode_message(0, 4, b""))
    (answer,) = pair.client.datagrams_to_send()
    opened = session.opener.open(decode_records(answer, 8)[0])
    assert opened == (ALERT, encode_alert(Alert(AlertLevel.WARNING, AlertDescription.NO_RENEGOTIATION)))


def test_other_content_under_protection_is_dropped() -> None:
    pair, session = connected()
    give(pair, session, HANDSHAKE, encode_message(20, 4, bytes(12)))
    give(pair, session, HANDSHAKE, b"\0")
    give(pair, session, CHANGE_CIPHER_SPEC, b"\1")
    assert pair.client.datagrams_to_send() == []
    assert pair.client.is_established


def test_silent_server_is_given_up_after_all_repetitions() -> None:
    pair = Pair(ClientConfig(IDENTITY, PSK, retransmit_count=2))
    pair.to_server = lambda _: ()
    pair.start()
    pair.pass_time(1.0 + 2.0 + 3.9)
    assert pair.client.state is ClientState.HANDSHAKE
    pair.pass_time(0.2)
    assert pair.client_events == [ClientFailed(HandshakeFailure.TIMEOUT)]
    assert len(pair.sent_to_server) == 3
    assert pair.client.state is ClientState.FAILED


def test_wrong_key_looks_to_the_client_like_a_silent_server() -> None:
    pair = Pair(ClientConfig(IDENTITY, b"wrong key", retransmit_count=1))
    pair.start()
    pair.exchange()
    pair.pass_time(30.0)
    assert pair.client_events == [ClientFailed(HandshakeFailure.TIMEOUT)]


def test_refusing_server_is_believed() -> None:
    pair = Pair(ClientConfig(IDENTITY, PSK, suites=(0x00A8,)), EndpointConfig(suites=(0xC0A8,)))
    pair.start()
    pair.exchange()
    assert pair.client_events == [ClientFailed(HandshakeFailure.PEER_ALERT)]


def test_many_clients_share_a_server() -> None:
    server = Server(psks={b"%d" % i: b"%d" % i * 16 for i in range(20)})
    for i in range(20):
        pair = Pair(
            ClientConfig(b"%d" % i, b"%d" % i * 16),
            server=server,
            address=Address("192.0.2.50", i),
            seed=str(i),
        )
        pair.handshake()
        pair.say(b"%d" % i)
    assert server.received == [b"%d" % i for i in range(20)]
