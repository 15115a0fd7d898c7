"""All sessions of an endpoint: found by connection ID or address, counted by identity, aged by use.

Knows which session must give way to which. Sends nothing and tells nobody.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable

from gateway.address import Address
from gateway.dtls.session import Session


class SessionTable:
    """The indices, kept in step with each other.

    A session with a connection ID has no entry under its address: any number of them may share one
    behind a NAT, and it may move.
    """

    __slots__ = ("_by_address", "_by_identity", "_by_key", "_max_sessions", "_stale_s")

    def __init__(self, max_sessions: int, stale_s: float) -> None:
        self._max_sessions = max_sessions
        self._stale_s = stale_s
        self._by_key: OrderedDict[bytes | int, Session] = OrderedDict()
        self._by_address: dict[Address, Session] = {}
        # Most identities have one session: the session itself takes less room than a list of it.
        self._by_identity: dict[bytes, Session | tuple[Session, Session]] = {}

    def __len__(self) -> int:
        return len(self._by_key)

    @property
    def is_full(self) -> bool:
        """Whether a newcomer needs another to give way."""
        return len(self._by_key) >= self._max_sessions

    def all(self) -> Iterable[Session]:
        """Every session, the one longest unused first."""
        return self._by_key.values()

    def find_by_cid(self, cid: bytes) -> Session | None:
        """The session whose records carry *cid*."""
        return self._by_key.get(cid)

    def find_by_address(self, address: Address) -> Session | None:
        """The session without connection ID at *address*."""
        return self._by_address.get(address)

    def of_identity(self, identity: bytes) -> tuple[Session, ...]:
        """Its sessions, the older first; at most two."""
        found = self._by_identity.get(identity)
        if found is None:
            return ()
        return found if isinstance(found, tuple) else (found,)

    def touch(self, session: Session, now: float) -> None:
        """An authentic record of *session* came."""
        session.used_at = now
        self._by_key.move_to_end(session.cid or session.number)

    def find_stale(self, now: float) -> Session | None:
        """The session longest unused, if it has been so for long enough to give way."""
        for session in self._by_key.values():
            return session if now - session.used_at > self._stale_s else None
        return None

    def surplus_of(self, identity: bytes) -> Session | None:
        """The session that must go before *identity* gets another one.

        Of two, the older keeps serving while the newcomer is unproven, unless it never served.
        """
        sessions = self.of_identity(identity)
        if len(sessions) < 2:
            return None
        older, newer = sessions
        return newer if older.is_confirmed else older

    def add(self, session: Session) -> None:
        """File a session. Its address, unless it has a connection ID, must be free; so must its place."""
        self._by_key[session.key] = session
        if not session.cid:
            self._by_address[session.address] = session
        identity = session.identity
        present = self._by_identity.get(identity)
        assert not isinstance(present, tuple), "the surplus goes first"
        # The newest bytes object of an equal identity would otherwise be a second copy.
        if present is not None:
            session.identity = present.identity
        self._by_identity[session.identity] = session if present is None else (present, session)

    def remove(self, session: Session) -> None:
        """Forget a session that is in the table."""
        del self._by_key[session.key]
        if not session.cid:
            del self._by_address[session.address]
        present = self._by_identity[session.identity]
        if isinstance(present, tuple):
            self._by_identity[session.identity] = present[0] if present[1] is session else present[1]
        else:
            del self._by_identity[session.identity]
