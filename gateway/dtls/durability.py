"""What of the sessions must be on disk before what may happen, so that a crash repeats nothing.

    sending     A number may be used below the session's `send_limit`. Where it restarts from is on disk
                before: the limit rises in blocks, and the next block is asked for while half is left.
    receiving   A record is taken up to the session's `ceiling`. One above is held until the ceiling on
                disk is past it. After a crash nothing up to the ceiling is taken again.

Numbers of a session that was never stored are free up to its first limit: its keys go with it. Knows
neither disk nor time: its owner takes batches, stores each, and says so before it takes the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from enum import IntEnum
from itertools import islice
from typing import Final, NamedTuple

from gateway.address import Address
from gateway.dtls.aboveceiling import AboveCeiling, HeldRecord
from gateway.dtls.counters import Counters
from gateway.dtls.departed import Departed, DepartedSessions
from gateway.dtls.journal import encode_entry
from gateway.dtls.record import MAX_SEQUENCE, Record
from gateway.dtls.resumption import Resumables
from gateway.dtls.session import UNLIMITED_CEILING, UNLIMITED_SENDING, Session
from gateway.dtls.storing import state_of

RESERVED: Final = 64
"Numbers in a block: what a crash may leave out."

ASK_AT: Final = 32
"With so many left, the next block is asked for."

AHEAD: Final = 2
"Records above the newest that may be received before the disk knows; a crash loses them."

FRESH_SESSIONS: Final = 1000
"Rows of new sessions in one batch; as many are rewritten, and as many of sessions that are over."

SWEEP_SESSIONS: Final = 500
"Sessions that a sweep adds to one batch."


class Urgency(IntEnum):
    """Whether a batch should be taken."""

    NONE = 0
    SOON = 1
    NOW = 2
    "A record is held, or a session has no numbers left."


class StoredRow(NamedTuple):
    """What is stored once for a session."""

    session: Session
    state: bytes
    "`storedstate.StoredSession`, encoded; to be sealed."


class Promise(NamedTuple):
    """What a session may do once its batch is on disk."""

    session: Session
    ceiling: int
    send_limit: int


class Batch(NamedTuple):
    """What belongs on disk in one transaction."""

    rows: list[StoredRow]
    gone: list[int]
    "Numbers of the sessions whose rows are to be deleted; of some there is none."

    entries: bytes
    "One row of the journal (`journal.decode_entries`)."

    promises: list[Promise]

    ends_sweep: bool
    "With this batch every session has an entry since the sweep began: all rows before are superseded."

    is_whole: bool
    "With this batch every session has its row."


class Durability:
    """The sessions of one endpoint, as far as they are not on disk."""

    __slots__ = (
        "_asking",
        "_departed",
        "_fresh",
        "_gone",
        "_held",
        "_is_lifted",
        "_is_urgent",
        "_moved",
        "_resumables",
        "_rewritten",
        "_sweep",
        "dirty",
    )

    def __init__(self, counters: Counters, resumables: Resumables) -> None:
        self._resumables = resumables
        self.dirty: dict[int, Session] = {}
        "By number: sessions that have received a newer record. Whoever knows of one puts it in."

        self._asking: dict[int, Session] = {}
        self._fresh: dict[int, Session] = {}
        "Without a row."

        self._rewritten: dict[int, Session] = {}
        "With a row that says too much."

        self._departed = DepartedSessions()
        self._moved: set[int] = set()
        self._gone: list[int] = []
        self._held = AboveCeiling(counters)
        self._sweep: Iterator[Session | Departed] | None = None
        self._is_urgent = False
        self._is_lifted = False

    @property
    def urgency(self) -> Urgency:
        """Whether there is something to take."""
        if self._is_lifted:
            return Urgency.NONE
        if self._is_urgent:
            return Urgency.NOW
        is_waiting = self.dirty or self._asking or self._fresh or self._gone or self._sweep is not None
        is_waiting = is_waiting or self._rewritten or self._departed.has_unsaved
        return Urgency.SOON if is_waiting else Urgency.NONE

    # --- from the sessions at work

    def adopt(self, session: Session) -> None:
        """A handshake has made *session*."""
        if not self._is_lifted:
            session.ceiling = -1
            session.send_limit = _reserve(session.next_sequence)
            self._fresh[session.number] = session
            self.forget(session.identity)

    def drop(self, session: Session, *, can_be_resumed: bool = False) -> None:
        """*session* is over; *can_be_resumed*: unless it has no session ID."""
        number = session.number
        self.dirty.pop(number, None)
        self._asking.pop(number, None)
        self._moved.discard(number)
        self._held.drop(number)
        self._rewritten.pop(number, None)
        is_on_disk = self._fresh.pop(number, None) is None
        if self._is_lifted:
            return
        if can_be_resumed and session.session_id:
            self._gone += self._departed.add(session)
        elif is_on_disk:
            self._gone.append(number)

    def forget(self, identity: bytes) -> None:
        """No session of *identity* that is over can be resumed any more."""
        self._gone += self._departed.forget(identity)

    def rewrite(self, session: Session) -> None:
        """It can no longer be resumed by its id: its row must not hold the secret any more."""
        session.session_id = b""
        if not session.is_over and not self._is_lifted and session.number not in self._fresh:
            self._rewritten[session.number] = session

    def note_move(self, session: Session) -> None:
        """*session* has another confirmed address."""
        self._asking[session.number] = session
        self._moved.add(session.number)

    def ask(self, session: Session) -> None:
        """*session* has few numbers left, or none."""
        self._asking[session.number] = session
        if session.next_sequence >= session.send_limit:
            self._is_urgent = True

    def hold(self, session: Session, record: Record, address: Address) -> None:
        """*record* is authentic and above the ceiling: keep it until that has risen, or drop it."""
        if self._held.hold(session, record, address):
            self.dirty[session.number] = session
            self._is_urgent = True

    # --- from the owner

    def take(self, now: float, wall_ms: int) -> Batch:
        """What is not on disk, or some of it; the batch before must be `saved`, or lost with the file."""
        fresh = _take_some(self._fresh)
        rewritten = _take_some(self._rewritten)
        received = self.dirty.copy()
        # Its owner holds on to the very dictionary.
        self.dirty.clear()
        self._is_urgent = False
        if self._fresh:
            self._put_back(received)
        moved, self._moved = self._moved, set()
        asking, self._asking = self._asking, {}
        departed = self._take_departed(now, wall_ms)
        gone, self._gone = self._gone, []
        is_sweeping = self._sweep is not None
        swept = self._take_swept(now)
        addressed = moved.union(fresh, swept)
        entries: list[bytes] = []
        promises: list[Promise] = []
        for number, session in (swept | asking | received | fresh).items():
            if number in self._fresh:
                continue
            promise = self._promise(session, number in received)
            _, ceiling, send_limit = promise
            address = session.confirmed_address if number in addressed else None
            entries.append(encode_entry(number, send_limit, ceiling, session.is_confirmed, address))
            promises.append(promise)
        return Batch(
            [
                StoredRow(each, state_of(each, self._resumables, now, wall_ms))
                for each in (*fresh.values(), *rewritten.values())
            ]
            + departed,
            gone,
            b"".join(entries),
            promises,
            is_sweeping and self._sweep is None,
            not self._fresh,
        )

    def saved(self, batch: Batch) -> list[HeldRecord]:
        """*batch* is on disk: gives the records that may be received now."""
        released: list[HeldRecord] = []
        held = self._held.by_session
        for session, ceiling, send_limit in batch.promises:
            if session.is_over:
                continue
            session.ceiling = ceiling
            session.send_limit = send_limit
            if held and session.number in held:
                released += self._release(session)
        return released

    def sweep(self, sessions: Iterable[Session]) -> None:
        """Give each of *sessions* an entry in the batches to come, so that older ones can go.

        Secrets by which nobody resumes a session any more go too.
        """
        all_there_are: list[Session | Departed] = [*sessions, *self._departed.all()]
        self._sweep = iter(all_there_are)

    def lift(self, sessions: Iterable[Session]) -> list[HeldRecord]:
        """There is no file any more: nothing waits for it. Gives what was held."""
        self._is_lifted = True
        for session in sessions:
            session.ceiling = UNLIMITED_CEILING
            session.send_limit = UNLIMITED_SENDING
        self._forget_changes()
        self._fresh.clear()
        self._departed.clear()
        return self._held.release_all()

    def restore_departed(self, departed: Departed) -> None:
        """A session that ended in an earlier run can still be resumed: its row stays."""
        self._departed.restore(departed)

    def begin(self, sessions: Iterable[Session]) -> None:
        """There is a file again, and nothing in it. It must not count before all *sessions* are in it."""
        self._is_lifted = False
        self._forget_changes()
        for session in sessions:
            # Good at once: the file knows of no lower ones.
            session.ceiling = clamp(session.window.newest + AHEAD)
            session.send_limit = _reserve(session.next_sequence)
            self._fresh[session.number] = session

    def finish(self, sessions: Iterable[Session]) -> bytes:
        """The last entries, of *sessions* that take and give nothing any more: no gap is left to them."""
        return b"".join(
            encode_entry(
                session.number,
                clamp(session.next_sequence),
                session.window.newest,
                session.is_confirmed,
                session.confirmed_address,
            )
            for session in sessions
        )

    # --- inside

    def _forget_changes(self) -> None:
        self.dirty.clear()
        self._asking.clear()
        self._moved.clear()
        self._rewritten.clear()
        self._gone.clear()
        self._sweep = None
        self._is_urgent = False

    def _take_swept(self, now: float) -> dict[int, Session]:
        if self._sweep is None:
            return {}
        some = list(islice(self._sweep, SWEEP_SESSIONS))
        if len(some) < SWEEP_SESSIONS:
            self._sweep = None
        swept = {}
        for each in some:
            is_stale = each.session_id and self._resumables.find(each.session_id, now) is None
            if isinstance(each, Departed):
                if is_stale and self._departed.is_known(each):
                    self.forget(each.identity)
                continue
            if is_stale:
                self.rewrite(each)
            if not each.is_over:
                swept[each.number] = each
        return swept

    def _take_departed(self, now: float, wall_ms: int) -> list[StoredRow]:
        rows = []
        for session in self._departed.take_unsaved(FRESH_SESSIONS):
            if self._resumables.find(session.session_id, now) is None:
                self.forget(session.identity)
            else:
                rows.append(StoredRow(session, state_of(session, self._resumables, now, wall_ms)))
        return rows

    def _put_back(self, received: dict[int, Session]) -> None:
        """Sessions whose own row is not in this batch must wait for it."""
        for number in self._fresh.keys() & received.keys():
            self.dirty[number] = received.pop(number)
            self._is_urgent = self._is_urgent or number in self._held.by_session

    def _promise(self, session: Session, has_received: bool) -> Promise:
        ceiling, limit = session.ceiling, session.send_limit
        # Below zero: it has heard of no batch with it yet.
        if has_received or ceiling < 0:
            highest = session.window.newest
            held = self._held.by_session
            if held and session.number in held:
                highest = max(highest, *(each.record.sequence for each in held[session.number]))
            if highest + AHEAD > ceiling:
                ceiling = clamp(highest + AHEAD)
        if limit - session.next_sequence <= ASK_AT:
            limit = _reserve(session.next_sequence)
        # Not by Promise(...): that constructor is a function in Python, and one is made for most records.
        return tuple.__new__(Promise, (session, ceiling, limit))

    def _release(self, session: Session) -> list[HeldRecord]:
        ceiling = session.ceiling
        ready = self._held.release(session.number, ceiling if ceiling == MAX_SEQUENCE else ceiling - AHEAD)
        if session.number in self._held.by_session:
            self.dirty[session.number] = session
            self._is_urgent = True
        return ready


def clamp(sequence: int) -> int:
    """*sequence*, or the last number there is."""
    return min(sequence, MAX_SEQUENCE)


def _take_some(sessions: dict[int, Session]) -> dict[int, Session]:
    taken = dict(islice(sessions.items(), FRESH_SESSIONS))
    for number in taken:
        del sessions[number]
    return taken


def _reserve(next_sequence: int) -> int:
    return clamp(next_sequence + RESERVED)
