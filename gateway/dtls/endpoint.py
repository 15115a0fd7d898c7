"""The server role: all peers of one socket, by connection ID or by address.

Knows which of its parts a record is for: the stateless front (`hello`), a handshake in progress
(`handshakes`, `server`), or a session (`traffic`). Knows no sockets, no clock and no keys but those
it was handed: datagrams, keys and the time are given; datagrams, events and the time of the next
timer are asked for.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final

from gateway.address import Address
from gateway.dtls.counters import Counters
from gateway.dtls.credential import Credential
from gateway.dtls.departed import Departed
from gateway.dtls.durability import Batch, Durability, Urgency
from gateway.dtls.errors import DecodeError
from gateway.dtls.events import CredentialAccepted, Event, SessionEnd
from gateway.dtls.handshakes import Handshakes
from gateway.dtls.hello import HelloFront, VerifiedHello
from gateway.dtls.journal import Entry
from gateway.dtls.messages import HandshakeType
from gateway.dtls.record import ContentType, Record, decode_records
from gateway.dtls.refusal import CredentialRefusal
from gateway.dtls.restoring import restore, restore_resumable
from gateway.dtls.resumption import Resumables
from gateway.dtls.sending import Outbox
from gateway.dtls.session import Session
from gateway.dtls.sessions import SessionTable
from gateway.dtls.settings import EndpointConfig
from gateway.dtls.storedstate import StoredSession
from gateway.dtls.traffic import Traffic

__all__ = ["Endpoint", "EndpointConfig"]

_TLS12_CID: Final = int(ContentType.TLS12_CID)
_HANDSHAKE: Final = int(ContentType.HANDSHAKE)
_ALERT: Final = int(ContentType.ALERT)
_APPLICATION_DATA: Final = int(ContentType.APPLICATION_DATA)
_CLIENT_HELLO: Final = int(HandshakeType.CLIENT_HELLO)
_CLIENT_KEY_EXCHANGE: Final = int(HandshakeType.CLIENT_KEY_EXCHANGE)
_SESSIONS_PER_ROW: Final = 10_000


class Endpoint:
    """Give it datagrams, answer its `PskRequested`, call `handle_timer` at `get_timer`.

    After each of these calls take `datagrams_to_send`. Nothing that a peer sends raises. *entropy*
    gives so many unguessable bytes; *now* is in monotonic seconds everywhere and never goes back.
    """

    def __init__(self, config: EndpointConfig, entropy: Callable[[int], bytes], now: float) -> None:
        self.counters = Counters()
        self._config = config
        self._entropy = entropy
        self._cid_length = config.cid_length
        self._outbox: Outbox = []
        self._sessions = SessionTable(config.max_sessions, config.stale_s)
        self._front = HelloFront(config, entropy, self.counters, now)
        self._resumables = resumables = Resumables(config.max_resumable)
        self._traffic = Traffic(config, entropy, self._sessions, resumables, self.counters, self._outbox)
        self._last_flights = self._traffic.last_flights
        # Asked for with every record of a session.
        self._find_by_cid = self._sessions.find_by_cid
        self._receive_traffic = self._traffic.receive
        self._handshakes = Handshakes(
            config, entropy, self.counters, self._traffic, self._sessions, resumables, self._outbox, now
        )

    @property
    def session_count(self) -> int:
        """Live sessions."""
        return len(self._sessions)

    @property
    def handshake_count(self) -> int:
        """Handshakes begun (after their cookie) and neither completed nor failed."""
        return len(self._handshakes)

    @property
    def resumable_count(self) -> int:
        """Identities that may go on with an earlier session."""
        return len(self._resumables)

    def receive_datagram(self, datagram: bytes, address: Address, now: float) -> Sequence[Event]:
        """What a datagram brings about. One that brings nothing about is counted, see `counters`."""
        try:
            records = decode_records(datagram, self._cid_length)
        except DecodeError:
            self.counters.malformed_datagrams += 1
            return ()
        if len(records) == 1:
            events = self._receive_record(records[0], address, True, now)
        else:
            events = self._receive_records(records, address, now)
        if self._last_flights.to_repeat is not None:
            self._last_flights.repeat()
        return events

    def provide_psk(
        self, handshake: int, psk: bytes | None, now: float, credential: bytes = b""
    ) -> Sequence[Event]:
        """Answer a `PskRequested`; None: there is no such identity, which the peer must not learn.

        *credential*: what the key rests on, at most 255 bytes, for `ResumptionRequested`. An answer that
        comes late, or twice, changes nothing.
        """
        return self._handshakes.provide_psk(handshake, psk, now, credential)

    def provide_credential(
        self, handshake: int, verdict: CredentialAccepted | CredentialRefusal, now: float
    ) -> Sequence[Event]:
        """Answer a `CertificatePresented` or a `RawPublicKeyPresented`.

        An answer that comes late, or twice, changes nothing.
        """
        return self._handshakes.provide_credential(handshake, verdict, now)

    def provide_resumption(self, handshake: int, is_welcome: bool, now: float) -> Sequence[Event]:
        """Answer a `ResumptionRequested`; who is not welcome is asked for a full handshake.

        An answer that comes late, or twice, changes nothing.
        """
        return self._handshakes.provide_resumption(handshake, is_welcome, now)

    def use_credential(self, credential: Credential | None) -> None:
        """Show *credential* in handshakes that begin from now on; None: no suites with certificates."""
        self._handshakes.use_credential(credential)

    def send(self, session: Session, data: bytes) -> bool:
        """Queue one record of application data for the newest address of *session*.

        False: the session is over, or has just ended because its record numbers are used up (the
        event follows by timer), or its address is new and may not get so much before it is confirmed.

        Raises:
            LocalProtocolError: *data* does not fit one record (16,384 bytes).
        """
        return self._traffic.send(session, data)

    def end_session(self, session: Session, now: float, notify: bool = True) -> Sequence[Event]:
        """End a session, with close_notify or silently; nothing happens to one that is over."""
        if session.is_over:
            return ()
        return (self._traffic.end(session, SessionEnd.ENDED, notify=notify),)

    def sessions_of(self, identity: bytes) -> Sequence[Session]:
        """Its live sessions, the older first; at most two."""
        return self._sessions.of_identity(identity)

    def end_sessions(self, identity: bytes, now: float) -> Sequence[Event]:
        """End everything that rests on the key of *identity*: sessions with close_notify, handshakes."""
        sessions = self._sessions.of_identity(identity)
        ended: list[Event] = [self._traffic.end(each, SessionEnd.ENDED, notify=True) for each in sessions]
        self._traffic.end_resumption(identity)
        return ended + self._handshakes.end_identity(identity)

    # --- sessions that outlive the process; only with `EndpointConfig.persist_sessions`

    @property
    def urgency(self) -> Urgency:
        """Whether a batch should be taken and stored."""
        durability = self._traffic.durability
        return Urgency.NONE if durability is None else durability.urgency

    def take_batch(self, now: float, wall_ms: int) -> Batch:
        """What is not stored yet, or some of it: to be stored in one transaction.

        One batch at a time: the next is taken after `note_saved`, or not before `note_file`.
        """
        return self._durability.take(now, wall_ms)

    def note_saved(self, batch: Batch, now: float) -> Sequence[Event]:
        """*batch* would survive a power cut: what waited for it."""
        return self._traffic.receive_held(self._durability.saved(batch), now)

    def sweep(self) -> None:
        """Give every session an entry in the batches to come; the one with `Batch.ends_sweep` is the last."""
        self._durability.sweep(self._sessions.all())

    def note_file_gone(self, now: float) -> Sequence[Event]:
        """What was stored will never be restored: sessions go on without waiting for anything."""
        return self._traffic.receive_held(self._durability.lift(self._sessions.all()), now)

    def note_file(self) -> None:
        """There is an empty store again; it counts from the batch with `Batch.is_whole` on."""
        self._durability.begin(self._sessions.all())

    def restore(
        self, identity: bytes, stored: StoredSession, entry: Entry, now: float, wall_ms: int
    ) -> Session | None:
        """Take in a session of an earlier run; None: it cannot be, and its row may go (`restoring`)."""
        self._handshakes.begin_after(entry.number)
        session = restore(identity, stored, entry, self._config, self._entropy, now, wall_ms)
        if session is None or not self._traffic.restore(session):
            return None
        if self._restore_secret(identity, stored, now, wall_ms):
            session.session_id = stored.session_id
        elif stored.session_id:
            self._durability.rewrite(session)
        return session

    def restore_resumable(
        self, number: int, identity: bytes, stored: StoredSession, now: float, wall_ms: int
    ) -> bool:
        """Let a session that ended in an earlier run be resumed; False: it cannot be, and its row may go."""
        self._handshakes.begin_after(number)
        if not self._restore_secret(identity, stored, now, wall_ms):
            return False
        self._durability.restore_departed(Departed(number, identity, stored.session_id))
        return True

    def _restore_secret(self, identity: bytes, stored: StoredSession, now: float, wall_ms: int) -> bool:
        resumable = restore_resumable(identity, stored, now, wall_ms)
        if resumable is None or not self._config.resumption_s:
            return False
        latest = now + self._config.resumption_s
        if resumable.expires_at > latest:
            resumable = resumable._replace(expires_at=latest)
        self._resumables.add(stored.session_id, resumable, now)
        return True

    def last_entries(self) -> Iterator[bytes]:
        """Rows that end the journal, once nothing is received or sent any more and all else is stored."""
        sessions = iter(list(self._sessions.all()))
        while some := list(islice(sessions, _SESSIONS_PER_ROW)):
            yield self._durability.finish(some)

    @property
    def _durability(self) -> Durability:
        durability = self._traffic.durability
        assert durability is not None, "sessions are not persisted"
        return durability

    def close(self, now: float, limit: int) -> None:
        """Forget all peers; the *limit* used latest get a close_notify. No events."""
        sessions = self._sessions.all()
        for session in list(islice(sessions, max(0, len(self._sessions) - limit))):
            self._traffic.end(session, SessionEnd.ENDED, notify=False)
        for session in list(sessions):
            self._traffic.end(session, SessionEnd.ENDED, notify=True)
        self._handshakes.clear()

    def get_timer(self) -> float | None:
        """When `handle_timer` is wanted; None: never, as things stand."""
        ours = self._handshakes.next_deadline()
        other = self._traffic.next_deadline()
        return other if ours is None else ours if other is None else min(ours, other)

    def handle_timer(self, now: float) -> Sequence[Event]:
        """Do what is due at *now*; harmless when nothing is."""
        return self._handshakes.handle_timer(now) + self._traffic.handle_timer(now)

    def datagrams_to_send(self) -> Sequence[tuple[bytes, Address]]:
        """What is to be sent since the last call, in order. Taken once."""
        datagrams = self._outbox.copy()
        self._outbox.clear()
        return datagrams

    def _receive_records(self, records: list[Record], address: Address, now: float) -> Sequence[Event]:
        events: list[Event] = []
        handshake = self._handshakes.find_by_address(address)
        if handshake is not None:
            handshake.begin_datagram()
        first_cid = b""
        for record in records:
            cid = record.cid
            if cid and first_cid and cid != first_cid:
                self.counters.mixed_connection_ids += 1
                continue
            first_cid = first_cid or cid
            events += self._receive_record(record, address, False, now)
        return events

    def _receive_record(
        self, record: Record, address: Address, is_alone: bool, now: float
    ) -> Sequence[Event]:
        epoch = record.epoch
        if record.content_type == _TLS12_CID:
            session = self._find_by_cid(record.cid)
            if session is not None and epoch == 1:
                return self._receive_traffic(session, record, address, now)
            return self._receive_early_cid(record, address, is_alone, now)
        if epoch == 1:
            return self._receive_legacy(record, address, is_alone, now)
        if not epoch:
            return self._receive_clear(record, address, is_alone, now)
        self.counters.bad_epoch += 1
        return ()

    def _receive_early_cid(
        self, record: Record, address: Address, is_alone: bool, now: float
    ) -> Sequence[Event]:
        if record.epoch != 1:
            self.counters.bad_epoch += 1
            return ()
        handshake = self._handshakes.find_by_cid(record.cid)
        if handshake is None or handshake.address != address:
            self.counters.unknown_connection_id += 1
            return ()
        return self._handshakes.receive(handshake, record, is_alone, now)

    def _receive_legacy(
        self, record: Record, address: Address, is_alone: bool, now: float
    ) -> Sequence[Event]:
        session = self._sessions.find_by_address(address)
        handshake = self._handshakes.find_by_address(address)
        # A Finished is for the handshake; whatever else comes meanwhile, for the session that lives on.
        if handshake is not None and (session is None or record.content_type == _HANDSHAKE):
            return self._handshakes.receive(handshake, record, is_alone, now)
        if session is not None:
            return self._traffic.receive(session, record, address, now)
        self.counters.unknown_peer += 1
        return ()

    def _receive_clear(self, record: Record, address: Address, is_alone: bool, now: float) -> Sequence[Event]:
        content_type = record.content_type
        message_type = record.fragment[0] if content_type == _HANDSHAKE and record.fragment else None
        if message_type == _CLIENT_HELLO:
            return self._receive_hello(record, address, is_alone, now)
        handshake = self._handshakes.find_by_address(address)
        if handshake is not None:
            return self._handshakes.receive(handshake, record, is_alone, now)
        if content_type == _APPLICATION_DATA:
            self.counters.clear_application_data += 1
        elif content_type == _ALERT:
            self.counters.alerts_ignored += 1
        elif message_type != _CLIENT_KEY_EXCHANGE or not self._last_flights.receive_exchange(address):
            self.counters.unknown_peer += 1
        return ()

    def _receive_hello(self, record: Record, address: Address, is_alone: bool, now: float) -> Sequence[Event]:
        if not is_alone:
            self.counters.hello_not_alone += 1
            return ()
        result = self._front.receive(record, address, now)
        if isinstance(result, VerifiedHello):
            return self._handshakes.begin(result, address, now)
        if result is not None:
            self._outbox.append((result, address))
        return ()
