"""Negative catalogue: sessions restored from a state older than the wire, or changed (D18, E9)."""

from __future__ import annotations

from random import Random

import pytest

from gateway.dtls.durability import RESERVED
from gateway.dtls.errors import DecodeError
from gateway.dtls.events import ApplicationData
from gateway.dtls.journal import decode_entries, encode_entry
from gateway.dtls.record import decode_records
from gateway.dtls.session import Session
from gateway.dtls.storedstate import decode_session
from tests.support.dtls_pair import APPLICATION_DATA, Hello, RawClient, only
from tests.support.dtls_store import Store, StoringServer

OWN_CID = b"peer"


def connected(server: StoringServer | None = None) -> tuple[RawClient, StoringServer]:
    server = server or StoringServer()
    client = RawClient(server, Hello().with_cid(OWN_CID))
    client.connect()
    server.store()
    return client, server


def numbers_sent(server: StoringServer, client: RawClient) -> list[int]:
    """The record numbers of all that the server sent under the keys of *client* since the last call."""
    datagrams = [*client.replies, *server.take(client.address)]
    client.replies = []
    records = [record for datagram in datagrams for record in decode_records(datagram, len(OWN_CID))]
    return [record.sequence for record in records if record.epoch == 1]


def session_of(server: StoringServer) -> Session:
    """The one session that there is, restored or not."""
    (session,) = [*server.restored, *server.sessions][:1]
    return session


@pytest.mark.parametrize("seed", range(20))
def test_D18_no_nonce_is_used_twice_and_no_record_counts_twice_however_often_it_crashes(seed: int) -> None:
    chance = Random(seed)
    client, server = connected()
    sent = numbers_sent(server, client)
    records: list[bytes] = []
    delivered: list[bytes] = []
    for run in range(1, 12):
        for number in range(chance.randrange(1, 40)):
            records.append(client.sealed(APPLICATION_DATA, b"%d/%d" % (run, number)))
            for datagram in chance.sample(records, min(3, len(records))):
                delivered += [event.data for event in only(ApplicationData, client.send(datagram))]
                sent += numbers_sent(server, client)
            if chance.random() < 0.5:
                delivered += [event.data for event in only(ApplicationData, server.store())]
            for _ in range(chance.randrange(4)):
                server.send(session_of(server), b"answer")
            sent += numbers_sent(server, client)
        server = server.crash(run)
        client.server = server
    assert len(set(sent)) == len(sent) > 20
    assert len(set(delivered)) == len(delivered) > 20


def test_D18_nothing_that_was_taken_before_a_crash_is_taken_after_it() -> None:
    client, server = connected()
    records = [client.sealed(APPLICATION_DATA, b"%d" % number) for number in range(200)]
    for record in records:
        client.send(record)
        server.store()
    client.server = server = server.crash()
    for record in records:
        assert client.send(record) == []
    assert server.count("replayed_records") == len(records)
    for _ in range(3):
        client.say(b"new")
    assert [event.data for event in only(ApplicationData, server.store())] == [b"new"]


def test_D18_at_most_two_records_are_lost_to_a_crash() -> None:
    client, server = connected()
    client.say(b"before")
    server.store()
    client.server = server = server.crash()
    lost = 0
    while not only(ApplicationData, [*client.say(b"after"), *server.store()]):
        lost += 1
    assert lost <= 2


def test_D18_a_crash_skips_numbers_and_repeats_none() -> None:
    client, server = connected()
    client.say(b"x")
    server.store()
    for run in range(1, 6):
        before = session_of(server).next_sequence
        server = server.crash(run)
        (session,) = server.restored
        assert before <= session.next_sequence <= before + RESERVED


def rows_of(server: StoringServer) -> tuple[int, bytes, bytes]:
    ((number, (identity, state)),) = server.disk.rows.items()
    return number, identity, state


def test_E9_stored_session_cut_off_anywhere_is_not_read() -> None:
    _, server = connected()
    _, _, state = rows_of(server)
    for length in range(len(state)):
        with pytest.raises(DecodeError):
            decode_session(state[:length])
    with pytest.raises(DecodeError):
        decode_session(state + b"\0")


def test_E9_journal_cut_off_within_an_entry_is_not_read() -> None:
    client, server = connected()
    client.say(b"x")
    server.store()
    row = max(server.disk.journal, key=len)
    assert decode_entries(row)
    for length in range(1, min(len(row), 18)):
        with pytest.raises(DecodeError):
            decode_entries(row[:length])


@pytest.mark.parametrize("seed", range(300))
def test_E9_changed_state_is_refused_or_leads_to_a_session_that_nobody_can_use(seed: int) -> None:
    chance = Random(seed)
    client, server = connected()
    number, identity, state = rows_of(server)
    changed = bytearray(state)
    changed[chance.randrange(len(changed))] ^= 1 << chance.randrange(8)
    disk = Store({number: (identity, bytes(changed))}, list(server.disk.journal))
    try:
        again = StoringServer(disk, run=1)
    except DecodeError:
        return
    client.server = again
    heard = only(ApplicationData, [*client.say(b"mine", 1_000), *again.store()])
    assert all(event.data == b"mine" for event in heard)
    fresh = RawClient(again, Hello(random=b"f" * 32).with_cid(OWN_CID))
    fresh.connect()


def test_E9_a_journal_that_names_no_address_restores_nothing() -> None:
    _, server = connected()
    entries = server.disk.entries()
    (number,) = entries
    server.disk.journal[:] = []
    assert entries[number].address is not None
    row = entries[number]._replace(address=None)
    server.disk.journal.append(encode_entry(*row))
    assert server.crash().restored == []
