"""Negative catalogue, D: numbers are used once and run out; forgers are not listened to for ever."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from itertools import chain

import pytest

from gateway.dtls.alerts import CLOSE_NOTIFY
from gateway.dtls.events import HandshakeFailed, SessionEnd, SessionEnded, SessionEstablished
from gateway.dtls.messages import HandshakeType, encode_message
from gateway.dtls.record import MAX_SEQUENCE, decode_records
from gateway.dtls.session import Session
from gateway.dtls.settings import ClientConfig, EndpointConfig
from gateway.dtls.suites import AEAD, DEFAULT_SUITES, SUITES
from tests.support.dtls_attack import (
    ELSEWHERE,
    Bystander,
    dropped,
    established,
    memory_grows_less_than,
    record_operations,
)
from tests.support.dtls_cases import CIDS
from tests.support.dtls_pair import (
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    IDENTITY,
    PSK,
    Hello,
    Pair,
    RawClient,
    Server,
    only,
)

CONFIG = EndpointConfig()


class Nonces:
    """Every nonce that anybody in this process sealed with, by its key."""

    def __init__(self) -> None:
        self.by_key: dict[bytes, list[bytes]] = {}

    def watch(self, make: Callable[[bytes], AEAD]) -> Callable[[bytes], AEAD]:
        """*make*, such that what its ciphers seal is noted."""

        def watched(key: bytes) -> AEAD:
            return _WatchedAead(make(key), self.by_key.setdefault(key, []))

        return watched

    def assert_unique(self) -> None:
        """None was used twice under its key, and some were used."""
        assert any(self.by_key.values())
        for used in self.by_key.values():
            assert [nonce for nonce, count in Counter(used).items() if count > 1] == []


class _WatchedAead:
    def __init__(self, aead: AEAD, used: list[bytes]) -> None:
        self._aead = aead
        self._used = used
        self.decrypt = aead.decrypt

    def encrypt(self, nonce: bytes, data: bytes, associated_data: bytes, /) -> bytes:
        self._used.append(nonce)
        return self._aead.encrypt(nonce, data, associated_data)


@pytest.fixture
def nonces(monkeypatch: pytest.MonkeyPatch) -> Nonces:
    nonces = Nonces()
    for suite in list(SUITES.values()):
        monkeypatch.setitem(SUITES, suite.id, replace(suite, aead=nonces.watch(suite.aead)))
    return nonces


def forged(record: bytes) -> bytes:
    return record[:-1] + bytes((record[-1] ^ 1,))


# --- D13: a nonce is used once


@pytest.mark.parametrize("cid", CIDS)
@pytest.mark.parametrize("suite", DEFAULT_SUITES, ids=lambda number: SUITES[number].name)
def test_D13_no_nonce_is_used_twice_in_a_life(nonces: Nonces, suite: int, cid: bytes | None) -> None:
    pair = Pair(ClientConfig(IDENTITY, PSK, suites=(suite,), cid=cid))
    lost = 0

    def lose_last_flights(datagram: bytes) -> tuple[bytes, ...]:
        nonlocal lost
        is_lost = datagram[0] == CHANGE_CIPHER_SPEC and lost < 3
        lost += is_lost
        return () if is_lost else (datagram, datagram)

    pair.to_client = lose_last_flights
    pair.start()
    pair.exchange()
    pair.pass_time(30)
    assert lost == 3
    (session,) = pair.server.sessions
    for text in (b"one", b"two", b"three"):
        pair.say(text)
        pair.server.send(session, text)
        pair.exchange()
    pair.client.receive_datagram(
        session.seal(HANDSHAKE, encode_message(HandshakeType.HELLO_REQUEST, 9, b"")), pair.now
    )
    pair.exchange()
    pair.client.close(pair.now)
    pair.exchange()
    assert only(SessionEnded, pair.server.events)[0].reason is SessionEnd.CLOSE_NOTIFY
    nonces.assert_unique()
    client_used, server_used = sorted(nonces.by_key.values(), key=len, reverse=True)
    assert len(client_used) >= 4 + 3 + 1 + 1, "Finished, data, a warning, close_notify"
    assert len(server_used) >= 4 + 3 + 1 + 1, "Finished, data, a HelloRequest, close_notify"


@pytest.mark.parametrize("cid", CIDS)
def test_D13_a_nonce_is_the_salt_and_the_number_of_its_record(nonces: Nonces, cid: bytes | None) -> None:
    pair = Pair(ClientConfig(IDENTITY, PSK, cid=cid))
    session = pair.handshake()
    for _ in range(5):
        pair.say(b"data")
        pair.server.send(session, b"data")
        pair.exchange()
    own_cids = {True: CONFIG.cid_length, False: len(cid or b"")}
    for is_ours, sent in ((True, pair.sent_to_server), (False, pair.sent_to_client)):
        records = chain(*(decode_records(datagram, own_cids[is_ours]) for datagram in sent))
        protected = [record for record in records if record.epoch == 1]
        assert [record.fragment[:8] for record in protected] == [record.number for record in protected]
        assert [record.sequence for record in protected] == list(range(6))
    for used in nonces.by_key.values():
        assert len({nonce[:4] for nonce in used}) == 1
        assert [int.from_bytes(nonce[4:], "big") for nonce in used] == [(1 << 48) + i for i in range(6)]


def test_D13_refused_and_ended_sends_leave_no_number_to_be_used_again(nonces: Nonces) -> None:
    server = Server()
    raw = established(server, cid=b"")
    (session,) = server.sessions
    raw.say(b"away", address=ELSEWHERE)
    for _ in range(30):
        server.send(session, b"x" * 20)
        raw.send(raw.sealed(HANDSHAKE, raw.message(HandshakeType.CLIENT_HELLO, b"")), address=ELSEWHERE)
        server.send(session, b"x" * 20)
    server.endpoint.end_session(session, server.now)
    server.send(session, b"over")
    server.endpoint.end_session(session, server.now)
    nonces.assert_unique()


def test_D13_each_handshake_has_keys_of_its_own(nonces: Nonces) -> None:
    server = Server()
    for _ in range(20):
        raw = RawClient(server, Hello(random=b"the same random, always the same"))
        raw.connect()
        raw.say(b"data")
    nonces.assert_unique()
    assert len(nonces.by_key) == 2 * 20
    assert server.count("sessions_superseded") == 19


def test_D13_both_directions_have_keys_of_their_own(nonces: Nonces) -> None:
    pair = Pair()
    session = pair.handshake()
    reflected = session.seal(APPLICATION_DATA, b"reflected")
    assert len(nonces.by_key) == 2
    with dropped(pair.server, unknown_peer=1):
        pair.server.give(reflected)


# --- D14: the last number


def near_the_end(left: int, cid: bytes | None = b"") -> tuple[RawClient, Session]:
    """A session that can number so many more records."""
    raw = established(Server(), cid=cid)
    raw.say(b"confirmed")
    (session,) = raw.server.sessions
    session.next_sequence = MAX_SEQUENCE + 1 - left
    return raw, session


def numbers(raw: RawClient) -> list[int]:
    """The record numbers of what was sent to the client."""
    return [record.sequence for each in raw.server.take(raw.address) for record in decode_records(each, 0)]


@pytest.mark.parametrize("cid", [None, b""])
@pytest.mark.parametrize("left", [1, 2, 5])
def test_D14_a_session_ends_before_its_numbers_wrap(nonces: Nonces, left: int, cid: bytes | None) -> None:
    raw, session = near_the_end(left, cid)
    server = raw.server
    assert [server.send(session, b"data") for _ in range(left + 3)] == [True] * (left - 1) + [False] * 4
    assert server.endpoint.session_count == 0
    assert server.count("sessions_exhausted") == 1
    server.pass_time(0)
    assert [event.reason for event in only(SessionEnded, server.events)] == [SessionEnd.EXHAUSTED]
    assert numbers(raw) == list(range(MAX_SEQUENCE + 1 - left, MAX_SEQUENCE + 1))
    nonces.assert_unique()
    with dropped(server, **{"unknown_peer" if cid is None else "unknown_connection_id": 1}):
        raw.say(b"too late")


def test_D14_the_last_number_is_that_of_the_close_notify() -> None:
    raw, session = near_the_end(1)
    assert not raw.server.send(session, b"data")
    raw.replies = raw.server.take(raw.address)
    assert raw.protected_alerts() == [CLOSE_NOTIFY]


@pytest.mark.parametrize("left", [0, 1, 2])
def test_D14_answers_to_the_peer_do_not_make_the_numbers_wrap(nonces: Nonces, left: int) -> None:
    raw, session = near_the_end(left)
    for _ in range(4):
        assert raw.send(raw.sealed(HANDSHAKE, raw.message(HandshakeType.CLIENT_HELLO, b""))) == []
    assert session.next_sequence <= MAX_SEQUENCE + 1
    assert len(only(SessionEnded, raw.send(raw.sealed(ALERT, bytes(CLOSE_NOTIFY))))) == 1
    nonces.assert_unique()


@pytest.mark.parametrize("left", [0, 1, 2])
def test_D14_repetitions_of_the_last_flight_do_not_make_the_numbers_wrap(nonces: Nonces, left: int) -> None:
    raw = RawClient()
    raw.begin()
    raw.send(raw.key_exchange(), raw.change_cipher_spec())
    finished = raw.finished_message()
    (established_event,) = only(SessionEstablished, raw.send(raw.sealed(HANDSHAKE, finished)))
    established_event.session.next_sequence = MAX_SEQUENCE + 1 - left
    for _ in range(4):
        assert raw.send(raw.sealed(HANDSHAKE, finished)) == []
    nonces.assert_unique()
    assert raw.server.count("last_flights_repeated") == left
    assert not raw.server.send(established_event.session, b"data")
    assert raw.server.endpoint.session_count == 0


@pytest.mark.parametrize("end", ["end_session", "end_sessions", "close"])
def test_D14_a_session_without_numbers_ends_without_a_word(end: str) -> None:
    raw, session = near_the_end(0)
    endpoint = raw.server.endpoint
    if end == "end_session":
        endpoint.end_session(session, raw.server.now)
    elif end == "end_sessions":
        endpoint.end_sessions(IDENTITY, raw.server.now)
    else:
        endpoint.close(raw.server.now, 10)
    assert endpoint.session_count == 0
    assert list(endpoint.datagrams_to_send()) == []


# --- D15: forgers


def test_D15_forgers_elsewhere_cost_a_bounded_number_of_decryptions(monkeypatch: pytest.MonkeyPatch) -> None:
    operations = record_operations(monkeypatch)
    server = Server()
    raw = established(server, cid=b"")
    junk = forged(raw.sealed(APPLICATION_DATA, b"data", 500))
    limit = CONFIG.max_bad_records
    for round_number in (1, 2, 3):
        operations.take()
        with dropped(server, bad_records=limit, muted_records=10_000 - limit), memory_grows_less_than(65_536):
            for _ in range(10_000):
                raw.send(junk, address=ELSEWHERE)
        assert operations.count("decrypt") == limit
        assert len(operations.take()) == limit, "and no other work"
        raw.say(b"the peer itself is heard")
        assert len(server.received) == round_number
        server.pass_time(CONFIG.bad_record_mute_s)


def test_D15_a_mute_ends_and_the_peer_may_move_again() -> None:
    server = Server()
    raw = established(server, cid=b"")
    (session,) = server.sessions
    for _ in range(CONFIG.max_bad_records):
        raw.send(forged(raw.sealed(APPLICATION_DATA, b"data", 500)), address=ELSEWHERE)
    moved = raw.sealed(APPLICATION_DATA, b"moved")
    with dropped(server, muted_records=1):
        raw.send(moved, address=ELSEWHERE)
    server.pass_time(CONFIG.bad_record_mute_s)
    raw.send(moved, address=ELSEWHERE)
    assert server.received == [b"moved"]
    assert session.address == ELSEWHERE


def test_D15_only_forgeries_in_a_row_lead_to_a_mute() -> None:
    server = Server()
    raw = established(server, cid=b"")
    for _ in range(10):
        junk = forged(raw.sealed(APPLICATION_DATA, b"data", 1 << 40))
        with dropped(server, bad_records=CONFIG.max_bad_records - 1):
            for _ in range(CONFIG.max_bad_records - 1):
                raw.send(junk, address=ELSEWHERE)
        raw.say(b"the peer itself")
    assert len(server.received) == 10
    assert server.count("muted_records") == 0


@pytest.mark.parametrize("cid", [None, b""])
def test_D15_forgers_at_the_peers_own_address_do_not_silence_it(cid: bytes | None) -> None:
    server = Server()
    bystander = Bystander(server)
    raw = established(server, cid=cid)
    junk = forged(raw.sealed(APPLICATION_DATA, b"data", 500))
    with dropped(server, bad_records=20_000), memory_grows_less_than(65_536):
        for _ in range(20_000):
            raw.send(junk)
    raw.say(b"still here")
    assert server.received[-1:] == [b"still here"]
    bystander.check()


@pytest.mark.parametrize("cid", [None, b""])
@pytest.mark.parametrize("is_talking", [False, True], ids=["silent", "talking"])
def test_D15_so_many_forgeries_in_a_life_end_the_session(is_talking: bool, cid: bytes | None) -> None:
    limit = 100
    server = Server(EndpointConfig(max_forgeries=limit))
    bystander = Bystander(server)
    raw = established(server, cid=cid)
    junk = forged(raw.sealed(APPLICATION_DATA, b"data", 1 << 40))
    for _ in range(limit - 1):
        raw.send(junk)
        if is_talking:
            raw.say(b"data")
    assert server.endpoint.session_count == 2
    (ended,) = raw.send(junk)
    assert isinstance(ended, SessionEnded)
    assert ended.reason is SessionEnd.BAD_RECORDS
    assert raw.protected_alerts() == [CLOSE_NOTIFY]
    assert server.count("sessions_bad_records") == 1
    nobody = "unknown_peer" if cid is None else "unknown_connection_id"
    with dropped(server, **{nobody: 2}):
        raw.send(junk)
        raw.say(b"data")
    assert server.endpoint.session_count == 1
    bystander.check()


def test_D15_the_budget_leaves_the_shortest_tag_out_of_reach() -> None:
    shortest = min(suite.tag_bytes or suite.mac_bytes for suite in SUITES.values())
    assert CONFIG.max_forgeries / 2 ** (8 * shortest) < 2**-40


def test_D15_forgeries_in_a_handshake_end_it_within_seconds_and_hold_nothing() -> None:
    server = Server()
    bystander = Bystander(server)
    raw = RawClient(server)
    raw.begin()
    raw.send(raw.key_exchange(), raw.change_cipher_spec())
    junk = forged(raw.finished())
    with dropped(server, handshake_bad_records=5_000), memory_grows_less_than(65_536):
        for _ in range(5_000):
            raw.send(junk)
    (failed,) = only(HandshakeFailed, server.pass_time(10))
    assert failed.identity == IDENTITY
    assert server.endpoint.handshake_count == 0
    bystander.check()


def test_D15_forgeries_do_not_end_a_handshake_before_its_peer_has_spoken() -> None:
    server = Server()
    raw = RawClient(server)
    raw.begin()
    raw.send(raw.key_exchange(), raw.change_cipher_spec())
    finished = raw.finished()
    for _ in range(1_000):
        raw.send(forged(finished))
    server.pass_time(2)
    (established,) = only(SessionEstablished, raw.send(finished))
    assert established.session.identity == IDENTITY


def test_D15_a_client_is_not_moved_by_forgeries_either() -> None:
    pair = Pair()
    session = pair.handshake()
    junk = forged(session.seal(APPLICATION_DATA, b"data"))
    for _ in range(10_000):
        assert not pair.client.receive_datagram(junk, pair.now)
    pair.server.send(session, b"as ever")
    pair.exchange()
    assert pair.client_received == [b"as ever"]
