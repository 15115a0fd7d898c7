"""Where sessions are: their peers move, and a new address is in doubt until it is confirmed.

By a second authentic record from there, or, where the peer knows it, by the basic return routability check
of RFC 9853 §5.1, to the new address only. Challenges of the peer are answered here too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from gateway.address import Address
from gateway.dtls.counters import Counters
from gateway.dtls.durability import Durability
from gateway.dtls.errors import DecodeError
from gateway.dtls.record import HEADER_BYTES, ContentType, Record
from gateway.dtls.routability import (
    CHALLENGES,
    COOKIE_BYTES,
    RoutabilityMessage,
    RoutabilityType,
    decode_routability_message,
    encode_routability_message,
)
from gateway.dtls.sending import Outbox, Sender
from gateway.dtls.session import Session, UnconfirmedPath
from gateway.dtls.settings import EndpointConfig
from gateway.dtls.timers import Deadlines

_ROUTABILITY: Final = int(ContentType.RETURN_ROUTABILITY_CHECK)
_PATH_RESPONSE: Final = bytes((RoutabilityType.PATH_RESPONSE,))


class Paths:
    """The addresses in doubt of one endpoint, and the checks of them: at most one for a session."""

    __slots__ = (
        "_checked",
        "_config",
        "_counters",
        "_deadlines",
        "_durability",
        "_entropy",
        "_outbox",
        "_sender",
    )

    def __init__(
        self,
        config: EndpointConfig,
        entropy: Callable[[int], bytes],
        sender: Sender,
        durability: Durability | None,
        counters: Counters,
        outbox: Outbox,
    ) -> None:
        self._config = config
        self._entropy = entropy
        self._sender = sender
        self._durability = durability
        self._counters = counters
        self._outbox = outbox
        self._deadlines = Deadlines()
        self._checked: dict[int, Session] = {}

    # --- from the peer

    def move(
        self, session: Session, address: Address, record: Record, opened: tuple[int, bytes], now: float
    ) -> None:
        """The newest record of *session*, with *opened* in it, came from another address."""
        path = session.path
        # An answer may come by yet another way: it shows that the challenge arrived (RFC 9853 §5.3).
        is_confirmed = path is None or (opened[0] == _ROUTABILITY and _is_answer(path, opened[1]))
        confirmed = session.address if path is None or is_confirmed else path.confirmed
        self.end_check(session)
        session.path = None if address == confirmed else UnconfirmedPath(confirmed, _size_bytes(record))
        session.address = address
        self._note_move(session)
        self._counters.sessions_moved += 1
        if session.path is not None and session.check_s is not None:
            self._challenge(session, session.path, session.check_s, now)

    def hear_again(self, session: Session, path: UnconfirmedPath, record: Record) -> None:
        """A further record came from the address in doubt."""
        if session.check_s is None:
            session.path = None
            self._note_move(session)
        else:
            path.received_bytes += _size_bytes(record)

    def receive_message(self, session: Session, content: bytes, record: Record, address: Address) -> None:
        """A message of the return routability check came from *address*."""
        try:
            message = decode_routability_message(content)
        except DecodeError:
            self._counters.malformed_messages += 1
            return
        if message is not None and message.type is RoutabilityType.PATH_CHALLENGE:
            self._answer(session, message, record, address)
        elif session.path is not None and _is_answer(session.path, content):
            session.path = None
            self._note_move(session)
            self.end_check(session)
            self._counters.path_checks_passed += 1
        else:
            self._counters.unexpected_messages += 1

    # --- time, and the end

    def next_deadline(self) -> float | None:
        """When `handle_timer` is wanted."""
        return self._deadlines.next_at()

    def handle_timer(self, now: float) -> None:
        """Challenge those again who did not answer yet, or take them to be where they were."""
        for number in self._deadlines.pop_due(now):
            session = self._checked[number]
            path, check_s = session.path, session.check_s
            assert path is not None, "a check ends with the doubt"
            assert check_s is not None, "only who knows the check is challenged"
            if len(path.cookies) < CHALLENGES:
                self._challenge(session, path, check_s, now)
            else:
                del self._checked[number]
                session.address = path.confirmed
                session.path = None
                self._counters.path_checks_failed += 1

    def end_check(self, session: Session) -> None:
        """No more challenges; nothing happens to a session that is not checked."""
        self._checked.pop(session.number, None)
        self._deadlines.cancel(session.number)

    # --- inside

    def _challenge(self, session: Session, path: UnconfirmedPath, check_s: float, now: float) -> None:
        cookie = self._entropy(COOKIE_BYTES)
        path.cookies += (cookie,)
        self._checked[session.number] = session
        self._deadlines.set(session.number, now + check_s / CHALLENGES)
        challenge = RoutabilityMessage(RoutabilityType.PATH_CHALLENGE, cookie)
        self._sender.transmit(session, _ROUTABILITY, encode_routability_message(challenge))

    def _answer(
        self, session: Session, challenge: RoutabilityMessage, record: Record, address: Address
    ) -> None:
        """To where the challenge came from, whether or not that is where the session is."""
        answer = encode_routability_message(challenge._replace(type=RoutabilityType.PATH_RESPONSE))
        size_bytes = len(answer) + session.sealer.overhead_bytes
        if address == session.address:
            is_allowed = self._sender.may_send(session, size_bytes)
        else:
            limit_bytes = self._config.unconfirmed_factor * _size_bytes(record)
            is_allowed = size_bytes <= limit_bytes and self._sender.has_number(session)
        if is_allowed:
            self._counters.path_challenges_answered += 1
            self._outbox.append((session.seal(_ROUTABILITY, answer), address))

    def _note_move(self, session: Session) -> None:
        if self._durability is not None:
            self._durability.note_move(session)


def _size_bytes(record: Record) -> int:
    return HEADER_BYTES + len(record.cid) + len(record.fragment)


def _is_answer(path: UnconfirmedPath, content: bytes) -> bool:
    return content[:1] == _PATH_RESPONSE and content[1:] in path.cookies
