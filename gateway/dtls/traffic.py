"""What records do to established sessions, and what sessions send.

Decides on replays, forgeries, moved addresses, alerts and renegotiation. Owns the last flights of
fresh sessions. Knows no handshake in progress.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

from gateway.address import Address
from gateway.dtls.alerts import (
    CLOSE_NOTIFY,
    Alert,
    AlertDescription,
    AlertLevel,
    decode_alert,
    encode_alert,
)
from gateway.dtls.counters import Counters
from gateway.dtls.durability import ASK_AT, Durability, HeldRecord
from gateway.dtls.errors import DecodeError
from gateway.dtls.events import ApplicationData, Event, SessionEnd, SessionEnded
from gateway.dtls.messages import HandshakeType, decode_fragments
from gateway.dtls.pathchecks import PathChecks
from gateway.dtls.record import (
    CHANGE_CIPHER_SPEC_BODY,
    DTLS_1_2,
    HEADER_BYTES,
    MAX_PLAINTEXT_BYTES,
    MAX_SEQUENCE,
    ContentType,
    Record,
    encode_record,
)
from gateway.dtls.resumption import Resumables
from gateway.dtls.routability import (
    RoutabilityMessage,
    RoutabilityType,
    decode_routability_message,
    encode_routability_message,
)
from gateway.dtls.session import Session, UnconfirmedPath
from gateway.dtls.sessions import SessionTable
from gateway.dtls.settings import EndpointConfig
from gateway.dtls.timers import Deadlines

Outbox = list[tuple[bytes, Address]]

_APPLICATION_DATA: Final = int(ContentType.APPLICATION_DATA)
_ALERT: Final = int(ContentType.ALERT)
_HANDSHAKE: Final = int(ContentType.HANDSHAKE)
_ROUTABILITY: Final = int(ContentType.RETURN_ROUTABILITY_CHECK)
_NO_RENEGOTIATION: Final = encode_alert(Alert(AlertLevel.WARNING, AlertDescription.NO_RENEGOTIATION))
_PATH_RESPONSE: Final = bytes((RoutabilityType.PATH_RESPONSE,))
_CLOSE_NOTIFY: Final = encode_alert(CLOSE_NOTIFY)


_RESUMABLE_ENDS: Final = frozenset((SessionEnd.CLOSE_NOTIFY, SessionEnd.EVICTED, SessionEnd.EXHAUSTED))
"After which a client may still go on by its session id."


class Traffic:
    """The sessions of one endpoint at work."""

    __slots__ = (
        "_checks",
        "_config",
        "_counters",
        "_dirty",
        "_ended",
        "_expiries",
        "_expiring",
        "_last_flights",
        "_outbox",
        "_resumables",
        "_table",
        "durability",
        "to_repeat",
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
        self._checks = PathChecks(entropy)
        self._config = config
        self._table = table
        self._resumables = resumables
        self._counters = counters
        self._outbox = outbox
        # By the address of the handshake; in the order of their deadlines, for all live equally long.
        self._last_flights: OrderedDict[Address, Session] = OrderedDict()
        self.to_repeat: Session | None = None
        "Whose last flight `end_datagram` is to send again."

        self._ended: list[Event] = []
        self.durability = Durability(counters, resumables) if config.persist_sessions else None
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
                self._move(session, address, record, opened, now)
        elif session.path is not None:
            self._hear_again(session, session.path, record)
        content_type, content = opened
        if content_type != _APPLICATION_DATA:
            if content_type == _ROUTABILITY and session.check_s is not None:
                self._receive_routability(session, content, record, address)
                return ()
            return self._receive_other(session, content_type, content)
        # Not by ApplicationData(...): that constructor is a function in Python.
        data = (tuple.__new__(ApplicationData, (session, content)),) if content else ()
        return data if session.is_confirmed else [*self._confirm(session), *data]

    def receive_repeated_exchange(self, address: Address) -> bool:
        """A ClientKeyExchange in clear came from *address*: does a fresh session there explain it?"""
        session = self._last_flights.get(address)
        if session is None:
            return False
        self.to_repeat = session
        return True

    def is_repeated_hello(self, address: Address, client_random: bytes) -> bool:
        """Whether a hello is a late copy of the one that led to a fresh session at *address*."""
        session = self._last_flights.get(address)
        flight = None if session is None else session.last_flight
        return flight is not None and flight.client_random == client_random

    def end_datagram(self) -> None:
        """All records of a datagram were received: what they asked to repeat goes out, once."""
        session, self.to_repeat = self.to_repeat, None
        flight = None if session is None else session.last_flight
        if session is None or flight is None or not flight.repeats_left:
            return
        change = encode_record(ContentType.CHANGE_CIPHER_SPEC, flight.next_in_clear, CHANGE_CIPHER_SPEC_BODY)
        size_bytes = len(change) + len(flight.finished) + session.sealer.overhead_bytes
        if not self._may_send(session, size_bytes):
            return
        flight.repeats_left -= 1
        flight.next_in_clear += 1
        self._counters.last_flights_repeated += 1
        self._outbox.append((change + session.seal(_HANDSHAKE, flight.finished), session.address))

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
        return self._transmit(session, _APPLICATION_DATA, data)

    def end(self, session: Session, reason: SessionEnd, *, notify: bool) -> SessionEnded:
        """Let go of a session that is not over yet, with or without telling the peer."""
        if notify:
            self._transmit(session, _ALERT, _CLOSE_NOTIFY)
        session.is_over = True
        if reason not in _RESUMABLE_ENDS:
            self._resumables.discard(session.session_id)
        self._forget_last_flight(session)
        if session.expires_at is not None:
            self._expiries.cancel(session.number)
            self._expiring.pop(session.number, None)
        self._checks.end(session)
        self._table.remove(session)
        if self.durability is not None:
            self.durability.drop(session, can_be_resumed=reason in _RESUMABLE_ENDS)
        return SessionEnded(session, reason)

    def adopt(self, session: Session) -> list[Event] | None:
        """Take in a session whose handshake is complete: who must go for it; None: there is no room."""
        table = self._table
        events: list[Event] = []
        for other in table.of_identity(session.identity):
            # What can be resumed of this identity is the newcomer.
            if self.durability is not None and other.session_id:
                self.durability.rewrite(other)
            other.session_id = b""
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
        self._keep_last_flight(session)
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
                if self.to_repeat is not None:
                    self.end_datagram()
        return events

    # --- time

    def next_deadline(self) -> float | None:
        """When `handle_timer` is wanted; long past, when an end waits to be told."""
        if self._ended:
            return 0.0
        earliest = _earlier(self._checks.next_deadline(), self._expiries.next_at())
        for session in self._last_flights.values():
            return _earlier(earliest, session.established_at + self._config.last_flight_s)
        return earliest

    def handle_timer(self, now: float) -> list[Event]:
        """Do what is due: free last flights, challenge again or give up, tell who ended while sending."""
        while self._last_flights:
            session = next(iter(self._last_flights.values()))
            if session.established_at + self._config.last_flight_s > now:
                break
            self._forget_last_flight(session)
        for session, challenge in self._checks.pop_due(now):
            if challenge is None:
                self._move_back(session)
            else:
                self._transmit(session, _ROUTABILITY, challenge)
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

    def _move(
        self, session: Session, address: Address, record: Record, opened: tuple[int, bytes], now: float
    ) -> None:
        path = session.path
        # An answer may come by yet another way: it shows that the challenge arrived (RFC 9853 §5.3).
        is_confirmed = path is None or (opened[0] == _ROUTABILITY and _is_answer(path, opened[1]))
        confirmed = session.address if path is None or is_confirmed else path.confirmed
        self._checks.end(session)
        session.path = None if address == confirmed else UnconfirmedPath(confirmed, _size_bytes(record))
        session.address = address
        self._note_move(session)
        self._counters.sessions_moved += 1
        if session.path is not None and session.check_s is not None:
            self._transmit(session, _ROUTABILITY, self._checks.challenge(session, now))

    def _move_back(self, session: Session) -> None:
        assert session.path is not None, "a check ends with the doubt"
        session.address = session.path.confirmed
        session.path = None
        self._counters.path_checks_failed += 1

    def _hear_again(self, session: Session, path: UnconfirmedPath, record: Record) -> None:
        if session.check_s is None:
            session.path = None
            self._note_move(session)
        else:
            path.received_bytes += _size_bytes(record)

    def _receive_routability(
        self, session: Session, content: bytes, record: Record, address: Address
    ) -> None:
        try:
            message = decode_routability_message(content)
        except DecodeError:
            self._counters.malformed_messages += 1
            return
        if message is not None and message.type is RoutabilityType.PATH_CHALLENGE:
            self._answer_challenge(session, message, record, address)
        elif session.path is not None and _is_answer(session.path, content):
            session.path = None
            self._note_move(session)
            self._checks.end(session)
            self._counters.path_checks_passed += 1
        else:
            self._counters.unexpected_messages += 1

    def _answer_challenge(
        self, session: Session, challenge: RoutabilityMessage, record: Record, address: Address
    ) -> None:
        answer = encode_routability_message(challenge._replace(type=RoutabilityType.PATH_RESPONSE))
        size_bytes = len(answer) + session.sealer.overhead_bytes
        if address == session.address:
            is_allowed = self._may_send(session, size_bytes)
        else:
            is_allowed = size_bytes <= self._config.unconfirmed_factor * _size_bytes(
                record
            ) and self._has_number(session)
        if is_allowed:
            self._counters.path_challenges_answered += 1
            self._outbox.append((session.seal(_ROUTABILITY, answer), address))

    def _confirm(self, session: Session) -> list[Event]:
        session.is_confirmed = True
        if self.durability is not None:
            self.durability.ask(session)
        self._forget_last_flight(session)
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
            self.to_repeat = session
        elif message_type == HandshakeType.CLIENT_HELLO:
            self._counters.renegotiations_refused += 1
            self._transmit(session, _ALERT, _NO_RENEGOTIATION)
        else:
            self._counters.unexpected_messages += 1

    def _transmit(self, session: Session, content_type: int, content: bytes) -> bool:
        is_doubtful = session.path is not None or session.next_sequence >= session.send_limit
        if is_doubtful and not self._may_send(session, len(content) + session.sealer.overhead_bytes):
            return False
        self._outbox.append((session.seal(content_type, content), session.address))
        if session.next_sequence >= session.send_limit - ASK_AT and self.durability is not None:
            self.durability.ask(session)
        return True

    def _has_number(self, session: Session) -> bool:
        """Whether a record may be sent; if not, that is counted and seen to."""
        # Alerts and repetitions, which a peer can ask for, may have taken the numbers that `send` left.
        if session.next_sequence < session.send_limit:
            return True
        if self.durability is not None and session.next_sequence < MAX_SEQUENCE:
            self._counters.sends_unreserved += 1
            self.durability.ask(session)
        return False

    def _may_send(self, session: Session, size_bytes: int) -> bool:
        if session.next_sequence >= session.send_limit and not self._has_number(session):
            return False
        path = session.path
        if path is not None:
            if path.sent_bytes + size_bytes > self._config.unconfirmed_factor * path.received_bytes:
                self._counters.sends_over_budget += 1
                return False
            path.sent_bytes += size_bytes
        return True

    def _note_move(self, session: Session) -> None:
        if self.durability is not None:
            self.durability.note_move(session)

    def _supersede(self, session: Session) -> SessionEnded:
        self._counters.sessions_superseded += 1
        return self.end(session, SessionEnd.SUPERSEDED, notify=False)

    def _keep_last_flight(self, session: Session) -> None:
        replaced = self._last_flights.pop(session.address, None)
        if replaced is not None:
            replaced.last_flight = None
        if session.last_flight is not None:
            self._last_flights[session.address] = session

    def _forget_last_flight(self, session: Session) -> None:
        flight = session.last_flight
        if flight is not None:
            session.last_flight = None
            del self._last_flights[flight.address]


def _earlier(one: float | None, other: float | None) -> float | None:
    if one is None or other is None:
        return other if one is None else one
    return min(one, other)


def _size_bytes(record: Record) -> int:
    return HEADER_BYTES + len(record.cid) + len(record.fragment)


def _is_answer(path: UnconfirmedPath, content: bytes) -> bool:
    return content[:1] == _PATH_RESPONSE and content[1:] in path.cookies


def _is_own_address(session: Session, address: Address) -> bool:
    return address == session.address or (session.path is not None and address == session.path.confirmed)
