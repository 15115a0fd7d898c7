"""`gateway.dtls.paths`, and what `server` and `client` make of the return routability check (RFC 9853)."""

from __future__ import annotations

import pytest

from gateway.address import Address
from gateway.dtls.events import ApplicationData, SessionEnd, SessionEnded
from gateway.dtls.extensions import ExtensionType
from gateway.dtls.record import MAX_SEQUENCE
from gateway.dtls.routability import (
    RoutabilityMessage,
    RoutabilityType,
    decode_routability_message,
    encode_routability_message,
)
from gateway.dtls.session import Session
from gateway.dtls.settings import ClientConfig, EndpointConfig
from tests.support.dtls_pair import (
    ADDRESS,
    APPLICATION_DATA,
    IDENTITY,
    PSK,
    ROUTABILITY,
    Hello,
    Pair,
    RawClient,
    Server,
    drop,
)

ELSEWHERE = Address("198.51.100.7", 5_000)
FARTHER = Address("203.0.113.9", 9_000)
COOKIE = b"cookie!!"


def connect(own_cid: bytes = b"", **options: object) -> tuple[RawClient, Session]:
    client = RawClient(Server(**options), Hello().with_cid(own_cid).with_rrc())  # type: ignore[arg-type]
    return client, client.connect()


def connect_without_check() -> tuple[RawClient, Session]:
    client = RawClient(hello=Hello().with_cid())
    return client, client.connect()


def messages(client: RawClient, kind: RoutabilityType) -> list[bytes]:
    """The cookies of the routability messages of one kind in the last replies."""
    found = [
        decode_routability_message(content)
        for type_, content in client.open_replies()
        if type_ == ROUTABILITY
    ]
    return [message.cookie for message in found if message is not None and message.type is kind]


def challenges(client: RawClient) -> list[bytes]:
    return messages(client, RoutabilityType.PATH_CHALLENGE)


def say(client: RawClient, kind: RoutabilityType, cookie: bytes, address: Address) -> list[object]:
    content = encode_routability_message(RoutabilityMessage(kind, cookie))
    return list(client.send(client.sealed(ROUTABILITY, content), address=address))


def answer(client: RawClient, cookie: bytes, address: Address = ELSEWHERE) -> None:
    assert say(client, RoutabilityType.PATH_RESPONSE, cookie, address) == []


# --- addresses in doubt


def test_newest_record_moves_a_session_and_an_older_one_does_not() -> None:
    client, session = connect_without_check()
    client.say(b"5", sequence=5)
    assert client.say(b"3", sequence=3, address=ELSEWHERE) == [ApplicationData(session, b"3")]
    assert session.address == ADDRESS
    client.say(b"6", sequence=6, address=ELSEWHERE)
    assert session.address == ELSEWHERE
    assert client.server.count("sessions_moved") == 1


def test_return_to_the_confirmed_address_needs_no_confirmation() -> None:
    client, session = connect_without_check()
    client.say(b"there", address=ELSEWHERE)
    client.say(b"further", address=Address("203.0.113.1", 1))
    assert session.path is not None
    client.say(b"back")
    assert session.address == ADDRESS
    assert session.path is None


# --- negotiation


@pytest.mark.parametrize(
    ("hello", "has_rrc"),
    [
        (Hello().with_cid().with_rrc(), True),
        (Hello().with_cid(), False),
        (Hello().with_rrc(), False),
    ],
    ids=["both", "without the check", "without connection IDs"],
)
def test_the_check_is_agreed_on_beside_connection_ids_only(hello: Hello, has_rrc: bool) -> None:
    client = RawClient(hello=hello)
    session = client.connect()
    assert client.server_hello is not None
    assert (ExtensionType.RRC in client.server_hello.extensions) is has_rrc
    assert (session.check_s is not None) is has_rrc


def test_a_check_may_take_three_of_the_round_trips_seen_in_the_handshake() -> None:
    client = RawClient(hello=Hello().with_cid().with_rrc())
    client.begin()
    client.server.now += 0.8
    client.finish()
    (session,) = client.server.sessions
    assert session.check_s == pytest.approx(2.4)


def test_a_round_trip_is_not_known_where_a_flight_went_out_twice() -> None:
    client = RawClient(hello=Hello().with_cid().with_rrc())
    client.begin()
    client.server.pass_time(1.5)
    client.finish()
    (session,) = client.server.sessions
    assert session.check_s == 1.0


# --- the check


def test_a_new_address_is_challenged_and_bound_by_the_answer() -> None:
    client, session = connect()
    assert client.say(b"away", address=ELSEWHERE) == [ApplicationData(session, b"away")]
    (cookie,) = challenges(client)
    assert session.path is not None
    answer(client, cookie)
    assert (session.address, session.path) == (ELSEWHERE, None)
    assert client.server.count("path_checks_passed") == 1
    assert client.server.send(session, b"x" * 5_000)
    client.server.pass_time(10.0)
    assert session.address == ELSEWHERE


def test_further_records_from_there_bind_nothing_and_add_to_what_it_may_get() -> None:
    client, session = connect()
    client.say(b"away", address=ELSEWHERE)
    while client.server.send(session, b"x" * 20):
        pass
    client.say(b"x" * 200, address=ELSEWHERE)
    assert session.path is not None
    assert client.server.send(session, b"x" * 400)
    assert not client.server.send(session, b"x" * 400)


def test_challenges_count_against_what_the_address_may_get() -> None:
    client, session = connect()
    record = client.sealed(APPLICATION_DATA, b"")
    client.send(record, address=ELSEWHERE)
    sent = sum(map(len, client.replies))
    while client.server.send(session, b"x"):
        pass
    client.server.pass_time(0.9)
    assert sent + sum(map(len, client.server.take(ELSEWHERE))) <= 3 * len(record)


def test_without_an_answer_three_challenges_go_out_and_the_session_goes_back() -> None:
    client, session = connect()
    client.say(b"x" * 300, address=ELSEWHERE)
    cookies = challenges(client)
    client.server.pass_time(0.9)
    client.replies = client.server.take(ELSEWHERE)
    cookies += challenges(client)
    assert len(set(cookies)) == 3
    assert session.address == ELSEWHERE
    client.server.pass_time(0.2)
    assert (session.address, session.path) == (ADDRESS, None)
    assert client.server.count("path_checks_failed") == 1
    assert client.server.take(ELSEWHERE) == []
    for cookie in cookies:
        answer(client, cookie, ADDRESS)
    assert client.server.count("unexpected_messages") == 3


@pytest.mark.parametrize("number", range(3))
def test_any_of_the_challenges_may_be_answered(number: int) -> None:
    client, session = connect()
    client.say(b"x" * 300, address=ELSEWHERE)
    cookies = challenges(client)
    client.server.pass_time(0.9)
    client.replies = client.server.take(ELSEWHERE)
    cookies += challenges(client)
    answer(client, cookies[number])
    assert session.path is None


def test_an_answer_may_come_by_another_way() -> None:
    client, session = connect()
    client.say(b"away", address=ELSEWHERE)
    (cookie,) = challenges(client)
    answer(client, cookie, FARTHER)
    assert session.address == FARTHER
    assert session.path is not None
    assert session.path.confirmed == ELSEWHERE
    assert cookie not in challenges(client)
    client.server.pass_time(5.0)
    assert session.address == ELSEWHERE


@pytest.mark.parametrize("kind", [RoutabilityType.PATH_RESPONSE, RoutabilityType.PATH_DROP])
def test_an_answer_to_nothing_changes_nothing(kind: RoutabilityType) -> None:
    client, session = connect()
    assert say(client, kind, COOKIE, ADDRESS) == []
    client.say(b"away", address=ELSEWHERE)
    assert say(client, kind, COOKIE, ELSEWHERE) == []
    assert say(client, kind, COOKIE, FARTHER) == []
    assert session.path is not None
    assert session.path.confirmed == ADDRESS


def test_newest_record_from_the_confirmed_address_ends_the_check() -> None:
    client, session = connect()
    client.say(b"away", address=ELSEWHERE)
    client.say(b"back")
    assert (session.address, session.path) == (ADDRESS, None)
    assert client.server.pass_time(5.0) == []
    assert client.server.take(ELSEWHERE) == []


def test_the_end_of_a_session_ends_its_check() -> None:
    client, session = connect()
    client.say(b"away", address=ELSEWHERE)
    events = client.server.endpoint.end_session(session, client.server.now)
    assert events == (SessionEnded(session, SessionEnd.ENDED),)
    client.server.outbox.clear()
    client.server.endpoint.datagrams_to_send()
    client.server.pass_time(5.0)
    assert client.server.outbox == []
    assert client.server.endpoint.get_timer() is None


def test_the_next_of_several_timers_counts() -> None:
    client, session = connect()
    client.say(b"away", address=ELSEWHERE)
    other = RawClient(client.server, Hello(random=b"o" * 32), address=FARTHER)
    other.connect()
    timer = client.server.endpoint.get_timer()
    assert timer is not None
    assert timer < client.server.now + 1.0
    assert session.path is not None


# --- challenges of the peer


@pytest.mark.parametrize("address", [ADDRESS, ELSEWHERE])
def test_a_challenge_is_answered_once_and_to_its_source(address: Address) -> None:
    client, _ = connect()
    client.say(b"x" * 100, sequence=10, address=address)
    client.protected_sequence = 11
    say(client, RoutabilityType.PATH_CHALLENGE, COOKIE, address)
    assert messages(client, RoutabilityType.PATH_RESPONSE) == [COOKIE]
    assert client.server.outbox == []


def test_a_challenge_that_is_not_the_newest_is_answered_to_its_source_too() -> None:
    client, session = connect()
    client.say(b"newest", sequence=50)
    say(client, RoutabilityType.PATH_CHALLENGE, COOKIE, ELSEWHERE)
    assert messages(client, RoutabilityType.PATH_RESPONSE) == [COOKIE]
    assert session.address == ADDRESS


def test_an_answer_is_never_more_than_the_source_may_get() -> None:
    client, _ = connect(own_cid=bytes(200))
    client.say(b"newest", sequence=50)
    say(client, RoutabilityType.PATH_CHALLENGE, COOKIE, ELSEWHERE)
    assert client.replies == []


def test_nothing_is_answered_once_the_record_numbers_are_used_up() -> None:
    client, session = connect()
    session.next_sequence = MAX_SEQUENCE + 1
    client.say(b"newest", sequence=50)
    say(client, RoutabilityType.PATH_CHALLENGE, COOKIE, ADDRESS)
    say(client, RoutabilityType.PATH_CHALLENGE, COOKIE, ELSEWHERE)
    assert client.replies == []


@pytest.mark.parametrize(
    ("content", "counter"),
    [
        (b"\3", "unexpected_messages"),
        (b"\xff" + bytes(100), "unexpected_messages"),
        (b"", "malformed_messages"),
        (b"\0" + bytes(7), "malformed_messages"),
        (b"\1" + bytes(9), "malformed_messages"),
    ],
)
def test_unknown_and_malformed_messages_are_ignored(content: bytes, counter: str) -> None:
    client, session = connect()
    assert client.send(client.sealed(ROUTABILITY, content)) == []
    assert client.replies == []
    assert client.server.count(counter) == 1
    assert client.say(b"on") == [ApplicationData(session, b"on")]


def test_who_agreed_on_no_check_gets_none_and_no_answer() -> None:
    client = RawClient(hello=Hello().with_cid())
    session = client.connect()
    say(client, RoutabilityType.PATH_CHALLENGE, COOKIE, ADDRESS)
    client.say(b"away", address=ELSEWHERE)
    assert client.replies == []
    assert client.server.count("unexpected_records") == 1
    client.say(b"again", address=ELSEWHERE)
    assert session.path is None


# --- the client role


def test_a_client_that_moves_is_challenged_and_answers() -> None:
    pair = Pair(ClientConfig(IDENTITY, PSK, cid=b"c"))
    session = pair.handshake()
    pair.address = ELSEWHERE
    pair.say(b"away")
    assert (session.address, session.path) == (ELSEWHERE, None)
    assert pair.server.count("path_checks_passed") == 1


def test_a_lost_challenge_is_made_good_by_the_next() -> None:
    pair = Pair(ClientConfig(IDENTITY, PSK))
    session = pair.handshake()
    pair.address = ELSEWHERE
    pair.to_client = drop(0)
    pair.say(b"x" * 100)
    assert session.path is not None
    pair.pass_time(0.5)
    assert (session.address, session.path) == (ELSEWHERE, None)


def test_client_answers_challenges_only() -> None:
    pair = Pair(ClientConfig(IDENTITY, PSK))
    session = pair.handshake()
    for content in (b"\1" + COOKIE, b"\2" + COOKIE, b"\3", b"", b"\0"):
        pair.client.receive_datagram(session.seal(ROUTABILITY, content), pair.now)
    assert pair.client.datagrams_to_send() == []
    challenge = session.seal(ROUTABILITY, b"\0" + COOKIE)
    for _ in range(2):
        pair.client.receive_datagram(challenge, pair.now)
    assert len(pair.client.datagrams_to_send()) == 1


@pytest.mark.parametrize(
    ("client", "endpoint"),
    [
        (ClientConfig(IDENTITY, PSK, return_routability=False), EndpointConfig()),
        (ClientConfig(IDENTITY, PSK, cid=None), EndpointConfig()),
    ],
)
def test_client_that_agreed_on_no_check_answers_none(client: ClientConfig, endpoint: EndpointConfig) -> None:
    pair = Pair(client, endpoint)
    session = pair.handshake()
    assert session.check_s is None
    pair.client.receive_datagram(session.seal(ROUTABILITY, b"\0" + COOKIE), pair.now)
    assert pair.client.datagrams_to_send() == []
