"""Sessions that are over while their peer may come back by their id: what of them stays on disk.

Knows which rows there are, one for each identity. When one is written is `durability`'s, what is in it
`storing`'s.
"""

from __future__ import annotations

from itertools import islice
from typing import NamedTuple

from gateway.dtls.session import Session


class Departed(NamedTuple):
    """One whose row is on disk, or about to be."""

    number: int
    identity: bytes
    session_id: bytes


class DepartedSessions:
    """The newest of each identity."""

    __slots__ = ("_by_identity", "_unsaved")

    def __init__(self) -> None:
        self._by_identity: dict[bytes, Departed] = {}
        self._unsaved: dict[int, Session] = {}

    @property
    def has_unsaved(self) -> bool:
        """Whether a row still has to be written."""
        return bool(self._unsaved)

    def add(self, session: Session) -> list[int]:
        """*session* has just ended. Gives the numbers whose rows may go."""
        gone = self.forget(session.identity)
        self._unsaved[session.number] = session
        self.restore(Departed(session.number, session.identity, session.session_id))
        return gone

    def restore(self, departed: Departed) -> None:
        """Its row is on disk."""
        self._by_identity[departed.identity] = departed

    def forget(self, identity: bytes) -> list[int]:
        """Nobody comes back as *identity* by an id of then. Gives the numbers whose rows may go."""
        departed = self._by_identity.pop(identity, None)
        if departed is None:
            return []
        self._unsaved.pop(departed.number, None)
        return [departed.number]

    def is_known(self, departed: Departed) -> bool:
        """Whether *departed* is still the newest of its identity."""
        return self._by_identity.get(departed.identity) is departed

    def take_unsaved(self, limit: int) -> list[Session]:
        """Up to *limit* of those whose rows are to be written now."""
        taken = list(islice(self._unsaved.values(), limit))
        for session in taken:
            del self._unsaved[session.number]
        return taken

    def all(self) -> list[Departed]:
        """Every one."""
        return list(self._by_identity.values())

    def clear(self) -> None:
        """There is no disk any more."""
        self._by_identity.clear()
        self._unsaved.clear()
