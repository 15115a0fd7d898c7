"""Our last flights, each until its peer has shown that it arrived, or its time is up (RFC 6347 §4.2.4).

Knows who asks for one again, and how often it is repeated. Knows nothing else of sessions.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

from gateway.address import Address
from gateway.dtls.counters import Counters
from gateway.dtls.record import CHANGE_CIPHER_SPEC_BODY, ContentType, encode_record
from gateway.dtls.sending import Outbox, Sender
from gateway.dtls.session import Session

_HANDSHAKE: Final = int(ContentType.HANDSHAKE)


class LastFlights:
    """Of the fresh sessions of one endpoint."""

    __slots__ = ("_by_address", "_counters", "_keep_s", "_outbox", "_sender", "due_at", "to_repeat")

    def __init__(self, keep_s: float, sender: Sender, counters: Counters, outbox: Outbox) -> None:
        self._keep_s = keep_s
        self._sender = sender
        self._counters = counters
        self._outbox = outbox
        # By the address of the handshake; in the order of their deadlines, for all live equally long.
        self._by_address: OrderedDict[Address, Session] = OrderedDict()
        self.due_at: float | None = None
        "When `handle_timer` is wanted."

        self.to_repeat: Session | None = None
        "Whose last flight `repeat` is to send again."

    def keep(self, session: Session) -> None:
        """*session* is fresh; whoever was at its address before needs nothing again."""
        replaced = self._by_address.pop(session.address, None)
        if replaced is not None:
            replaced.last_flight = None
        if session.last_flight is not None:
            self._by_address[session.address] = session
        self._find_due()

    def forget(self, session: Session) -> None:
        """The last flight of *session*, if it has one still, is not needed again."""
        flight = session.last_flight
        if flight is not None:
            session.last_flight = None
            del self._by_address[flight.address]
            self._find_due()

    def receive_exchange(self, address: Address) -> bool:
        """A ClientKeyExchange in clear came from *address*: does a fresh session there explain it?"""
        session = self._by_address.get(address)
        if session is None:
            return False
        self.to_repeat = session
        return True

    def is_repeated_hello(self, address: Address, client_random: bytes) -> bool:
        """Whether a hello is a late copy of the one that led to a fresh session at *address*."""
        session = self._by_address.get(address)
        flight = None if session is None else session.last_flight
        return flight is not None and flight.client_random == client_random

    def repeat(self) -> None:
        """All records of a datagram were received: what they asked to repeat goes out, once."""
        session, self.to_repeat = self.to_repeat, None
        flight = None if session is None else session.last_flight
        if session is None or flight is None or not flight.repeats_left:
            return
        change = encode_record(ContentType.CHANGE_CIPHER_SPEC, flight.next_in_clear, CHANGE_CIPHER_SPEC_BODY)
        size_bytes = len(change) + len(flight.finished) + session.sealer.overhead_bytes
        if not self._sender.may_send(session, size_bytes):
            return
        flight.repeats_left -= 1
        flight.next_in_clear += 1
        self._counters.last_flights_repeated += 1
        self._outbox.append((change + session.seal(_HANDSHAKE, flight.finished), session.address))

    def handle_timer(self, now: float) -> None:
        """Free those whose time is up."""
        while self.due_at is not None and self.due_at <= now:
            self.forget(next(iter(self._by_address.values())))

    def _find_due(self) -> None:
        self.due_at = None
        for session in self._by_address.values():
            self.due_at = session.established_at + self._keep_s
            return
