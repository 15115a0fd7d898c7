"""Negative catalogue, D: the replay window, and the address that a session is answered at."""

from __future__ import annotations

import pytest

from gateway.address import Address
from gateway.dtls.alerts import CLOSE_NOTIFY, encode_alert
from gateway.dtls.events import ApplicationData, SessionEnded
from gateway.dtls.messages import HandshakeType
from gateway.dtls.record import MAX_SEQUENCE
from gateway.dtls.replay import WINDOW
from gateway.dtls.session import Session
from gateway.dtls.settings import ClientConfig, EndpointConfig
from tests.support.dtls_attack import ELSEWHERE, Bystander, dropped, established
from tests.support.dtls_cases import CIDS
from tests.support.dtls_pair import (
    ADDRESS,
    ALERT,
    APPLICATION_DATA,
    HANDSHAKE,
    IDENTITY,
    PSK,
    ROUTABILITY,
    Hello,
    Pair,
    RawClient,
    Server,
    only,
)

FARTHER = Address("203.0.113.99", 9_999)
JUMPS = [1, 63, 64, 65, 127, 128, 129, 1 << 32, MAX_SEQUENCE - 100]


def forged(record: bytes, sequence: int | None = None, epoch: int | None = None) -> bytes:
    """A record with a spoilt tag, and another number if one is given."""
    number = record[3:11]
    epoch_bytes = number[:2] if epoch is None else epoch.to_bytes(2, "big")
    sequence_bytes = number[2:] if sequence is None else sequence.to_bytes(6, "big")
    return record[:3] + epoch_bytes + sequence_bytes + record[11:-1] + bytes((record[-1] ^ 1,))


def heard(raw: RawClient, sequence: int, address: Address | None = None) -> bool:
    """Whether a new record with this number delivers its data."""
    return len(only(ApplicationData, raw.say(b"data", sequence, address))) == 1


def moved(hello: Hello | None = None) -> tuple[RawClient, Session]:
    """A client heard at ADDRESS, and then once from ELSEWHERE."""
    raw = RawClient(hello=hello or Hello().with_cid())
    session = raw.connect()
    raw.say(b"at home")
    raw.say(b"away", address=ELSEWHERE)
    assert session.address == ELSEWHERE
    return raw, session


def sent_bytes(server: Server, address: Address) -> int:
    return sum(len(datagram) for datagram in server.take(address))


# --- D4: replays


@pytest.mark.parametrize("cid", CIDS)
def test_D4_an_exact_replay_is_dropped(server: Server, cid: bytes | None) -> None:
    raw = established(server, cid=cid)
    record = raw.sealed(APPLICATION_DATA, b"once")
    raw.send(record)
    with dropped(server, replayed_records=3):
        raw.send(record)
        raw.send(record, record)
    assert server.received == [b"once"]
    assert heard(raw, 1_000)


@pytest.mark.parametrize("cid", CIDS)
@pytest.mark.parametrize("jump", JUMPS)
def test_D4_after_a_jump_the_window_goes_with_the_newest(
    server: Server, jump: int, cid: bytes | None
) -> None:
    raw = established(server, cid=cid)
    first = raw.sealed(APPLICATION_DATA, b"first", sequence=100)
    raw.send(first)
    newest = 100 + jump
    last = raw.sealed(APPLICATION_DATA, b"last", sequence=newest)
    raw.send(last)
    with dropped(server, replayed_records=2):
        raw.send(first)
        raw.send(last)
    edge = newest - WINDOW + 1
    too_old = raw.sealed(APPLICATION_DATA, b"too old", sequence=edge - 1)
    with dropped(server, replayed_records=1):
        raw.send(too_old)
    if edge != 100:
        at_edge = raw.sealed(APPLICATION_DATA, b"at the edge", sequence=edge)
        assert [event.data for event in only(ApplicationData, raw.send(at_edge))] == [b"at the edge"]
        with dropped(server, replayed_records=1):
            raw.send(at_edge)


@pytest.mark.parametrize("cid", CIDS)
def test_D4_nothing_follows_the_last_number_of_all(server: Server, cid: bytes | None) -> None:
    raw = established(server, cid=cid)
    assert heard(raw, MAX_SEQUENCE)
    with dropped(server, replayed_records=WINDOW + 2):
        for sequence in range(1, WINDOW + 2):
            raw.say(b"data", sequence)
        raw.say(b"data", MAX_SEQUENCE)
    assert heard(raw, MAX_SEQUENCE - WINDOW + 1)


def test_D4_each_number_counts_once_in_whatever_order(server: Server) -> None:
    raw = established(server, cid=b"")
    numbers = [1 + (i * 37) % 64 for i in range(64)]
    records = [raw.sealed(APPLICATION_DATA, b"%d" % number, number) for number in numbers]
    for record in records + records + records[::-1]:
        raw.send(record)
    assert sorted(server.received) == sorted(b"%d" % number for number in numbers)
    assert server.count("replayed_records") == 128


def test_D4_replays_of_the_handshake_are_dropped_too(server: Server) -> None:
    raw = RawClient(server, Hello().with_cid())
    raw.begin()
    raw.send(raw.key_exchange(), raw.change_cipher_spec())
    finished = raw.finished()
    raw.send(finished)
    with dropped(server, replayed_records=2):
        raw.send(finished)
        raw.send(finished, address=ELSEWHERE)
    assert heard(raw, 1)


def test_D4_a_client_drops_replays() -> None:
    pair = Pair()
    session = pair.handshake()
    session.next_sequence = 1 << 32
    record = session.seal(APPLICATION_DATA, b"once")
    assert pair.client.receive_datagram(record, pair.now)
    assert not pair.client.receive_datagram(record, pair.now)
    session.next_sequence -= WINDOW
    assert pair.client.receive_datagram(session.seal(APPLICATION_DATA, b"edge"), pair.now)
    session.next_sequence -= 2
    assert not pair.client.receive_datagram(session.seal(APPLICATION_DATA, b"old"), pair.now)


# --- D5, D6: forgeries with numbers of the future


@pytest.mark.parametrize("cid", CIDS)
@pytest.mark.parametrize("sequence", [65, 200, 1 << 32, MAX_SEQUENCE])
def test_D5_forged_record_with_high_sequence_does_not_move_the_window(
    server: Server, sequence: int, cid: bytes | None
) -> None:
    raw = established(server, cid=cid)
    raw.say(b"confirmed", 1)
    record = raw.sealed(APPLICATION_DATA, b"data", 2)
    for _ in range(3):
        with dropped(server, bad_records=1):
            raw.send(forged(record, sequence))
    assert raw.send(record)
    assert heard(raw, 3)
    assert heard(raw, sequence), "its own number is still free"


def test_D5_forged_record_in_a_handshake_does_not_move_the_window(server: Server) -> None:
    raw = RawClient(server)
    raw.begin()
    raw.send(raw.key_exchange(), raw.change_cipher_spec())
    finished = raw.finished()
    with dropped(server, handshake_bad_records=2):
        raw.send(forged(finished, MAX_SEQUENCE))
        raw.send(forged(finished, 1_000))
    raw.send(finished)
    assert server.endpoint.session_count == 1
    assert heard(raw, 1)


def test_D5_forged_record_does_not_move_the_window_of_a_client() -> None:
    pair = Pair(ClientConfig(IDENTITY, PSK, cid=None))
    session = pair.handshake()
    record = session.seal(APPLICATION_DATA, b"data")
    assert not pair.client.receive_datagram(forged(record, MAX_SEQUENCE), pair.now)
    assert pair.client.receive_datagram(record, pair.now)


@pytest.mark.parametrize("cid", CIDS)
@pytest.mark.parametrize("epoch", [2, 3, 0x7FFF, 0xFFFF])
def test_D6_record_of_a_later_epoch_is_neither_opened_nor_stored(
    server: Server, epoch: int, cid: bytes | None
) -> None:
    raw = established(server, cid=cid)
    raw.say(b"confirmed", 1)
    record = raw.sealed(APPLICATION_DATA, b"data", 2)
    with dropped(server, bad_epoch=4):
        raw.send(forged(record, MAX_SEQUENCE, epoch))
        raw.send(raw.sealed(APPLICATION_DATA, b"data", 3, epoch=epoch))
        raw.send(raw.sealed(HANDSHAKE, raw.message(HandshakeType.FINISHED, bytes(12)), 0, epoch=epoch))
        raw.send(raw.sealed(ALERT, encode_alert(CLOSE_NOTIFY), 0, epoch=epoch), address=ELSEWHERE)
    assert raw.send(record)


# --- D7, D8: the address


@pytest.mark.parametrize("content_type", [APPLICATION_DATA, ALERT, HANDSHAKE])
def test_D7_forged_record_from_elsewhere_does_not_move_the_address(server: Server, content_type: int) -> None:
    raw = established(server, cid=b"")
    (session,) = server.sessions
    home = session.address
    for sequence in (1, 500, MAX_SEQUENCE):
        with dropped(server, bad_records=1):
            raw.send(forged(raw.sealed(content_type, b"\2\0", sequence)), address=ELSEWHERE)
    assert session.address == home
    assert server.send(session, b"for home")
    assert server.take(ELSEWHERE) == []
    assert len(server.take(home)) == 1


def test_D7_forged_record_from_elsewhere_does_not_confirm_an_address() -> None:
    raw, session = moved()
    server = raw.server
    while server.send(session, b"x" * 20):
        pass
    for sequence in (0, 50, 1 << 40):
        raw.send(forged(raw.sealed(APPLICATION_DATA, b"data", sequence)), address=ELSEWHERE)
    assert not server.send(session, b"x" * 20)


def test_D8_replay_from_elsewhere_neither_moves_nor_confirms(server: Server) -> None:
    raw = RawClient(server, Hello().with_cid())
    session = raw.connect()
    record = raw.sealed(APPLICATION_DATA, b"data")
    raw.send(record)
    with dropped(server, replayed_records=1):
        raw.send(record, address=ELSEWHERE)
    assert session.address == ADDRESS
    fresh = raw.sealed(APPLICATION_DATA, b"away")
    raw.send(fresh, address=ELSEWHERE)
    while server.send(session, b"x" * 20):
        pass
    with dropped(server, replayed_records=1):
        raw.send(fresh, address=ELSEWHERE)
    assert not server.send(session, b"x" * 20)


@pytest.mark.parametrize("behind", [1, 2, WINDOW - 1])
def test_D8_valid_record_that_is_not_the_newest_does_not_move_the_address(
    server: Server, behind: int
) -> None:
    raw = RawClient(server, Hello().with_cid())
    session = raw.connect()
    assert heard(raw, 100)
    assert heard(raw, 100 - behind, ELSEWHERE), "it is authentic"
    assert session.address == ADDRESS
    assert server.count("sessions_moved") == 0
    assert server.send(session, b"for home")
    assert server.take(ELSEWHERE) == []


def test_D8_newest_record_moves_the_address_at_once(server: Server) -> None:
    raw = RawClient(server, Hello().with_cid())
    session = raw.connect()
    assert heard(raw, 100)
    assert heard(raw, 101, ELSEWHERE)
    assert session.address == ELSEWHERE
    assert server.send(session, b"there")
    assert len(server.take(ELSEWHERE)) == 1
    assert server.take(ADDRESS) == []


def test_D8_without_connection_id_a_record_from_elsewhere_is_nobodys(server: Server) -> None:
    raw = RawClient(server)
    session = raw.connect()
    with dropped(server, unknown_peer=1):
        raw.say(b"data", address=ELSEWHERE)
    assert session.address == ADDRESS
    assert heard(raw, 5)


@pytest.mark.parametrize("size", [1, 20, 100])
def test_D8_a_new_address_gets_three_times_what_came_from_it(size: int) -> None:
    raw = RawClient(hello=Hello().with_cid())
    server = raw.server
    session = raw.connect()
    record = raw.sealed(APPLICATION_DATA, b"d" * size)
    raw.send(record, address=ELSEWHERE)
    answers = [server.send(session, b"x" * 10) for _ in range(1_000)]
    assert answers[0]
    assert not answers[-1]
    assert sent_bytes(server, ELSEWHERE) <= 3 * len(record)
    assert server.count("sends_over_budget") == answers.count(False)
    assert only(SessionEnded, server.events) == []


def test_D8_what_exceeds_the_budget_waits_for_no_later_time() -> None:
    raw, session = moved()
    while raw.server.send(session, b"x" * 20):
        pass
    raw.server.take(ELSEWHERE)
    raw.server.pass_time(3_600)
    assert not raw.server.send(session, b"x" * 20)
    assert raw.server.outbox == []


def test_D8_a_second_record_from_there_lifts_the_budget() -> None:
    raw, session = moved()
    while raw.server.send(session, b"x" * 20):
        pass
    raw.say(b"again", address=ELSEWHERE)
    assert all(raw.server.send(session, b"x" * 1_000) for _ in range(100))


def test_D8_each_further_address_has_a_budget_of_its_own_and_home_none() -> None:
    raw, session = moved()
    record = raw.sealed(APPLICATION_DATA, b"farther")
    raw.send(record, address=FARTHER)
    while raw.server.send(session, b"x" * 20):
        pass
    assert 0 < sent_bytes(raw.server, FARTHER) <= 3 * len(record)
    raw.say(b"at home")
    assert session.address == ADDRESS
    assert all(raw.server.send(session, b"x" * 1_000) for _ in range(100))


def test_D8_to_and_fro_gives_no_address_more_than_its_budget() -> None:
    raw, session = moved()
    server = raw.server
    server.take(ELSEWHERE)
    for _ in range(5):
        sizes = {}
        for address in (FARTHER, ELSEWHERE):
            record = raw.sealed(APPLICATION_DATA, b"d")
            raw.send(record, address=address)
            while server.send(session, b"x" * 20):
                pass
            sizes[address] = sent_bytes(server, address), len(record)
        assert all(sent <= 3 * received for sent, received in sizes.values())


def test_D8_alerts_to_a_new_address_count_against_its_budget() -> None:
    raw = RawClient(hello=Hello().with_cid())
    server = raw.server
    session = raw.connect()
    raw.say(b"at home")
    record = raw.sealed(APPLICATION_DATA, b"")
    raw.send(record, address=ELSEWHERE)
    while server.send(session, b""):
        pass
    server.endpoint.end_session(session, server.now)
    server.outbox += server.endpoint.datagrams_to_send()
    assert sent_bytes(server, ELSEWHERE) <= 3 * len(record)


def test_D8_a_repeated_last_flight_counts_against_the_budget_of_a_new_address() -> None:
    raw = RawClient(hello=Hello().with_cid())
    server = raw.server
    raw.begin()
    exchange = raw.key_exchange()
    raw.send(exchange, raw.change_cipher_spec())
    message = raw.finished_message()
    raw.send(raw.sealed(HANDSHAKE, message))
    relayed = raw.sealed(HANDSHAKE, message)
    server.give(relayed, ELSEWHERE)
    for _ in range(20):
        server.give(exchange, ADDRESS)
    assert 0 < sent_bytes(server, ELSEWHERE) <= 3 * len(relayed)


def test_D8_with_a_routability_check_only_its_answer_lifts_the_budget() -> None:
    raw, session = moved(Hello().with_cid().with_rrc())
    server = raw.server
    (_, challenge), *_ = raw.open_replies()
    received = sent = 0
    for _ in range(5):
        record = raw.sealed(APPLICATION_DATA, b"again")
        raw.send(record, address=ELSEWHERE)
        received += len(record)
        while server.send(session, b"x" * 20):
            pass
        sent += sent_bytes(server, ELSEWHERE)
    assert 0 < sent <= 3 * (received + len(record))
    raw.send(raw.sealed(ROUTABILITY, b"\1" + challenge[1:]), address=ELSEWHERE)
    assert all(server.send(session, b"x" * 1_000) for _ in range(100))


def test_D8_a_routability_check_that_nobody_answers_leaves_the_address_as_it_was() -> None:
    raw, session = moved(Hello().with_cid().with_rrc())
    raw.server.pass_time(1.1)
    assert session.address == ADDRESS
    raw.server.take(ELSEWHERE)
    assert all(raw.server.send(session, b"x" * 1_000) for _ in range(100))
    assert raw.server.take(ELSEWHERE) == []


@pytest.mark.parametrize("content", [b"\1" + bytes(8), b"\2" + bytes(8), b"\3", b"\xff" + bytes(40), b""])
def test_D8_what_answers_no_challenge_binds_nothing(content: bytes) -> None:
    raw, session = moved(Hello().with_cid().with_rrc())
    raw.send(raw.sealed(ROUTABILITY, content), address=ELSEWHERE)
    assert raw.replies == []
    raw.server.pass_time(1.1)
    assert session.address == ADDRESS


def test_D8_replayed_challenge_is_answered_once() -> None:
    raw = RawClient(hello=Hello().with_cid().with_rrc())
    raw.connect()
    challenge = raw.sealed(ROUTABILITY, bytes(9))
    raw.send(challenge)
    assert raw.open_replies() == [(ROUTABILITY, b"\1" + bytes(8))]
    with dropped(raw.server, replayed_records=1):
        raw.send(challenge, address=ELSEWHERE)


def test_D8_bystanders_notice_nothing_of_a_move() -> None:
    server = Server(EndpointConfig())
    bystander = Bystander(server, cid=b"")
    raw = established(server, cid=b"")
    session = server.sessions[-1]
    raw.say(b"there", address=bystander.pair.address)
    assert session.address == bystander.pair.address
    bystander.check()
    assert bystander.session.address == bystander.pair.address
