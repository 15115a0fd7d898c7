"""Sessions resumed by their id, in both roles (RFC 5246 §7.3, RFC 7627 §5)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.dtls.endpoint import EndpointConfig
from gateway.dtls.events import (
    CertificatePresented,
    ClientEstablished,
    CredentialAccepted,
    HandshakeFailure,
    PskRequested,
    ResumptionRequested,
    SessionEstablished,
)
from gateway.dtls.session import Session
from gateway.dtls.settings import ClientConfig
from gateway.dtls.storedstate import decode_keys, decode_session
from gateway.dtls.suites import PREFERRED_SUITES, SUITES
from tests.support.certificates import authority, credential_of
from tests.support.dtls_pair import IDENTITY, PSK, Pair, Server, drop, only
from tests.support.dtls_store import StoringServer

CA = authority()


ENDPOINT = EndpointConfig(credential=credential_of(CA.issue("gateway")))
CLIENT = ClientConfig(IDENTITY, PSK, credential=credential_of(CA.issue("device-1")), cid=b"c")


def first_of(config: ClientConfig = CLIENT, endpoint: EndpointConfig = ENDPOINT) -> tuple[Pair, Session]:
    """A full handshake, some data, and the client leaves."""
    pair = Pair(config, endpoint)
    session = pair.handshake()
    pair.say(b"first")
    pair.client.close(pair.now)
    pair.exchange()
    return pair, session


def again(first: Pair, config: ClientConfig = CLIENT, seed: str = "again") -> Pair:
    """The next connection of the same client to the same server."""
    assert first.client.resumable is not None
    return Pair(replace(config, resumable=first.client.resumable), server=first.server, seed=seed)


def questions(pair: Pair) -> tuple[int, int, int]:
    """How often the owner was asked for a key, about a certificate, about a resumption."""
    events = pair.server.events
    return (
        len(only(PskRequested, events)),
        len(only(CertificatePresented, events)),
        len(only(ResumptionRequested, events)),
    )


@pytest.mark.parametrize("suite", PREFERRED_SUITES, ids=lambda number: SUITES[number].name)
def test_session_goes_on_without_key_or_certificate(suite: int) -> None:
    config = replace(CLIENT, suites=(suite,))
    first, before = first_of(config)
    asked = questions(first)
    pair = again(first, config)
    session = pair.handshake()
    assert questions(pair) == (*asked[:2], 1)
    assert session.identity == before.identity
    pair.say(b"second")
    pair.server.send(session, b"down")
    pair.exchange()
    assert pair.server.received == [b"first", b"second"]
    assert pair.client_received == [b"down"]
    assert len(pair.sent_to_client) < 6


def test_E5_resumption_gives_a_new_connection_id() -> None:
    first, before = first_of()
    session = again(first).handshake()
    assert session.cid
    assert session.cid != before.cid


def test_a_session_can_be_resumed_again_and_again_until_its_time_is_over() -> None:
    endpoint = replace(ENDPOINT, resumption_s=1_000.0)
    first, _ = first_of(endpoint=endpoint)
    for number in range(3):
        again(first, seed=str(number)).handshake()
        first.server.pass_time(300.0)
    assert questions(first) == (1, 0, 3)
    first.server.pass_time(200.0)
    again(first, seed="late").handshake()
    assert questions(first) == (2, 0, 3)


def test_owner_is_asked_what_he_said_the_identity_rests_on() -> None:
    server = Server(ENDPOINT)
    server.is_answering = False
    pair = Pair(CLIENT, server=server)
    pair.start()
    pair.exchange()
    (request,) = only(PskRequested, server.events)
    server._note(server.endpoint.provide_psk(request.handshake, PSK, server.now, b"version 7"))
    pair.exchange()
    assert pair.client.is_established
    second = again(pair)
    second.start()
    second.exchange()
    (asked,) = only(ResumptionRequested, server.events)
    assert (asked.identity, asked.credential) == (IDENTITY, b"version 7")
    assert not second.client.is_established
    server.provide_resumption(asked, True)
    second.exchange()
    assert second.client.is_established
    assert server.provide_resumption(asked, True) == []


def test_E3_who_is_not_welcome_any_more_needs_a_full_handshake() -> None:
    first, _ = first_of()
    first.server.is_resuming = False
    again(first).handshake()
    assert questions(first) == (2, 0, 1)
    assert first.server.count("resumptions_refused") == 1
    again(first, seed="third").handshake()
    assert questions(first) == (3, 0, 1)


@pytest.mark.parametrize(
    "changes",
    [
        {"suites": (0xC0A4,)},
        {"server_name": b"another.example"},
        {"suites": (0x00AE,), "encrypt_then_mac": False},
    ],
    ids=["suite", "host", "encrypt-then-mac"],
)
def test_E3_what_differs_from_the_session_needs_a_full_handshake(changes: dict[str, object]) -> None:
    before = CLIENT if changes.get("suites") != (0x00AE,) else replace(CLIENT, suites=(0x00AE,))
    first, _ = first_of(before)
    again(first, replace(before, **changes)).handshake()  # type: ignore[arg-type]
    assert questions(first) == (2, 0, 0)


def test_E3_hello_without_extended_master_secret_ends_it() -> None:
    first, _ = first_of()
    pair = again(first, replace(CLIENT, extended_master_secret=False))
    pair.start()
    pair.exchange()
    assert not pair.client.is_established
    assert pair.server.failures[-1].reason is HandshakeFailure.PROTOCOL_ERROR


def test_handshake_without_extended_master_secret_leaves_nothing_to_resume() -> None:
    pair = Pair(replace(CLIENT, extended_master_secret=False), ENDPOINT)
    pair.handshake()
    assert pair.client.resumable is None


def test_nothing_is_given_where_resumption_is_off() -> None:
    pair = Pair(CLIENT, replace(ENDPOINT, resumption_s=0.0))
    pair.handshake()
    assert pair.client.resumable is None


def test_E6_ended_identity_is_not_resumed() -> None:
    first = Pair(CLIENT, ENDPOINT)
    first.handshake()
    first.server.endpoint.end_sessions(IDENTITY, first.now)
    again(first).handshake()
    assert questions(first) == (2, 0, 0)


def test_resumption_ends_with_the_certificate() -> None:
    config = replace(CLIENT, suites=(0xC0AE,))
    first = Pair(config, ENDPOINT)
    first.server.judge = lambda presented: CredentialAccepted(b"device-1", first.now + 500.0)
    first.handshake()
    first.client.close(first.now)
    first.exchange()
    session = again(first, config).handshake()
    assert session.expires_at is not None
    first.server.pass_time(600.0)
    assert first.server.sessions == []
    again(first, config, "late").handshake()
    assert questions(first) == (0, 2, 1)


def test_only_so_many_sessions_can_be_resumed() -> None:
    server = Server(replace(ENDPOINT, max_resumable=1))
    pairs = []
    for number in range(2):
        identity = b"device-%d" % number
        server.psks[identity] = PSK
        pairs.append(Pair(replace(CLIENT, identity=identity), server=server, seed=str(number)))
        pairs[-1].handshake()
    again(pairs[0], replace(CLIENT, identity=b"device-0"), "a").handshake()
    assert len(only(ResumptionRequested, server.events)) == 0


def test_live_session_goes_on_in_the_resumed_one() -> None:
    first = Pair(CLIENT, ENDPOINT)
    first.handshake()
    first.say(b"x")
    second = again(first)
    second.handshake()
    second.say(b"y")
    assert len(first.server.sessions) == 1
    third = again(first, seed="third")
    third.handshake()
    assert questions(first) == (1, 0, 2)


@pytest.mark.parametrize("lost", range(3))
@pytest.mark.parametrize("way", ["to_server", "to_client"])
def test_lost_datagrams_are_sent_again(way: str, lost: int) -> None:
    first, _ = first_of()
    pair = again(first)
    setattr(pair, way, drop(lost))
    pair.start()
    pair.exchange()
    pair.pass_time(30.0)
    assert pair.client.is_established
    established = len(only(SessionEstablished, pair.server.events))
    assert established == 2
    assert len(only(ClientEstablished, pair.client_events)) == 1
    pair.say(b"second")
    assert pair.server.received[-1] == b"second"


def test_A4_hello_that_resumes_shows_its_cookie_first() -> None:
    first, _ = first_of()
    asked = first.server.count("hello_verify_requests")
    again(first).handshake()
    assert first.server.count("hello_verify_requests") == asked + 1


def test_E4_resumptions_that_fail_leave_nothing() -> None:
    first, _ = first_of()
    first.server.is_resuming = False
    for number in range(20):
        refused = again(first, seed=str(number))
        refused.start()
        refused.exchange()
        refused.client.close(refused.now)
        refused.exchange()
    assert first.server.sessions == []
    assert first.server.endpoint.handshake_count == 0
    assert first.server.endpoint.resumable_count == 1


def stored_pair(**changes: float) -> tuple[StoringServer, Pair]:
    """A session on disk, whose client has left without a word."""
    config = EndpointConfig(credential=ENDPOINT.credential, persist_sessions=True, **changes)  # type: ignore[arg-type]
    server = StoringServer(config=config)
    pair = Pair(CLIENT, server=server)
    pair.handshake()
    server.store()
    pair.say(b"first")
    server.store()
    return server, pair


@pytest.mark.parametrize("passed_s", [10.0, 2_000.0])
def test_session_is_resumed_after_a_crash_while_its_time_is_not_over(passed_s: float) -> None:
    server, pair = stored_pair(resumption_s=1_000.0)
    server.pass_time(passed_s)
    after = server.crash()
    again = Pair(replace(CLIENT, resumable=pair.client.resumable), server=after, seed="again")
    session = again.handshake()
    assert len(only(ResumptionRequested, after.events)) == (passed_s < 1_000.0)
    assert session.identity == IDENTITY


def test_secret_leaves_the_disk_when_it_is_no_longer_good() -> None:
    server, _ = stored_pair(resumption_s=1_000.0)

    def secrets() -> list[bytes]:
        return [decode_session(state).master_secret for _, state in server.disk.rows.values()]

    assert [len(secret) for secret in secrets()] == [48]
    server.pass_time(2_000.0)
    server.endpoint.sweep()
    for _ in range(3):
        server.end_storing(server.begin_storing())
    assert secrets() == [b""]


def test_secret_of_a_session_leaves_the_disk_when_a_newer_one_takes_its_place() -> None:
    server, _ = stored_pair()
    Pair(CLIENT, server=server, seed="second").handshake()
    server.store()
    older, newer = (decode_session(state) for _, state in server.disk.rows.values())
    assert older.master_secret == b""
    assert len(newer.master_secret) == 48


def left_pair(**changes: float) -> tuple[StoringServer, Pair]:
    """A session that was on disk, and that its client has closed."""
    server, pair = stored_pair(**changes)
    pair.client.close(pair.now)
    pair.exchange()
    server.store()
    assert server.sessions == []
    return server, pair


def come_back(server: StoringServer, pair: Pair) -> bool:
    """The client of *pair* connects to *server*; whether it went on with its earlier session."""
    again = Pair(replace(CLIENT, resumable=pair.client.resumable), server=server, seed="again")
    session = again.handshake()
    assert session.identity == IDENTITY
    return len(only(ResumptionRequested, server.events)) == 1


@pytest.mark.parametrize("passed_s", [10.0, 2_000.0])
def test_session_that_was_closed_is_resumed_after_a_crash_while_its_time_is_not_over(passed_s: float) -> None:
    server, pair = left_pair(resumption_s=1_000.0)
    server.pass_time(passed_s)
    after = server.crash()
    assert after.restored == []
    assert after.endpoint.resumable_count == (passed_s < 1_000.0)
    assert come_back(after, pair) is (passed_s < 1_000.0)


def test_closed_session_keeps_no_traffic_keys_on_disk() -> None:
    server, _ = stored_pair()
    ((_, before),) = server.disk.rows.values()
    block = decode_keys(decode_session(before).keys).block
    server, _ = left_pair()
    ((_, after),) = server.disk.rows.values()
    assert decode_session(after).is_over
    assert len(decode_session(after).master_secret) == 48
    assert any(block)
    assert not any(decode_keys(decode_session(after).keys).block)


def test_row_of_a_closed_session_goes_with_its_time() -> None:
    server, _ = left_pair(resumption_s=1_000.0)
    server.pass_time(500.0)
    server.endpoint.sweep()
    server.store()
    assert len(server.disk.rows) == 1
    server.pass_time(1_500.0)
    server.endpoint.sweep()
    server.store()
    assert server.disk.rows == {}


@pytest.mark.parametrize("is_restarted", [False, True])
def test_row_of_a_closed_session_goes_when_it_is_resumed(is_restarted: bool) -> None:
    server, pair = left_pair()
    after = server.crash() if is_restarted else server
    assert come_back(after, pair)
    after.store()
    ((_, state),) = after.disk.rows.values()
    assert not decode_session(state).is_over


@pytest.mark.parametrize("is_restarted", [False, True])
def test_row_of_a_closed_session_goes_with_a_newer_session(is_restarted: bool) -> None:
    server, _ = left_pair()
    after = server.crash() if is_restarted else server
    Pair(CLIENT, server=after, seed="second").handshake()
    after.store()
    ((_, state),) = after.disk.rows.values()
    assert not decode_session(state).is_over


@pytest.mark.parametrize("is_restarted", [False, True])
def test_row_of_a_closed_session_goes_with_its_credential(is_restarted: bool) -> None:
    server, _ = left_pair()
    after = server.crash() if is_restarted else server
    after.endpoint.end_sessions(IDENTITY, after.now)
    after.store()
    assert after.disk.rows == {}


@pytest.mark.parametrize("is_closed", [True, False])
def test_secret_leaves_the_disk_when_its_owner_refuses_it(is_closed: bool) -> None:
    server, pair = left_pair() if is_closed else stored_pair()
    server.is_resuming = server.is_answering = False
    again = Pair(replace(CLIENT, resumable=pair.client.resumable), server=server, seed="again")
    again.start()
    again.exchange()
    (asked,) = only(ResumptionRequested, server.events)
    server.provide_resumption(asked, False)
    server.store()
    assert len(server.disk.rows) == (not is_closed)
    assert not any(decode_session(state).master_secret for _, state in server.disk.rows.values())
    assert server.crash().endpoint.resumable_count == 0


def test_only_the_newest_closed_session_of_an_identity_stays() -> None:
    server, _ = left_pair()
    pair = Pair(CLIENT, server=server, seed="second")
    pair.handshake()
    pair.client.close(pair.now)
    pair.exchange()
    server.store()
    ((_, state),) = server.disk.rows.values()
    assert pair.client.resumable is not None
    assert decode_session(state).session_id == pair.client.resumable.session_id


def test_closed_session_is_not_resumed_after_the_end_of_its_certificate() -> None:
    server = StoringServer(config=replace(ENDPOINT, persist_sessions=True))
    config = replace(CLIENT, suites=(0xC0AE,))
    pair = Pair(config, server=server)
    server.judge = lambda presented: CredentialAccepted(b"device-1", server.now + 500.0)
    pair.handshake()
    server.store()
    pair.say(b"first")
    pair.client.close(pair.now)
    pair.exchange()
    server.store()
    assert len(server.disk.rows) == 1
    assert server.crash().endpoint.resumable_count == 1
    server.pass_time(600.0)
    assert server.crash().endpoint.resumable_count == 0


def test_closed_session_is_not_resumed_where_resumption_is_off_by_now() -> None:
    server, _ = left_pair()
    server.config = replace(server.config, resumption_s=0.0)
    assert server.crash().endpoint.resumable_count == 0
