"""Negative catalogue, B: records, alerts and ChangeCipherSpecs that cannot be, odd connection IDs."""

from __future__ import annotations

import pytest

from gateway.dtls.client import ClientConfig
from gateway.dtls.events import SessionEnd, SessionEnded
from gateway.dtls.messages import HandshakeType
from gateway.dtls.record import MAX_CIPHERTEXT_BYTES, encode_record
from gateway.dtls.settings import EndpointConfig
from tests.support.dtls_attack import ELSEWHERE, Bystander, dropped, dropped_once, established, silent
from tests.support.dtls_cases import CID_BYTES, CIDS
from tests.support.dtls_pair import (
    ADDRESS,
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    IDENTITY,
    PSK,
    TLS12_CID,
    Pair,
    RawClient,
    Server,
)


def header(content_type: int, epoch: int, length: int, sequence: int = 7, cid: bytes = b"") -> bytes:
    """A record header of DTLS 1.2."""
    number = (epoch << 48 | sequence).to_bytes(8, "big")
    return bytes((content_type,)) + b"\xfe\xfd" + number + cid + length.to_bytes(2, "big")


# --- B9: records


@pytest.mark.parametrize("content_type", [0, 20, 21, 22, 23, 25, 255])
@pytest.mark.parametrize("length", range(13))
def test_B9_datagram_shorter_than_a_header_is_dropped(server: Server, content_type: int, length: int) -> None:
    bystander = Bystander(server)
    for address in (ADDRESS, bystander.pair.address):
        with dropped(server, malformed_datagrams=1):
            server.give(header(content_type, 0, 0)[:length], address)
    bystander.check()


@pytest.mark.parametrize("epoch", [0, 1, 2, 0xFFFF])
@pytest.mark.parametrize("content_type", [20, 21, 22, 23, 25, 255])
@pytest.mark.parametrize(("announced", "there"), [(1, 0), (100, 99), (0xFFFF, 1_000), (16_384, 16_383)])
def test_B9_record_longer_than_its_datagram_is_dropped(
    server: Server, content_type: int, epoch: int, announced: int, there: int
) -> None:
    bystander = Bystander(server)
    cid = bytes(CID_BYTES) if content_type == TLS12_CID else b""
    for address in (ADDRESS, bystander.pair.address):
        with dropped(server, malformed_datagrams=1):
            server.give(header(content_type, epoch, announced, cid=cid) + bytes(there), address)
    bystander.check()


@pytest.mark.parametrize("epoch", [0, 1])
@pytest.mark.parametrize("content_type", [20, 21, 22, 23, 255])
def test_B9_record_longer_than_any_may_be_is_dropped(server: Server, content_type: int, epoch: int) -> None:
    bystander = Bystander(server)
    for length in (MAX_CIPHERTEXT_BYTES + 1, 0xFFFF):
        with dropped(server, malformed_datagrams=1):
            server.give(header(content_type, epoch, length) + bytes(length), bystander.pair.address)
    bystander.check()


@pytest.mark.parametrize("cid", CIDS)
@pytest.mark.parametrize("length", [*range(17), 16_401, MAX_CIPHERTEXT_BYTES])
def test_B9_protected_record_too_short_or_too_long_to_open_is_dropped(
    server: Server, cid: bytes | None, length: int
) -> None:
    bystander = Bystander(server, cid)
    own = bystander.session.cid
    content_type = APPLICATION_DATA if cid is None else TLS12_CID
    for address in (bystander.pair.address, ELSEWHERE)[: 1 if cid is None else 2]:
        with dropped(server, bad_records=1):
            server.give(header(content_type, 1, length, 99, own) + bytes(length), address)
    bystander.check()


@pytest.mark.parametrize("epoch", [0, 1])
@pytest.mark.parametrize("content_type", [0, 20, 21, 22, 23, 24, 25, 255])
def test_B9_record_of_nothing_is_dropped_from_a_stranger(
    server: Server, content_type: int, epoch: int
) -> None:
    cid = bytes(CID_BYTES) if content_type == TLS12_CID else b""
    with dropped_once(server):
        server.give(header(content_type, epoch, 0, cid=cid))


@pytest.mark.parametrize("epoch", [0, 1])
@pytest.mark.parametrize("content_type", [0, 20, 21, 22, 23, 24, 25, 255])
@pytest.mark.parametrize("cid", CIDS)
def test_B9_record_of_nothing_disturbs_neither_handshake_nor_session(
    server: Server, content_type: int, epoch: int, cid: bytes | None
) -> None:
    client = RawClient(server)
    if cid is not None:
        client.hello = client.hello.with_cid(cid)
    client.begin()
    assert client.server_hello is not None
    given = (client.server_hello.connection_id or bytes(CID_BYTES)) if content_type == TLS12_CID else b""
    with silent(server):
        server.give(header(content_type, epoch, 0, 500, given))
    client.finish()
    with dropped_once(server):
        server.give(header(content_type, epoch, 0, 501, given))
    client.say(b"well")
    assert server.received == [b"well"]


@pytest.mark.parametrize("cid", CIDS)
def test_B9_empty_application_data_is_authentic_and_delivers_nothing(
    server: Server, cid: bytes | None
) -> None:
    client = established(server, cid=cid)
    with dropped(server):
        server.give(client.sealed(APPLICATION_DATA, b""), client.address)
    client.say(b"well")
    assert server.received == [b"well"]


# --- B10: alerts


UNREADABLE_ALERTS = {
    "nothing": b"",
    "first half": b"\2",
    "second half": b"\x28",
    "three bytes": b"\2\x28\0",
    "two alerts": b"\2\x28\2\x28",
    "level 0": b"\0\x28",
    "level 3": b"\3\x28",
    "level 255": b"\xff\0",
    "very long": b"\2\x28" * 500,
}
WARNINGS = {"warning": b"\1\x28", "unknown warning": b"\1\xfe", "no_renegotiation": b"\1\x64"}


@pytest.mark.parametrize("alert", UNREADABLE_ALERTS.values(), ids=list(UNREADABLE_ALERTS))
@pytest.mark.parametrize("cid", CIDS)
def test_B10_unreadable_alert_changes_no_session(server: Server, cid: bytes | None, alert: bytes) -> None:
    client = established(server, cid=cid)
    with dropped(server, malformed_messages=1):
        server.give(client.sealed(ALERT, alert), client.address)
    client.say(b"well")
    assert server.received == [b"well"]


@pytest.mark.parametrize("alert", WARNINGS.values(), ids=list(WARNINGS))
def test_B10_warning_changes_no_session(server: Server, alert: bytes) -> None:
    client = established(server)
    with dropped(server, alerts_ignored=1):
        server.give(client.sealed(ALERT, alert), client.address)
    client.say(b"well")
    assert server.received == [b"well"]


@pytest.mark.parametrize("description", [10, 40, 80, 91, 254, 255])
def test_B10_fatal_alert_ends_the_session_whatever_it_says(server: Server, description: int) -> None:
    client, bystander = established(server), Bystander(server)
    events = client.send(client.sealed(ALERT, bytes((2, description))))
    assert [(type(event), event.reason) for event in events if isinstance(event, SessionEnded)] == [
        (SessionEnded, SessionEnd.PEER_ALERT)
    ]
    assert client.replies == []
    bystander.check()


@pytest.mark.parametrize(
    "alert", (UNREADABLE_ALERTS | WARNINGS).values(), ids=[*UNREADABLE_ALERTS, *WARNINGS]
)
def test_B10_alert_that_is_not_fatal_ends_no_handshake(server: Server, alert: bytes) -> None:
    client = RawClient(server)
    client.begin()
    with dropped(server, alerts_ignored=1):
        server.give(client.record(ALERT, alert))
    client.finish()
    assert len(server.sessions) == 1


@pytest.mark.parametrize(
    "alert", [*UNREADABLE_ALERTS.values(), *WARNINGS.values(), b"\2\x28", b"\1\0", b"\2\0"]
)
def test_B10_alert_of_a_stranger_is_dropped(server: Server, alert: bytes) -> None:
    bystander = Bystander(server)
    for address in (ADDRESS, bystander.pair.address):
        with dropped(server, alerts_ignored=1):
            server.give(encode_record(ALERT, 0, alert), address)
    bystander.check()


def test_B10_halves_of_an_alert_are_not_joined(server: Server) -> None:
    client = established(server)
    with dropped(server, malformed_messages=2):
        server.give(client.sealed(ALERT, b"\2") + client.sealed(ALERT, b"\x28"), client.address)
    client.say(b"well")
    assert server.received == [b"well"]


# --- B11: ChangeCipherSpec


WRONG_CHANGES = {
    "nothing": b"",
    "zero": b"\0",
    "two": b"\2",
    "255": b"\xff",
    "twice": b"\1\1",
    "with a tail": b"\1\0",
    "long": b"\1" * 1_000,
}


@pytest.mark.parametrize("content", WRONG_CHANGES.values(), ids=list(WRONG_CHANGES))
def test_B11_wrong_change_cipher_spec_changes_nothing(server: Server, content: bytes) -> None:
    client = RawClient(server)
    change = encode_record(CHANGE_CIPHER_SPEC, 50, content)
    with dropped(server, unknown_peer=1):
        server.give(change)
    client.begin()
    with dropped(server, malformed_messages=1):
        server.give(change)
    client.send(client.key_exchange())
    with dropped(server, malformed_messages=1):
        server.give(change)
    client.send(client.change_cipher_spec(), client.finished())
    assert len(server.sessions) == 1
    with dropped(server, unknown_peer=1):
        server.give(change)
    with dropped(server, unexpected_records=1):
        server.give(client.sealed(CHANGE_CIPHER_SPEC, content))
    client.say(b"well")
    assert server.received == [b"well"]


@pytest.mark.parametrize("content", WRONG_CHANGES.values(), ids=list(WRONG_CHANGES))
def test_B11_wrong_change_cipher_spec_is_not_kept_while_the_key_is_looked_up(
    server: Server, content: bytes
) -> None:
    server.is_answering = False
    client = RawClient(server)
    client.begin()
    (request,) = client.send(client.key_exchange())
    with dropped(server, malformed_messages=1):
        server.give(client.change_cipher_spec(content))
    finished = client.finished()
    with silent(server):
        server.give(finished)
        server.provide(request, PSK)  # type: ignore[arg-type]
    assert server.sessions == []
    client.send(client.change_cipher_spec(), finished)
    assert len(server.sessions) == 1


# --- B12: connection IDs in records


def with_cid(record: bytes, cid: bytes) -> bytes:
    """A tls12_cid record towards us with another connection ID put in."""
    return record[:11] + cid + record[11 + CID_BYTES :]


@pytest.mark.parametrize("length", [*range(CID_BYTES), CID_BYTES + 1, CID_BYTES + 2, 20, 255])
def test_B12_record_with_a_connection_id_of_another_length_is_dropped(server: Server, length: int) -> None:
    client = established(server, cid=b"peer")
    own = server.sessions[0].cid
    sealed = client.sealed(APPLICATION_DATA, b"misplaced" * 20)
    assert sealed[11 : 11 + CID_BYTES] == own
    with dropped_once(server):
        server.give(with_cid(sealed, (own * 32)[:length]), client.address)
    client.say(b"well")
    assert server.received == [b"well"]


@pytest.mark.parametrize("mtu_bytes", [256, 280, 300, 512, 1_200])
@pytest.mark.parametrize("length", [1, 100, 200, 214, 240, 254, 255])
def test_B12_peer_with_a_long_connection_id_is_served_whatever_our_mtu(mtu_bytes: int, length: int) -> None:
    cid = bytes(range(length))
    pair = Pair(ClientConfig(IDENTITY, PSK, cid=cid), EndpointConfig(mtu_bytes=mtu_bytes))
    session = pair.handshake()
    pair.say(b"question")
    assert pair.server.received == [b"question"]
    assert pair.server.send(session, b"answer" * 40)
    pair.exchange()
    assert pair.client_received == [b"answer" * 40]
    assert all(cid in datagram for datagram in pair.sent_to_client[-1:])


def test_B12_long_connection_id_also_travels_in_small_datagrams() -> None:
    config = ClientConfig(IDENTITY, PSK, cid=bytes(255))
    pair = Pair(config, EndpointConfig(mtu_bytes=256, retransmit_count=5))
    losses = 3

    def lose(datagram: bytes) -> tuple[bytes, ...]:
        nonlocal losses
        if losses and datagram[13] == HandshakeType.SERVER_HELLO:
            losses -= 1
            return ()
        return (datagram,)

    pair.to_client = lose
    pair.start()
    pair.exchange()
    pair.pass_time(58.0)
    assert not losses
    assert pair.client.is_established
    pair.say(b"well")
    assert pair.server.received == [b"well"]


@pytest.mark.parametrize("content_type", [APPLICATION_DATA, HANDSHAKE, ALERT])
def test_B12_peer_that_gave_none_needs_none(server: Server, content_type: int) -> None:
    client = established(server, cid=b"")
    session = server.sessions[0]
    assert session.cid
    assert server.send(session, b"without")
    (datagram,) = server.take(client.address)
    assert datagram[0] == APPLICATION_DATA
    # And without ours in it nothing of its own is believed.
    with dropped_once(server):
        server.give(header(content_type, 1, 40, 99) + bytes(40), client.address)
