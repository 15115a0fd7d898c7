"""The return routability checks that run: the basic check of RFC 9853 §5.1, to the new address only.

Knows which challenges are out and when the next is due. What an address in doubt may get, and what
follows a check, is `traffic`'s.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from gateway.dtls.routability import (
    CHALLENGES,
    COOKIE_BYTES,
    RoutabilityMessage,
    RoutabilityType,
    encode_routability_message,
)
from gateway.dtls.session import Session
from gateway.dtls.timers import Deadlines


class PathChecks:
    """At most one per session, for a session at an unconfirmed address whose peer knows the check."""

    __slots__ = ("_deadlines", "_entropy", "_sessions")

    def __init__(self, entropy: Callable[[int], bytes]) -> None:
        self._entropy = entropy
        self._deadlines = Deadlines()
        self._sessions: dict[int, Session] = {}

    def challenge(self, session: Session, now: float) -> bytes:
        """What to send to the session's address: the content of a record, with a new cookie."""
        assert session.path is not None, "an address in doubt"
        assert session.check_s is not None, "a peer that can answer"
        cookie = self._entropy(COOKIE_BYTES)
        session.path.cookies += (cookie,)
        self._sessions[session.number] = session
        self._deadlines.set(session.number, now + session.check_s / CHALLENGES)
        return encode_routability_message(RoutabilityMessage(RoutabilityType.PATH_CHALLENGE, cookie))

    def end(self, session: Session) -> None:
        """No more challenges; nothing happens to a session that is not checked."""
        self._sessions.pop(session.number, None)
        self._deadlines.cancel(session.number)

    def next_deadline(self) -> float | None:
        """When `pop_due` will have something."""
        return self._deadlines.next_at()

    def pop_due(self, now: float) -> Iterator[tuple[Session, bytes | None]]:
        """The sessions that wait for an answer, each with its next challenge; None: the time is up."""
        for number in self._deadlines.pop_due(now):
            session = self._sessions[number]
            assert session.path is not None, "a check ends with the doubt"
            if len(session.path.cookies) < CHALLENGES:
                yield session, self.challenge(session, now)
            else:
                del self._sessions[number]
                yield session, None
