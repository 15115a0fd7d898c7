"""A crash at any moment: no nonce twice, nothing received twice, two records lost at most.

A real endpoint, a real client and a disk in memory, in every order that hypothesis thinks of. What the
client has seen stands for the wire.
"""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gateway.dtls.durability import AHEAD, Batch
from gateway.dtls.record import decode_records
from tests.support.dtls_pair import APPLICATION_DATA, Hello, RawClient
from tests.support.dtls_store import PERSISTING, StoringServer, without_cids


class Crashes(RuleBasedStateMachine):
    """One session, one disk, and a process that dies whenever it likes."""

    @initialize(has_cid=st.booleans())
    def establish(self, has_cid: bool) -> None:
        self.server = StoringServer(config=PERSISTING if has_cid else without_cids())
        self.client = RawClient(self.server, Hello().with_cid() if has_cid else Hello())
        self.client.connect()
        self.runs = 0
        self.batch: Batch | None = None
        self.sent: list[int] = []
        self.records: list[bytes] = []
        self.delivered: list[bytes] = []
        self.note_sent()
        # The Finished of the handshake.
        self.sent = [0]

    @property
    def session(self):  # type: ignore[no-untyped-def]
        sessions = self.server.endpoint.sessions_of(self.client.identity)
        return sessions[0] if sessions else None

    def note_sent(self) -> None:
        for datagram in [*self.client.replies, *self.server.take(self.client.address)]:
            for record in decode_records(datagram, 0):
                if record.epoch:
                    self.sent.append(record.sequence)
        self.client.replies = []
        self.delivered += self.server.received
        self.server.events.clear()

    @rule(skip=st.integers(0, 3), is_answered=st.booleans())
    def say(self, skip: int, is_answered: bool) -> None:
        """The client sends a record, after some that were lost, and it is answered if it got through."""
        self.client.protected_sequence += skip
        content = b"%d" % self.client.protected_sequence
        self.records.append(self.client.sealed(APPLICATION_DATA, content))
        before = len(self.delivered)
        self.client.send(self.records[-1])
        self.note_sent()
        if is_answered and len(self.delivered) > before:
            assert self.session.number in self.server.disk.rows, "answered before its row is on disk"
            self.server.send(self.session, b"answer")
        self.note_sent()

    @precondition(lambda self: self.records)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """Somebody sends an old record again."""
        self.client.send(data.draw(st.sampled_from(self.records)))
        self.note_sent()

    @precondition(lambda self: self.session is not None)
    @rule(count=st.integers(1, 40))
    def ask(self, count: int) -> None:
        """The gateway sends of its own accord."""
        for _ in range(count):
            self.server.send(self.session, b"request")
        self.note_sent()

    @precondition(lambda self: self.batch is None and self.server.endpoint.urgency)
    @rule()
    def begin_storing(self) -> None:
        self.batch = self.server.begin_storing()

    @precondition(lambda self: self.batch is not None)
    @rule()
    def end_storing(self) -> None:
        batch, self.batch = self.batch, None
        assert batch is not None
        self.server.end_storing(batch)
        self.note_sent()

    @rule()
    def sweep(self) -> None:
        self.server.endpoint.sweep()

    @rule(is_batch_stored=st.booleans())
    def crash(self, is_batch_stored: bool) -> None:
        """The process dies, and starts again; the batch under way is whole on the disk, or not there."""
        if self.batch is not None and is_batch_stored:
            self.server.disk.write(self.batch)
        self.batch = None
        self.runs += 1
        self.server = self.client.server = self.server.crash(self.runs)

    @precondition(lambda self: self.session is not None and self.batch is None)
    @rule()
    def go_on(self) -> None:
        """A confirmable message passes by its second retransmission, if it is stored what can be."""
        self.server.store()
        self.note_sent()
        for attempt in range(1 + AHEAD):
            before = len(self.delivered)
            self.say(0, is_answered=False)
            self.server.store()
            self.note_sent()
            if len(self.delivered) > before:
                return
            assert attempt < AHEAD, "lost once more than promised"

    @invariant()
    def nothing_is_repeated(self) -> None:
        if hasattr(self, "sent"):
            assert len(set(self.sent)) == len(self.sent), "a nonce was used twice"
            assert len(set(self.delivered)) == len(self.delivered), "a replay was accepted"


TestCrashes = Crashes.TestCase
TestCrashes.settings = settings(max_examples=60, stateful_step_count=40)
