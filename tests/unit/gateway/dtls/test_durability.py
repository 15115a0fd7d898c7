"""`gateway.dtls.durability`: what waits for the disk, and what a crash leaves."""

from __future__ import annotations

from dataclasses import replace

import pytest

from gateway.address import Address
from gateway.dtls.durability import (
    AHEAD,
    ASK_AT,
    FRESH_SESSIONS,
    RESERVED,
    SWEEP_SESSIONS,
    Durability,
    Urgency,
)
from gateway.dtls.events import ApplicationData, SessionEnd, SessionEnded
from gateway.dtls.journal import decode_entries, encode_entry
from gateway.dtls.record import MAX_SEQUENCE, Record, decode_records
from gateway.dtls.resumption import Resumables
from gateway.dtls.session import UNLIMITED_CEILING, UNLIMITED_SENDING, Session
from gateway.dtls.storedstate import decode_session
from tests.support.dtls_pair import (
    ADDRESS,
    ALERT,
    APPLICATION_DATA,
    HANDSHAKE,
    Hello,
    RawClient,
    Server,
    only,
)
from tests.support.dtls_store import PERSISTING, StoringServer, without_cids
from tests.unit.gateway.dtls.test_sessions import make_session

ELSEWHERE = Address("198.51.100.7", 5_000)
NOW_MS = 1_800_000_000_000


def connect(
    server: StoringServer | None = None, *, is_stored: bool = True, identity: bytes | None = None
) -> tuple[RawClient, Session, StoringServer]:
    server = server or StoringServer()
    client = RawClient(server, Hello().with_cid())
    session = client.connect()
    if is_stored:
        server.store()
    return client, session, server


def come_back(client: RawClient, server: StoringServer, run: int = 1) -> StoringServer:
    """The server crashes, and *client* writes to the one that comes after it."""
    again = server.crash(run)
    client.server = again
    return again


def say_all(client: RawClient, count: int) -> None:
    for number in range(count):
        client.say(b"%d" % number)


# --- receiving


def test_first_data_waits_until_the_session_is_stored() -> None:
    client, session, server = connect(is_stored=False)
    assert client.say(b"data") == []
    assert server.endpoint.urgency is Urgency.NOW
    assert server.disk.rows == {}
    assert server.store() == [ApplicationData(session, b"data")]
    assert session.number in server.disk.rows


def test_data_is_taken_at_once_up_to_the_ceiling() -> None:
    client, session, server = connect()
    for data in (b"1", b"2"):
        assert client.say(data) == [ApplicationData(session, data)]
    assert server.endpoint.urgency is Urgency.SOON
    assert client.say(b"3") == []
    assert server.endpoint.urgency is Urgency.NOW
    assert server.store() == [ApplicationData(session, b"3")]
    assert server.count("records_held") == 1


def test_session_that_is_stored_in_time_never_waits() -> None:
    client, session, server = connect()
    for number in range(100):
        assert client.say(b"%d" % number) == [ApplicationData(session, b"%d" % number)]
        server.store()
    assert server.count("records_held") == 0


def test_held_record_moves_neither_window_nor_address() -> None:
    client, session, server = connect()
    record = client.sealed(APPLICATION_DATA, b"far ahead", sequence=50)
    client.send(record, address=ELSEWHERE)
    assert (session.window.newest, session.address) == (0, ADDRESS)
    server.store()
    assert (session.window.newest, session.address) == (50, ELSEWHERE)


def test_held_record_is_taken_once() -> None:
    client, session, server = connect()
    record = client.sealed(APPLICATION_DATA, b"far ahead", sequence=50)
    for _ in range(3):
        assert client.send(record) == []
    assert server.count("replayed_records") == 2
    assert server.store() == [ApplicationData(session, b"far ahead")]
    assert client.send(record) == []


def test_forgery_above_the_ceiling_is_not_held() -> None:
    client, _, server = connect()
    record = client.sealed(APPLICATION_DATA, b"far ahead", sequence=50)
    client.send(record[:-1] + bytes((record[-1] ^ 1,)))
    assert (server.count("records_held"), server.count("bad_records")) == (0, 1)


def test_room_comes_back_when_held_records_are_delivered_or_their_session_ends() -> None:
    client, session, server = connect()
    durability = server.endpoint._durability
    client.say(bytes(1000), 10)
    server.store()
    assert durability._held.size_bytes == 0
    client.say(bytes(1000), 50)
    server.endpoint.end_session(session, server.now)
    assert durability._held.size_bytes == 0
    assert server.store() == []


def test_record_that_came_while_its_batch_was_under_way_waits_for_the_next() -> None:
    client, session, server = connect()
    client.say(b"a", 10)
    batch = server.begin_storing()
    client.say(b"b", 20)
    assert server.end_storing(batch) == [ApplicationData(session, b"a")]
    assert server.endpoint.urgency is Urgency.NOW
    assert server.store() == [ApplicationData(session, b"b")]


def test_record_below_a_held_one_is_not_held_up() -> None:
    client, session, server = connect()
    client.say(b"far ahead", 50)
    assert client.say(b"next", 1) == [ApplicationData(session, b"next")]
    assert server.store() == [ApplicationData(session, b"far ahead")]


def test_held_finished_has_our_last_flight_repeated() -> None:
    client, _, server = connect(is_stored=False)
    finished = client._messages[-1]
    client.send(client.sealed(HANDSHAKE, finished))
    assert client.replies == []
    server.store()
    assert server.count("last_flights_repeated") == 1


def test_last_number_of_all_can_be_received() -> None:
    client, session, server = connect()
    client.say(b"the last", MAX_SEQUENCE)
    assert server.store() == [ApplicationData(session, b"the last")]
    assert session.ceiling == MAX_SEQUENCE


# --- after a crash


@pytest.mark.parametrize("received", [0, 1, 2, 5, 100])
def test_nothing_received_is_taken_again_and_two_records_are_lost_at_most(received: int) -> None:
    client, _, server = connect()
    records = []
    for number in range(received):
        records.append(client.sealed(APPLICATION_DATA, b"%d" % number))
        client.send(records[-1])
        server.store()
    again = come_back(client, server)
    for record in records:
        assert client.send(record) == []
    lost = 0
    while not again.received:
        client.say(b"again")
        again.store()
        lost += not again.received
    assert lost <= AHEAD


def test_record_held_at_the_crash_is_lost_and_not_taken_again() -> None:
    client, _, server = connect()
    record = client.sealed(APPLICATION_DATA, b"held", sequence=50)
    client.send(record)
    server.disk.write(server.begin_storing())
    again = come_back(client, server)
    client.send(record)
    assert again.store() == []
    client.say(b"later", 50 + AHEAD + 1)
    assert [event.data for event in only(ApplicationData, again.store())] == [b"later"]


def test_idle_session_loses_no_more_by_one_crash_after_another() -> None:
    client, session, server = connect()
    client.say(b"x")
    server.store()
    for run in range(1, 5):
        server = come_back(client, server, run)
        server.endpoint.sweep()
        server.store()
        server.send(server.restored[0], b"is anybody there?")
        server.store()
    assert server.restored[0].ceiling == session.ceiling


def test_numbers_sent_are_never_sent_again() -> None:
    client, session, server = connect()
    sent: list[int] = []
    for run in range(1, 4):
        for _ in range(RESERVED + ASK_AT):
            server.send(session, b"x")
            sent += [decode_records(datagram, 0)[0].sequence for datagram in server.take()]
            server.store()
        server = come_back(client, server, run)
        session = server.restored[0]
        server.send(session, b"asks for numbers")
        server.store()
    assert len(sent) == 3 * (RESERVED + ASK_AT)
    assert len(set(sent)) == len(sent)


def test_numbers_are_asked_for_while_half_a_block_is_left() -> None:
    _, session, server = connect()
    for _ in range(RESERVED - ASK_AT - 1 - session.next_sequence):
        server.send(session, b"x")
    assert server.endpoint.urgency is Urgency.NONE
    server.send(session, b"x")
    server.send(session, b"x")
    assert server.endpoint.urgency is Urgency.SOON
    server.store()
    assert session.send_limit - session.next_sequence == RESERVED


def test_session_without_numbers_is_silent_until_the_disk_has_noted_more() -> None:
    _, session, server = connect()
    while server.send(session, b"x"):
        pass
    assert session.next_sequence == session.send_limit
    assert server.count("sends_unreserved") == 1
    assert server.endpoint.urgency is Urgency.NOW
    server.store()
    assert server.send(session, b"x")


def test_session_that_ended_is_not_restored() -> None:
    _, session, server = connect()
    server.endpoint.end_session(session, server.now)
    server.store()
    assert server.crash().restored == []


def test_session_that_ended_before_it_was_stored_leaves_nothing() -> None:
    _, session, server = connect(is_stored=False)
    server.endpoint.end_session(session, server.now)
    assert server.endpoint.urgency is Urgency.NONE


def test_session_that_ended_while_its_row_was_under_way_goes_with_the_next_batch() -> None:
    _, session, server = connect(is_stored=False)
    batch = server.begin_storing()
    server.endpoint.end_session(session, server.now)
    server.end_storing(batch)
    server.store()
    assert server.disk.rows == {}


def test_session_that_a_newer_one_replaced_is_not_restored() -> None:
    _, _, server = connect()
    client = RawClient(server, Hello(random=b"s" * 32).with_cid())
    session = client.connect()
    client.say(b"here I am")
    server.store()
    assert [each.number for each in server.crash().restored] == [session.number]


@pytest.mark.parametrize("has_cid", [True, False])
def test_sessions_that_newcomers_replaced_at_once_leave_nothing_and_take_no_place(has_cid: bool) -> None:
    server = StoringServer(config=PERSISTING if has_cid else without_cids())
    for number in range(4):
        hello = Hello(random=bytes((number,)) * 32)
        client = RawClient(server, hello.with_cid() if has_cid else hello)
        client.connect()
        server.store()
        if not number:
            client.say(b"proven, so that it outlives the next")
            server.store()
    living = [session.number for session in server.endpoint.sessions_of(client.identity)]
    assert sorted(server.disk.rows) == living
    assert [session.number for session in server.crash().restored] == living


def test_unconfirmed_newcomer_stays_one() -> None:
    _, _, server = connect()
    RawClient(server, Hello(random=b"s" * 32).with_cid()).connect()
    server.store()
    assert [session.is_confirmed for session in server.crash().restored] == [False, False]


def test_session_confirmed_by_an_older_record_is_stored_as_confirmed() -> None:
    client, session, server = connect()
    client.send(client.sealed(HANDSHAKE, b"", sequence=2))
    server.store()
    client.say(b"late", 1)
    server.store()
    assert session.is_confirmed
    assert server.crash().restored[0].is_confirmed


def test_moved_session_is_found_where_it_was_confirmed() -> None:
    client, _, server = connect()
    client.say(b"x")
    client.say(b"x", address=ELSEWHERE)
    server.store()
    assert server.crash().restored[0].address == ADDRESS
    client.say(b"y", address=ELSEWHERE)
    server.store()
    assert server.crash().restored[0].address == ELSEWHERE


def test_session_without_cid_goes_on_at_its_address() -> None:
    server = StoringServer(config=without_cids())
    client = RawClient(server)
    client.connect()
    server.store()
    again = come_back(client, server)
    for _ in range(AHEAD + 1):
        client.say(b"x")
        again.store()
    assert again.received == [b"x"]


def test_new_sessions_get_other_numbers_than_restored_ones() -> None:
    _, session, server = connect()
    again = server.crash()
    client = RawClient(again, Hello(random=b"s" * 32).with_cid())
    assert client.connect().number > session.number


@pytest.mark.parametrize("config", [replace(PERSISTING, max_sessions=1), without_cids()])
def test_session_without_a_place_is_not_restored(config: object) -> None:
    _, _, server = connect()
    client = RawClient(server, Hello(random=b"s" * 32), identity=b"other", address=ELSEWHERE)
    server.psks[b"other"] = client.psk
    client.connect()
    server.store()
    assert len(StoringServer(server.disk, config).restored) == 1  # type: ignore[arg-type]


def test_only_two_sessions_of_an_identity_are_restored() -> None:
    _, session, server = connect()
    server.disk.rows |= dict.fromkeys((90, 91), server.disk.rows[session.number])
    entry = server.disk.entries()[session.number]
    for number in (90, 91):
        _, state = server.disk.rows[number]
        server.disk.rows[number] = (b"same", state.replace(session.cid, bytes(7) + bytes((number,))))
    server.disk.rows[session.number] = (b"same", server.disk.rows[session.number][1])
    server.disk.journal += [encode_entry(*entry._replace(number=number)) for number in (90, 91)]
    assert [each.number for each in server.crash().restored] == [session.number, 90]


# --- a file that went, and came back


def test_without_a_file_nothing_waits() -> None:
    client, session, server = connect(is_stored=False)
    client.say(b"held")
    events = server._note(server.endpoint.note_file_gone(server.now))
    assert events == [ApplicationData(session, b"held")]
    for _ in range(2 * RESERVED):
        assert server.send(session, b"x")
    say_all(client, 10)
    assert len(server.received) == 11
    assert server.endpoint.urgency is Urgency.NONE
    assert (session.ceiling, session.send_limit) == (UNLIMITED_CEILING, UNLIMITED_SENDING)


def test_handshake_made_without_a_file_waits_for_nothing() -> None:
    server = StoringServer()
    server.endpoint.note_file_gone(server.now)
    client, session, _ = connect(server, is_stored=False)
    assert client.say(b"x") == [ApplicationData(session, b"x")]
    server.endpoint.end_session(session, server.now)
    server.endpoint.note_file()
    assert server.endpoint.urgency is Urgency.NONE


def test_new_file_gets_every_session_and_limits_count_at_once() -> None:
    client, session, server = connect()
    server.endpoint.note_file_gone(server.now)
    server.disk.rows.clear()
    server.disk.journal.clear()
    say_all(client, 10)
    server.endpoint.note_file()
    assert session.ceiling == session.window.newest + AHEAD
    assert session.send_limit == session.next_sequence + RESERVED
    batch = server.begin_storing()
    assert batch.is_whole
    server.end_storing(batch)
    again = come_back(client, server)
    client.say(b"lost")
    client.say(b"lost")
    client.say(b"taken")
    again.store()
    assert again.received == [b"taken"]


def test_many_new_sessions_go_in_several_batches_and_none_gets_ahead_of_its_row() -> None:
    durability = Durability(Server().endpoint.counters, Resumables(10))
    sessions = [make_session(number) for number in range(FRESH_SESSIONS + 2)]
    for session in sessions:
        session.window.mark(0)
        durability.adopt(session)
    record = Record(23, 0xFEFD, 1, 9, b"", bytes(8), b"content")
    durability.hold(sessions[-1], record, ADDRESS)
    durability.ask(sessions[-2])
    first = durability.take(0.0, NOW_MS)
    assert (len(first.rows), first.is_whole) == (FRESH_SESSIONS, False)
    assert len(decode_entries(first.entries)) == FRESH_SESSIONS
    assert durability.saved(first) == []
    assert durability.urgency is Urgency.NOW
    second = durability.take(0.0, NOW_MS)
    assert (len(second.rows), second.is_whole) == (2, True)
    assert [held.session for held in durability.saved(second)] == [sessions[-1]]


def test_new_session_that_is_merely_busy_makes_no_hurry() -> None:
    durability = Durability(Server().endpoint.counters, Resumables(10))
    sessions = [make_session(number) for number in range(FRESH_SESSIONS + 1)]
    for session in sessions:
        durability.adopt(session)
    durability.dirty[sessions[-1].number] = sessions[-1]
    durability.take(0.0, NOW_MS)
    assert durability.urgency is Urgency.SOON


# --- sweeps


@pytest.mark.parametrize("count", [0, 1, SWEEP_SESSIONS, SWEEP_SESSIONS + 1])
def test_sweep_gives_every_session_an_entry_with_its_address(count: int) -> None:
    durability = Durability(Server().endpoint.counters, Resumables(10))
    sessions = [make_session(number) for number in range(count)]
    for session in sessions:
        session.send_limit = RESERVED
    durability.sweep(sessions)
    entries = []
    while durability.urgency:
        batch = durability.take(0.0, NOW_MS)
        entries += decode_entries(batch.entries)
        assert batch.ends_sweep is not bool(durability.urgency)
    assert [entry.number for entry in entries] == list(range(count))
    assert all(entry.address == session.address for entry, session in zip(entries, sessions, strict=True))


def test_session_whose_row_a_sweep_finds_to_say_too_much_has_its_entry_all_the_same() -> None:
    _, session, server = connect()
    server.endpoint._resumables.discard(session.session_id)
    server.endpoint.sweep()
    batch = server.begin_storing()
    assert batch.ends_sweep
    assert [entry.number for entry in decode_entries(batch.entries)] == [session.number]
    batch = server.begin_storing()
    assert [decode_session(row.state).master_secret for row in batch.rows] == [b""]
    assert server.endpoint.urgency is Urgency.NONE


def test_session_swept_before_it_heard_that_it_is_stored_has_its_ceiling() -> None:
    _, session, server = connect(is_stored=False)
    server.endpoint.sweep()
    server.disk.write(server.begin_storing())
    server.endpoint.sweep()
    (entry,) = decode_entries(server.begin_storing().entries)
    assert (entry.number, entry.ceiling) == (session.number, AHEAD)


def test_session_that_ends_before_its_row_is_rewritten_is_gone() -> None:
    _, session, server = connect()
    server.endpoint._resumables.discard(session.session_id)
    server.endpoint.sweep()
    server.begin_storing()
    server.endpoint.end_session(session, server.now)
    batch = server.begin_storing()
    assert (batch.rows, batch.gone) == ([], [session.number])


def test_sweep_passes_over_sessions_that_ended_meanwhile() -> None:
    _, session, server = connect()
    server.endpoint.sweep()
    server.endpoint.end_session(session, server.now)
    batch = server.begin_storing()
    assert (batch.entries, batch.gone, batch.ends_sweep) == (b"", [session.number], True)


def test_promise_to_a_session_that_ended_is_passed_over() -> None:
    client, session, server = connect()
    client.say(b"x")
    batch = server.begin_storing()
    before = session.ceiling
    server.endpoint.end_session(session, server.now)
    server.end_storing(batch)
    assert session.ceiling == before


# --- a clean stop


def test_clean_stop_leaves_no_gap() -> None:
    client, session, server = connect()
    say_all(client, 5)
    server.store()
    server.send(session, b"x")
    server.store()
    server.disk.journal += server.endpoint.last_entries()
    again = come_back(client, server)
    client.say(b"at once")
    again.store()
    assert again.received == [b"at once"]
    assert again.restored[0].next_sequence == session.next_sequence


def test_used_up_session_ends_in_silence() -> None:
    _, session, server = connect()
    session.next_sequence = session.send_limit = MAX_SEQUENCE
    assert not server.send(session, b"x")
    assert server.take() == []
    assert [event.reason for event in only(SessionEnded, server.pass_time(0))] == [SessionEnd.EXHAUSTED]


# --- sessions that are over and can be resumed


def leave(client: RawClient, server: StoringServer) -> Session:
    """The client closes its session; gives it."""
    (session,) = server.sessions
    client.send(client.sealed(ALERT, bytes((1, 0))))
    assert session.is_over
    return session


def test_row_of_a_session_that_was_closed_is_written_once_more_and_stays() -> None:
    client, session, server = connect()
    leave(client, server)
    assert server.endpoint.urgency is Urgency.SOON
    batch = server.begin_storing()
    assert [(row.session, decode_session(row.state).is_over) for row in batch.rows] == [(session, True)]
    assert (batch.gone, batch.entries, batch.promises) == ([], b"", [])
    server.end_storing(batch)
    assert server.endpoint.urgency is Urgency.NONE


def test_session_that_can_no_longer_be_resumed_goes_when_it_would_be_written() -> None:
    client, session, server = connect()
    leave(client, server)
    server.endpoint._resumables.discard(session.session_id)
    batch = server.begin_storing()
    assert (batch.rows, batch.gone) == ([], [session.number])


def test_sweep_finds_those_that_can_no_longer_be_resumed_and_no_others() -> None:
    client, session, server = connect()
    leave(client, server)
    server.store()
    for is_gone in (False, True):
        if is_gone:
            server.endpoint._resumables.discard(session.session_id)
        server.endpoint.sweep()
        server.store()
        assert (server.disk.rows == {}) is is_gone


@pytest.mark.parametrize(("passed_s", "resumption_s"), [(86_400.0, 86_400.0), (10.0, 0.0)])
def test_secret_that_is_good_for_nothing_after_a_start_leaves_the_disk(
    passed_s: float, resumption_s: float
) -> None:
    _, session, server = connect()
    config = replace(PERSISTING, resumption_s=resumption_s)
    again = StoringServer(server.disk, config, 1, server.now + passed_s)
    assert [each.number for each in again.restored] == [session.number]
    again.store()
    assert decode_session(again.disk.rows[session.number][1]).master_secret == b""


def test_secret_is_good_for_no_longer_than_a_start_says() -> None:
    _, session, server = connect()
    again = StoringServer(server.disk, replace(PERSISTING, resumption_s=60.0), 1, server.now)
    resumables = again.endpoint._resumables
    assert resumables.find(session.session_id, again.now + 59) is not None
    assert resumables.find(session.session_id, again.now + 60) is None


def test_session_that_finds_no_place_cannot_be_resumed_either() -> None:
    _, _, server = connect()
    client = RawClient(server, Hello(random=b"s" * 32).with_cid(), identity=b"other")
    server.psks[b"other"] = client.psk
    client.connect()
    server.store()
    again = StoringServer(server.disk, replace(PERSISTING, max_sessions=1))
    assert (len(again.restored), again.endpoint.resumable_count) == (1, 1)


def test_numbers_of_sessions_that_are_over_are_not_given_again() -> None:
    client, session, server = connect()
    leave(client, server)
    server.store()
    _, newer, _ = connect(server.crash())
    assert newer.number > session.number


def test_without_a_file_nothing_is_kept_of_them() -> None:
    client, _, server = connect()
    leave(client, server)
    server.endpoint.note_file_gone(server.now)
    assert server.endpoint.urgency is Urgency.NONE
