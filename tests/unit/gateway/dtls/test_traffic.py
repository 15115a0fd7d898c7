"""`gateway.dtls.traffic`: what records do to sessions, and what sessions send."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.address import Address
from gateway.dtls.alerts import CLOSE_NOTIFY, Alert, AlertDescription, AlertLevel, encode_alert, fatal
from gateway.dtls.endpoint import EndpointConfig
from gateway.dtls.events import ApplicationData, SessionEnd, SessionEnded
from gateway.dtls.messages import encode_message
from gateway.dtls.record import MAX_SEQUENCE
from gateway.dtls.session import Session
from tests.support.dtls_pair import (
    ADDRESS,
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    Hello,
    Pair,
    RawClient,
    Server,
)

ELSEWHERE = Address("198.51.100.7", 5_000)
NO_RENEGOTIATION = Alert(AlertLevel.WARNING, AlertDescription.NO_RENEGOTIATION)


def connect(
    server: Server | None = None, *, has_cid: bool = True, **options: object
) -> tuple[RawClient, Session]:
    hello = Hello().with_cid() if has_cid else Hello()
    client = RawClient(server or Server(), hello, **options)  # type: ignore[arg-type]
    return client, client.connect()


def forge(record: bytes) -> bytes:
    return record[:-1] + bytes((record[-1] ^ 1,))


# --- delivery and replay


@pytest.mark.parametrize("has_cid", [True, False])
def test_data_is_delivered_once(has_cid: bool) -> None:
    client, session = connect(has_cid=has_cid)
    record = client.sealed(APPLICATION_DATA, b"data")
    assert client.send(record) == [ApplicationData(session, b"data")]
    assert client.send(record) == []
    assert client.server.count("replayed_records") == 1


def test_empty_data_counts_as_a_sign_of_life_and_is_not_delivered() -> None:
    client, session = connect()
    assert client.say(b"") == []
    assert session.is_confirmed
    assert client.say(b"") == []
    assert client.say(b"x") == [ApplicationData(session, b"x")]


def test_record_of_another_version_is_dropped() -> None:
    client, session = connect()
    record = client.sealed(APPLICATION_DATA, b"data")
    assert client.send(record[:1] + b"\xfe\xff" + record[3:]) == []
    assert client.server.count("bad_version") == 1
    assert client.send(record) == [ApplicationData(session, b"data")]


# --- forgeries


def test_forged_record_changes_nothing() -> None:
    client, session = connect()
    record = client.sealed(APPLICATION_DATA, b"data", sequence=10)
    used_at = session.used_at
    client.server.now += 1
    assert client.send(forge(record), address=ELSEWHERE) == []
    assert (session.address, session.used_at, session.window.newest) == (ADDRESS, used_at, 0)
    assert client.server.count("bad_records") == 1
    assert client.send(record) == [ApplicationData(session, b"data")]


def test_forgers_elsewhere_are_not_listened_to_for_a_while_and_the_peer_is() -> None:
    server = Server(EndpointConfig(max_bad_records=3, bad_record_mute_s=4.0))
    client, session = connect(server)
    for sequence in range(100, 104):
        client.send(forge(client.sealed(APPLICATION_DATA, b"x", sequence)), address=ELSEWHERE)
    assert (server.count("bad_records"), server.count("muted_records")) == (3, 1)
    assert client.say(b"still here") == [ApplicationData(session, b"still here")]
    client.say(b"from elsewhere", address=ELSEWHERE)
    assert server.count("muted_records") == 2
    server.pass_time(4.0)
    assert client.say(b"after", address=ELSEWHERE) == [ApplicationData(session, b"after")]


def test_both_addresses_of_a_moving_peer_count_as_its_own() -> None:
    server = Server(EndpointConfig(max_bad_records=1))
    client, _ = connect(server)
    client.say(b"moved", address=ELSEWHERE)
    client.send(forge(client.sealed(APPLICATION_DATA, b"x")), address=Address("203.0.113.1", 1))
    assert client.say(b"back")
    assert server.count("muted_records") == 0


def test_authentic_record_ends_a_row_of_forgeries() -> None:
    server = Server(EndpointConfig(max_bad_records=2))
    client, session = connect(server)
    for _ in range(3):
        client.send(forge(client.sealed(APPLICATION_DATA, b"x")))
        client.say(b"x")
    assert session.muted_until == 0.0


def test_so_many_forgeries_end_a_session() -> None:
    server = Server(EndpointConfig(max_forgeries=5))
    client, session = connect(server)
    for _ in range(4):
        assert client.send(forge(client.sealed(APPLICATION_DATA, b"x"))) == []
    events = client.send(forge(client.sealed(APPLICATION_DATA, b"x")))
    assert events == [SessionEnded(session, SessionEnd.BAD_RECORDS)]
    assert client.protected_alerts() == [CLOSE_NOTIFY]
    assert client.say(b"x") == []


# --- what else a record may hold


def test_close_notify_is_answered_and_ends_the_session() -> None:
    client, session = connect()
    events = client.send(client.sealed(ALERT, encode_alert(CLOSE_NOTIFY)))
    assert events == [SessionEnded(session, SessionEnd.CLOSE_NOTIFY)]
    assert client.protected_alerts() == [CLOSE_NOTIFY]
    assert client.send(client.sealed(ALERT, encode_alert(CLOSE_NOTIFY))) == []
    assert client.replies == []


def test_fatal_alert_ends_the_session_without_an_answer() -> None:
    client, session = connect()
    events = client.send(client.sealed(ALERT, encode_alert(fatal(AlertDescription.INTERNAL_ERROR))))
    assert events == [SessionEnded(session, SessionEnd.PEER_ALERT)]
    assert client.replies == []


@pytest.mark.parametrize(
    ("content", "counter"),
    [
        (encode_alert(NO_RENEGOTIATION), "alerts_ignored"),
        (b"", "malformed_messages"),
        (b"\2", "malformed_messages"),
        (b"\3\0", "malformed_messages"),
    ],
)
def test_warnings_and_broken_alerts_are_passed_over(content: bytes, counter: str) -> None:
    client, session = connect()
    assert client.send(client.sealed(ALERT, content)) == []
    assert client.server.count(counter) == 1
    assert client.replies == []
    assert not session.is_over


def test_hello_under_protection_is_refused_with_a_warning_and_data_goes_on() -> None:
    client, _ = connect()
    client.send(client.sealed(HANDSHAKE, encode_message(1, 4, Hello().body())))
    assert client.protected_alerts() == [NO_RENEGOTIATION]
    assert client.server.count("renegotiations_refused") == 1
    assert client.say(b"on")


def test_other_messages_and_types_under_protection_are_dropped() -> None:
    client, _ = connect()
    client.send(client.sealed(HANDSHAKE, encode_message(16, 4, b"")))
    client.send(client.sealed(HANDSHAKE, b"\1"))
    client.send(client.sealed(CHANGE_CIPHER_SPEC, b"\1"))
    assert client.replies == []
    counts = [client.server.count(f"{name}") for name in ("unexpected_messages", "malformed_messages")]
    assert [*counts, client.server.count("unexpected_records")] == [1, 1, 1]


# --- sending


def test_sent_data_reaches_the_client() -> None:
    pair = Pair()
    session = pair.handshake()
    assert pair.server.send(session, b"down")
    pair.exchange()
    assert pair.client_received == [b"down"]


def test_nothing_is_sent_by_a_session_that_is_over() -> None:
    client, session = connect()
    client.server.endpoint.end_session(session, client.server.now)
    client.server.take()
    client.server.endpoint.datagrams_to_send()
    assert not client.server.send(session, b"x")
    assert client.server.take() == []


def test_used_up_record_numbers_end_a_session_and_never_wrap() -> None:
    client, session = connect()
    session.next_sequence = MAX_SEQUENCE - 1
    assert client.server.send(session, b"last but one")
    assert not client.server.send(session, b"one too many")
    client.replies = client.server.take()
    assert client.open_replies()[1] == (ALERT, encode_alert(CLOSE_NOTIFY))
    assert client.server.pass_time(0.0) == [SessionEnded(session, SessionEnd.EXHAUSTED)]
    assert client.server.count("sessions_exhausted") == 1


# --- several sessions


def test_older_session_goes_when_the_newer_delivers_its_first_data() -> None:
    server = Server()
    old, first = connect(server)
    old.say(b"old")
    new, second = connect(server, address=ELSEWHERE)
    assert old.say(b"old again") == [ApplicationData(first, b"old again")]
    events = new.say(b"new")
    assert events == [SessionEnded(first, SessionEnd.SUPERSEDED), ApplicationData(second, b"new")]
    assert new.replies == []
    assert server.take() == []


def test_older_session_that_speaks_first_does_not_end_the_newer() -> None:
    server = Server()
    old, first = connect(server)
    _, second = connect(server, address=ELSEWHERE)
    assert old.say(b"old") == [ApplicationData(first, b"old")]
    assert server.sessions == [first, second]


def test_an_identity_never_has_more_than_two_sessions() -> None:
    server = Server()
    old, first = connect(server)
    old.say(b"proven")
    for port in range(1, 6):
        _, newest = connect(server, address=Address("198.51.100.1", port))
        assert server.sessions == [first, newest]
        assert server.endpoint.session_count == 2


def test_session_without_cid_goes_when_another_is_complete_at_its_address() -> None:
    server = Server(psks={b"1": b"1" * 16, b"2": b"2" * 16})
    old, first = connect(server, has_cid=False, identity=b"1", psk=b"1" * 16)
    new = RawClient(server, replace(Hello(), random=b"R" * 32), identity=b"2", psk=b"2" * 16)
    new.begin()
    assert old.say(b"still there") == [ApplicationData(first, b"still there")]
    events = new.finish()
    assert events[-2] == SessionEnded(first, SessionEnd.SUPERSEDED)
    assert new.say(b"mine") == [ApplicationData(server.sessions[0], b"mine")]


def test_full_table_takes_a_newcomer_only_in_the_place_of_a_stale_session() -> None:
    psks = {b"%d" % i: b"%d" % i * 16 for i in range(3)}
    server = Server(EndpointConfig(max_sessions=1, stale_s=100.0), psks)
    _, first = connect(server, identity=b"0", psk=psks[b"0"])
    refused = RawClient(server, Hello().with_cid(), identity=b"1", psk=psks[b"1"], address=ELSEWHERE)
    refused.begin()
    refused.finish()
    assert refused.replies == []
    assert server.failures[-1].reason == "limit"
    assert server.count("sessions_refused") == 1
    server.pass_time(101.0)
    _, second = connect(server, identity=b"2", psk=psks[b"2"], address=ELSEWHERE)
    assert SessionEnded(first, SessionEnd.EVICTED) in server.events
    assert server.sessions == [second]


def test_full_table_lets_an_identity_replace_its_own_session() -> None:
    server = Server(EndpointConfig(max_sessions=1))
    _, first = connect(server)
    _, second = connect(server, address=ELSEWHERE)
    assert SessionEnded(first, SessionEnd.SUPERSEDED) in server.events
    assert server.sessions == [second]
