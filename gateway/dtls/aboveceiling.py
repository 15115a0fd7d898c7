"""Authentic records above the ceiling of their session: held until it has risen, or dropped.

Knows how many are held, and that none is held twice. When a ceiling rises is `durability`'s.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from gateway.address import Address
from gateway.dtls.counters import Counters
from gateway.dtls.record import HELD_RECORD_BYTES, Record
from gateway.dtls.session import Session

HELD_RECORDS: Final = 4
"Of one session."

HELD_BYTES: Final = 4096
"Of one session."

HELD_TOTAL_BYTES: Final = 4 << 20
"Of all sessions, with what it takes to hold them."


class HeldRecord(NamedTuple):
    """One that waits."""

    session: Session
    record: Record
    address: Address


class AboveCeiling:
    """All that are held, of all sessions."""

    __slots__ = ("_counters", "by_session", "size_bytes")

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self.by_session: dict[int, list[HeldRecord]] = {}
        "By the session's number; not to be changed from outside. Empty most of the time."

        self.size_bytes = 0

    def hold(self, session: Session, record: Record, address: Address) -> bool:
        """Keep *record*; False: it is there already, or there is no room for it."""
        held = self.by_session.get(session.number, [])
        if any(other.record.sequence == record.sequence for other in held):
            self._counters.replayed_records += 1
            return False
        size = len(record.fragment)
        if (
            len(held) >= HELD_RECORDS
            or sum(len(other.record.fragment) for other in held) + size > HELD_BYTES
            or self.size_bytes + _cost_bytes(record) > HELD_TOTAL_BYTES
        ):
            self._counters.held_records_dropped += 1
            return False
        self._counters.records_held += 1
        self.by_session[session.number] = [*held, HeldRecord(session, record, address)]
        self.size_bytes += _cost_bytes(record)
        return True

    def release(self, number: int, last: int) -> list[HeldRecord]:
        """Those of session *number* up to record *last*; the others stay."""
        held = self.by_session.pop(number)
        ready = [each for each in held if each.record.sequence <= last]
        if len(ready) < len(held):
            self.by_session[number] = [each for each in held if each.record.sequence > last]
        self.size_bytes -= sum(_cost_bytes(each.record) for each in ready)
        return ready

    def drop(self, number: int) -> None:
        """Session *number* is over."""
        for held in self.by_session.pop(number, ()):
            self.size_bytes -= _cost_bytes(held.record)

    def release_all(self) -> list[HeldRecord]:
        """Nothing waits any more."""
        released = [held for each in self.by_session.values() for held in each]
        self.by_session.clear()
        self.size_bytes = 0
        return released


def _cost_bytes(record: Record) -> int:
    return len(record.fragment) + HELD_RECORD_BYTES
