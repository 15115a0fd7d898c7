"""Several devices, one disk: sessions come and go, are replaced and taken back; file and process are lost.

What the disk holds must be what the engine has, as soon as all is stored, and what a start makes of it the
same again. No number is sent twice and no record taken twice, whatever happened before.
"""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.address import Address
from gateway.dtls import durability
from gateway.dtls.durability import Batch
from gateway.dtls.events import SessionEnded, SessionEstablished
from gateway.dtls.record import decode_records
from gateway.dtls.session import Session
from gateway.dtls.storedstate import decode_session
from tests.support.dtls_pair import ALERT, APPLICATION_DATA, Hello, RawClient, only
from tests.support.dtls_store import PERSISTING, Store, StoringServer

IDENTITIES = {name: name * 16 for name in (b"a", b"b")}
ADDRESSES = [Address("192.0.2.1", 40_000 + number) for number in range(3)]
CONFIG = replace(PERSISTING, max_sessions=4, stale_s=50.0, resumption_s=1_000.0, last_flight_s=10.0)


class Fleet(RuleBasedStateMachine):
    """Two devices that come again and again, from three addresses."""

    def __init__(self) -> None:
        super().__init__()
        self.small = [patch.object(durability, name, 1) for name in ("FRESH_SESSIONS", "SWEEP_SESSIONS")]
        for each in self.small:
            each.start()
        self.server = StoringServer(config=CONFIG)
        self.server.psks = IDENTITIES
        self.clients: list[RawClient] = []
        self.batch: Batch | None = None
        self.has_file = True
        self.is_whole = True
        self.swept_to: int | None = None
        self.runs = 0
        self.sent: list[tuple[int, int]] = []
        self.records: list[bytes] = []
        self.delivered: list[bytes] = []
        self.over: set[bytes] = set()
        "Keys of sessions whose end was told."

        self.buried: set[bytes] = set()
        "Of those the ones whose end is on disk."

    def teardown(self) -> None:
        for each in self.small:
            each.stop()

    @property
    def sessions(self) -> list[Session]:
        return list(self.server.endpoint._sessions.all())

    def note(self) -> None:
        """Look at the wire, and at what was told."""
        datagrams = [datagram for datagram, _ in self.server.outbox]
        for client in self.clients:
            datagrams += client.replies
            client.replies = []
        self.server.outbox.clear()
        for datagram in datagrams:
            for record in decode_records(datagram, 0):
                if record.epoch:
                    self.sent.append((self.owner_of(record), record.sequence))
        self.delivered += self.server.received
        self.over |= {event.session.keys for event in only(SessionEnded, self.server.events)}
        self.server.events.clear()

    def owner_of(self, record) -> int:  # type: ignore[no-untyped-def]
        opened = [bool(client.opener and client.opener.open(record)) for client in self.clients]
        return opened.index(True)

    @rule(name=st.sampled_from(sorted(IDENTITIES)), at=st.sampled_from(ADDRESSES), has_cid=st.booleans())
    def connect(self, name: bytes, at: Address, has_cid: bool) -> None:
        hello = Hello(random=len(self.clients).to_bytes(32, "big"))
        client = RawClient(
            self.server,
            hello.with_cid() if has_cid else hello,
            identity=name,
            psk=IDENTITIES[name],
            address=at,
        )
        self.clients.append(client)
        client.begin()
        events = client.finish()
        for event in only(SessionEstablished, events):
            assert event.session.keys not in self.over
        self.note()

    @precondition(lambda self: self.clients)
    @rule(data=st.data(), skip=st.integers(0, 3), at=st.sampled_from([None, *ADDRESSES]))
    def say(self, data: st.DataObject, skip: int, at: Address | None) -> None:
        client = data.draw(st.sampled_from(self.clients[-6:]))
        client.protected_sequence += skip
        self.records.append(client.sealed(APPLICATION_DATA, b"%d" % len(self.records)))
        client.send(self.records[-1], address=at)
        self.note()

    @precondition(lambda self: self.records)
    @rule(data=st.data(), at=st.sampled_from(ADDRESSES))
    def repeat(self, data: st.DataObject, at: Address) -> None:
        self.server.give(data.draw(st.sampled_from(self.records[-20:])), at)
        self.note()

    @precondition(lambda self: self.sessions)
    @rule(data=st.data(), count=st.integers(1, 40))
    def ask(self, data: st.DataObject, count: int) -> None:
        session = data.draw(st.sampled_from(self.sessions))
        for _ in range(count):
            self.server.send(session, b"request")
        self.note()

    @precondition(lambda self: self.clients)
    @rule(data=st.data())
    def close(self, data: st.DataObject) -> None:
        """A client says that it goes."""
        client = data.draw(st.sampled_from(self.clients[-6:]))
        client.send(client.sealed(ALERT, b"\1\0"))
        self.note()

    @rule(name=st.sampled_from(sorted(IDENTITIES)))
    def take_back(self, name: bytes) -> None:
        """An administrator ends whatever rests on a key."""
        self.server._note(self.server.endpoint.end_sessions(name, self.server.now))
        assert not self.server.endpoint.sessions_of(name)
        self.note()

    @rule(seconds=st.sampled_from([1, 60, 2_000]))
    def wait(self, seconds: int) -> None:
        self.server.pass_time(seconds)
        self.note()

    # --- the disk

    def write(self, batch: Batch) -> None:
        self.server.disk.write(batch)
        self.is_whole = self.is_whole or batch.is_whole
        if batch.ends_sweep:
            assert self.swept_to is not None
            del self.server.disk.journal[: self.swept_to]
            self.swept_to = None

    @precondition(lambda self: self.batch is None and self.server.endpoint.urgency)
    @rule()
    def begin_storing(self) -> None:
        self.batch = self.server.begin_storing()

    @precondition(lambda self: self.batch is not None)
    @rule()
    def end_storing(self) -> None:
        batch, self.batch = self.batch, None
        assert batch is not None
        self.write(batch)
        self.server._note(self.server.endpoint.note_saved(batch, self.server.now))
        self.note()

    @precondition(lambda self: self.batch is None and self.has_file and self.swept_to is None)
    @rule()
    def sweep(self) -> None:
        self.swept_to = len(self.server.disk.journal)
        self.server.endpoint.sweep()

    @precondition(lambda self: self.batch is None and self.has_file)
    @rule()
    def store_all(self) -> None:
        """With everything stored, the disk holds what there is, and no more."""
        while self.server.endpoint.urgency:
            self.begin_storing()
            self.end_storing()
        living = {session.number: session for session in self.sessions}
        rows = {number: decode_session(state) for number, (_, state) in self.server.disk.rows.items()}
        assert {number for number, stored in rows.items() if not stored.is_over} == living.keys()
        entries = self.server.disk.entries()
        for number, session in living.items():
            is_resumable = self.server.endpoint._resumables.find(session.session_id, self.server.now)
            assert rows[number].session_id == session.session_id or not is_resumable
            assert rows[number].session_id in (b"", session.session_id)
            assert entries[number].send_limit == session.send_limit
            assert entries[number].ceiling == session.ceiling
            assert entries[number].address == session.confirmed_address
        for number in rows.keys() - living.keys():
            assert rows[number].session_id in self.server.endpoint._resumables._entries
            assert rows[number].keys not in {session.keys for session in self.sessions}
        self.buried |= self.over

    @precondition(lambda self: self.batch is None and self.has_file)
    @rule()
    def lose_file(self) -> None:
        self.has_file = False
        self.is_whole = False
        self.swept_to = None
        self.server.disk = Store()
        self.server._note(self.server.endpoint.note_file_gone(self.server.now))
        self.note()

    @precondition(lambda self: not self.has_file)
    @rule()
    def make_file(self) -> None:
        self.has_file = True
        self.server.endpoint.note_file()

    # --- the process

    def start(self) -> None:
        self.runs += 1
        self.batch = self.swept_to = None
        if not self.is_whole:
            self.server.disk = Store()
        self.has_file = self.is_whole = True
        self.server = self.server.crash(self.runs)
        self.server.psks = IDENTITIES
        for client in self.clients:
            client.server = self.server
        self.over = set(self.buried)
        restored = {session.number for session in self.server.restored}
        for number, (_, state) in [*self.server.disk.rows.items()]:
            stored = decode_session(state)
            is_resumable = stored.session_id in self.server.endpoint._resumables._entries
            if number not in restored and not (stored.is_over and is_resumable):
                # What the keeper does with rows of no use.
                del self.server.disk.rows[number]
        assert not self.buried & {session.keys for session in self.server.restored}

    @rule(is_batch_stored=st.booleans())
    def crash(self, is_batch_stored: bool) -> None:
        if self.batch is not None and is_batch_stored:
            self.write(self.batch)
        self.start()

    @precondition(lambda self: self.batch is None and self.has_file)
    @rule()
    def crash_with_all_stored(self) -> None:
        self.store_all()
        before = {session.number: session.keys for session in self.sessions}
        resumable = self.server.endpoint.resumable_count
        self.start()
        assert {session.number: session.keys for session in self.sessions} == before
        assert self.server.endpoint.resumable_count <= resumable

    @precondition(lambda self: self.batch is None and self.has_file)
    @rule()
    def stop(self) -> None:
        """As the keeper does it."""
        while self.server.endpoint.urgency:
            self.write(self.server.begin_storing())
        self.server.disk.journal += self.server.endpoint.last_entries()
        before = {session.number: session.next_sequence for session in self.sessions}
        self.start()
        assert {session.number: session.next_sequence for session in self.sessions} == before

    @invariant()
    def nothing_is_repeated(self) -> None:
        assert len(set(self.sent)) == len(self.sent), "a nonce was used twice"
        assert len(set(self.delivered)) == len(self.delivered), "a replay was accepted"


TestFleet = Fleet.TestCase
TestFleet.settings = settings(max_examples=60, stateful_step_count=50)
