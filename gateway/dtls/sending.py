"""Records that leave: under numbers that may be used, and no more than an address in doubt may get.

Knows what a session has left of both. Knows not what is sent, nor why.
"""

from __future__ import annotations

from gateway.address import Address
from gateway.dtls.counters import Counters
from gateway.dtls.durability import ASK_AT, Durability
from gateway.dtls.record import MAX_SEQUENCE
from gateway.dtls.session import Session
from gateway.dtls.settings import EndpointConfig

Outbox = list[tuple[bytes, Address]]


class Sender:
    """Puts the records of established sessions into *outbox*."""

    __slots__ = ("_counters", "_durability", "_outbox", "_unconfirmed_factor")

    def __init__(
        self, config: EndpointConfig, durability: Durability | None, counters: Counters, outbox: Outbox
    ) -> None:
        self._unconfirmed_factor = config.unconfirmed_factor
        self._durability = durability
        self._counters = counters
        self._outbox = outbox

    def transmit(self, session: Session, content_type: int, content: bytes) -> bool:
        """One record to where *session* is; False: it may not be sent now."""
        is_doubtful = session.path is not None or session.next_sequence >= session.send_limit
        if is_doubtful and not self.may_send(session, len(content) + session.sealer.overhead_bytes):
            return False
        self._outbox.append((session.seal(content_type, content), session.address))
        if session.next_sequence >= session.send_limit - ASK_AT and self._durability is not None:
            self._durability.ask(session)
        return True

    def may_send(self, session: Session, size_bytes: int) -> bool:
        """Whether a datagram may be sent to where *session* is; if so, it counts as sent."""
        if session.next_sequence >= session.send_limit and not self.has_number(session):
            return False
        path = session.path
        if path is not None:
            if path.sent_bytes + size_bytes > self._unconfirmed_factor * path.received_bytes:
                self._counters.sends_over_budget += 1
                return False
            path.sent_bytes += size_bytes
        return True

    def has_number(self, session: Session) -> bool:
        """Whether a record may be sent; if not, that is counted and seen to."""
        # Alerts and repetitions, which a peer can ask for, may have taken the numbers that were left.
        if session.next_sequence < session.send_limit:
            return True
        if self._durability is not None and session.next_sequence < MAX_SEQUENCE:
            self._counters.sends_unreserved += 1
            self._durability.ask(session)
        return False
