"""The sessions of one endpoint at work: what records do to them, and when they end.

Decides on replays, forgeries, alerts and renegotiation, and which session gives way to which. What follows
from a new address is for `paths`, what may leave for `sending`, last flights for `lastflights`. Knows no
handshake in progress.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from gateway.address import Address
from gateway.dtls.aboveceiling import HeldRecord
from gateway.dtls.alerts import (
    CLOSE_NOTIFY,
    Alert,
    AlertDescription,
    AlertLevel,
    decode_alert,
    encode_alert,
)
from gateway.dtls.counters import Counters
from gateway.dtls.durability import Durability
from gateway.dtls.errors import DecodeError
from gateway.dtls.events import ApplicationData, Event, SessionEnd, SessionEnded
from gateway.dtls.lastflights import LastFlights
from gateway.dtls.messages import HandshakeType, decode_fragments
from gateway.dtls.paths import Paths
from gateway.dtls.record import (
    DTLS_1_2,
    MAX_PLAINTEXT_BYTES,
    MAX_SEQUENCE,
    ContentType,
    Record,
)
from gateway.dtls.resumption import Resumables
from gateway.dtls.sending import Outbox, Sender
from gateway.dtls.session import Session
from gateway.dtls.sessions import SessionTable
from gateway.dtls.settings import EndpointConfig
from gateway.dtls.timers import Deadlines

_APPLICATION_DATA: Final = int(ContentType.APPLICATION_DATA)
_ALERT: Final = int(ContentType.ALERT)
_HANDSHAKE: Final = int(ContentType.HANDSHAKE)
_ROUTABILITY: Final = int(ContentType.RETURN_ROUTABILITY_CHECK)
_NO_RENEGOTIATION: Final = encode_alert(Alert(AlertLevel.WARNING, AlertDescription.NO_RENEGOTIATION))
_CLOSE_NOTIFY: Final = encode_alert(CLOSE_NOTIFY)

_RESUMABLE_ENDS: Final = frozenset((SessionEnd.CLOSE_NOTIFY, SessionEnd.EVICTED, SessionEnd.EXHAUSTED))
"After which a client may still go on by its session id."


class Traffic:
    """The sessions of one endpoint at work."""

    __slots__ = (
        "_config",
        "_counters",
        "_dirty",
        "_ended",
        "_expiries",
        "_expiring",
        "_paths",
        "_resumables",
        "_sender",
        "_table",
        "durability",
        "last_flights",
    )

    def __init__(
        self,
        config: EndpointConfig,
        entropy: Callable[[int], bytes],
        table: SessionTable,
        resumables: Resumables,
        counters: Counters,
        outbox: Outbox,
    ) -> None:
        self._config = config
        self._table = table
        self._resumables = resumables
        self._counters = counters
        durability = Durability(counters, resumables) if config.persist_sessions else None
        sender = Sender(config, durability, counters, outbox)
        self.durability = durability
        self.last_flights = LastFlights(config.last_flight_s, sender, counters, outbox)
        self._sender = sender
        self._paths = Paths(config, entropy, sender, durability, counters, outbox)
        self._ended: list[Event] = []
        self._dirty = None if self.durability is None else self.durability.dirty
        self._expiries = Deadlines()
        self._expiring: dict[int, Session] = {}
        "By number: the sessions that rest on a certificate."

    # --- from the peer

    def receive(self, session: Session, record: Record, address: Address, now: float) -> Sequence[Event]:
        """A record of epoch 1 that names *session*, by connection ID or by its address."""
        sequence = record.sequence
        if not session.window.is_fresh(sequence):
            self._counters.replayed_records += 1
            return ()
        if record.version != DTLS_1_2:
            self._counters.bad_version += 1
            return ()
        if session.muted_until > now and not _is_own_address(session, address):
            self._counters.muted_records += 1
            return ()
        opened = session.opener.open(record)
        if opened is None:
            return self._receive_forgery(session, now)
        if sequence > session.ceiling:
            self._hold(session, record, address)
            return ()
        is_newest = session.window.mark(sequence)
        if is_newest and self._dirty is not None:
            self._dirty[session.number] = session
        session.bad_records = 0
        self._table.touch(session, now)
        if address != session.address:
            if is_newest:
                self._paths.move(session, address, record, opened, now)
        elif session.path is not None:
            self._paths.hear_again(session, session.path, record)
        content_type, content = opened
        if content_type != _APPLICATION_DATA:
            if content_type == _ROUTABILITY and session.check_s is not None:
                self._paths.receive_message(session, content, record, address)
                return ()
            return self._receive_other(session, content_type, content)
        # Not by ApplicationData(...): that constructor is a function in Python.
        data = (tuple.__new__(ApplicationData, (session, content)),) if content else ()
        return data if session.is_confirmed else [*self._confirm(session), *data]

    # --- from the owner

    def send(self, session: Session, data: bytes) -> bool:
        """One record of application data; False: over, used up, or more than its address may get now."""
        if session.is_over:
            return False
        if session.next_sequence >= MAX_SEQUENCE:
            self._counters.sessions_exhausted += 1
            self._ended.append(self.end(session, SessionEnd.EXHAUSTED, notify=True))
            return False
        if session.max_content_bytes < len(data) <= MAX_PLAINTEXT_BYTES:
            self._counters.sends_over_limit += 1
            return False
        return self._sender.transmit(session, _APPLICATION_DATA, data)

    def end(self, session: Session, reason: SessionEnd, *, notify: bool) -> SessionEnded:
        """Let go of a session that is not over yet, with or without telling the peer."""
        if notify:
            self._sender.transmit(session, _ALERT, _CLOSE_NOTIFY)
        session.is_over = True
        if reason not in _RESUMABLE_ENDS:
            self._resumables.discard(session.session_id)
        self.last_flights.forget(session)
        if session.expires_at is not None:
            self._expiries.cancel(session.number)
            self._expiring.pop(session.number, None)
        self._paths.end_check(session)
        self._table.remove(session)
        if self.durability is not None:
            self.durability.drop(session, can_be_resumed=reason in _RESUMABLE_ENDS)
        return SessionEnded(session, reason)

    def end_resumption(self, identity: bytes) -> None:
        """Nobody goes on with an earlier session of *identity*; one that lives is left alone."""
        self._resumables.end_identity(identity)
        for session in self._table.of_identity(identity):
            self._forget_secret(session)
        if self.durability is not None:
            self.durability.forget(identity)

    def adopt(self, session: Session) -> list[Event] | None:
        """Take in a session whose handshake is complete: who must go for it; None: there is no room."""
        table = self._table
        events: list[Event] = []
        for other in table.of_identity(session.identity):
            # What can be resumed of this identity is the newcomer.
            self._forget_secret(other)
        at_address = table.find_by_address(session.address)
        if at_address is not None:
            events.append(self._supersede(at_address))
        surplus = table.surplus_of(session.identity)
        if surplus is not None:
            events.append(self._supersede(surplus))
        if table.is_full:
            own = table.of_identity(session.identity)
            if own:
                events.append(self._supersede(own[0]))
            else:
                stale = table.find_stale(session.established_at)
                if stale is None:
                    self._counters.sessions_refused += 1
                    return None
                self._counters.sessions_evicted += 1
                events.append(self.end(stale, SessionEnd.EVICTED, notify=False))
        self._add(session)
        if self.durability is not None:
            self.durability.adopt(session)
        self.last_flights.keep(session)
        return events

    def restore(self, session: Session) -> bool:
        """Take in a session of an earlier run; False: there is no room, or its place is taken."""
        table = self._table
        is_taken = table.find_by_cid(session.cid) if session.cid else table.find_by_address(session.address)
        if is_taken or table.is_full or len(table.of_identity(session.identity)) > 1:
            return False
        self._add(session)
        self._counters.sessions_restored += 1
        return True

    def receive_held(self, held: Sequence[HeldRecord], now: float) -> Sequence[Event]:
        """Records that waited for the disk, and need to no more."""
        events: list[Event] = []
        for session, record, address in held:
            if not session.is_over:
                events += self.receive(session, record, address, now)
                if self.last_flights.to_repeat is not None:
                    self.last_flights.repeat()
        return events

    # --- time

    def next_deadline(self) -> float | None:
        """When `handle_timer` is wanted; long past, when an end waits to be told."""
        if self._ended:
            return 0.0
        earliest = _earlier(self._paths.next_deadline(), self._expiries.next_at())
        flight_due_at = self.last_flights.due_at
        return earliest if flight_due_at is None else _earlier(earliest, flight_due_at)

    def handle_timer(self, now: float) -> list[Event]:
        """Do what is due: free last flights, challenge again or give up, tell who ended while sending."""
        self.last_flights.handle_timer(now)
        self._paths.handle_timer(now)
        ended, self._ended = self._ended, []
        for number in self._expiries.pop_due(now):
            ended.append(self.end(self._expiring[number], SessionEnd.EXPIRED, notify=True))
        return ended

    # --- inside

    def _add(self, session: Session) -> None:
        self._table.add(session)
        if session.expires_at is not None:
            self._expiries.set(session.number, session.expires_at)
            self._expiring[session.number] = session

    def _forget_secret(self, session: Session) -> None:
        if self.durability is not None and session.session_id:
            self.durability.rewrite(session)
        session.session_id = b""

    def _hold(self, session: Session, record: Record, address: Address) -> None:
        assert self.durability is not None, "nothing else sets a ceiling"
        self.durability.hold(session, record, address)

    def _receive_forgery(self, session: Session, now: float) -> Sequence[Event]:
        self._counters.bad_records += 1
        session.forgeries += 1
        session.bad_records += 1
        config = self._config
        if session.forgeries >= min(config.max_forgeries, session.opener.max_forgeries):
            self._counters.sessions_bad_records += 1
            return (self.end(session, SessionEnd.BAD_RECORDS, notify=True),)
        if session.bad_records >= config.max_bad_records:
            session.bad_records = 0
            session.muted_until = now + config.bad_record_mute_s
        return ()

    def _confirm(self, session: Session) -> list[Event]:
        session.is_confirmed = True
        if self.durability is not None:
            self.durability.ask(session)
        self.last_flights.forget(session)
        sessions = self._table.of_identity(session.identity)
        return [self._supersede(older) for older in sessions[: sessions.index(session)]]

    def _receive_other(self, session: Session, content_type: int, content: bytes) -> Sequence[Event]:
        if content_type == _ALERT:
            return self._receive_alert(session, content)
        if content_type == _HANDSHAKE:
            self._receive_handshake(session, content)
        else:
            self._counters.unexpected_records += 1
        return ()

    def _receive_alert(self, session: Session, content: bytes) -> Sequence[Event]:
        try:
            alert = decode_alert(content)
        except DecodeError:
            self._counters.malformed_messages += 1
            return ()
        if alert.is_close:
            return (self.end(session, SessionEnd.CLOSE_NOTIFY, notify=True),)
        if alert.is_fatal:
            return (self.end(session, SessionEnd.PEER_ALERT, notify=False),)
        self._counters.alerts_ignored += 1
        return ()

    def _receive_handshake(self, session: Session, content: bytes) -> None:
        try:
            message_type = decode_fragments(content)[0].message_type
        except DecodeError:
            self._counters.malformed_messages += 1
            return
        if message_type == HandshakeType.FINISHED and session.last_flight is not None:
            self.last_flights.to_repeat = session
        elif message_type == HandshakeType.CLIENT_HELLO:
            self._counters.renegotiations_refused += 1
            self._sender.transmit(session, _ALERT, _NO_RENEGOTIATION)
        else:
            self._counters.unexpected_messages += 1

    def _supersede(self, session: Session) -> SessionEnded:
        self._counters.sessions_superseded += 1
        return self.end(session, SessionEnd.SUPERSEDED, notify=False)


def _earlier(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _is_own_address(session: Session, address: Address) -> bool:
    return address == session.address or (session.path is not None and address == session.path.confirmed)
