"""The DTLS engine's surroundings: clock, timer, keys and the way of its datagrams.

Drives one `gateway.dtls.endpoint.Endpoint`. Knows no socket: datagrams come in by `receive`, each batch
is followed by `flush`, and what leaves goes through the *send* it was given. Knows no CoAP either: the
plaintext of a session goes up as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

from gateway.address import Address
from gateway.dtls.durability import Batch, Urgency
from gateway.dtls.endpoint import Endpoint
from gateway.dtls.events import (
    ApplicationData,
    CertificatePresented,
    CredentialAccepted,
    Event,
    HandshakeFailed,
    PskRequested,
    RawPublicKeyPresented,
    ResumptionRequested,
    SessionEnd,
    SessionEnded,
    SessionEstablished,
)
from gateway.dtls.refusal import CredentialFault, CredentialRefusal
from gateway.dtls.session import Session

Verdict = CredentialAccepted | CredentialRefusal

CLOSE_LIMIT = 10_000
"Sessions that get a close_notify when the gateway stops."


class CoapsTransport:
    """All DTLS peers of one listener.

    Callbacks run in the loop's thread: *lookup_psk* gives the key of who asks to come, or None for an unknown
    one; *judge_certificate* and *judge_raw_key* say who may come with what was shown, and tell operators of
    whom they refuse; without them nobody may; *credential_of* says what the key of an identity rests on, and
    *may_resume* whether an identity still rests on it, without which nobody goes on with an earlier session;
    *on_data* gets a session and what it sent; *on_session_ended* lets the owner drop what hangs on the
    session; *on_handshake_failed* is for the operator's eyes.
    """

    def __init__(
        self,
        endpoint: Endpoint,
        send: Callable[[bytes, Address], None],
        *,
        lookup_psk: Callable[[PskRequested], bytes | None],
        judge_certificate: Callable[[CertificatePresented], Verdict] | None = None,
        judge_raw_key: Callable[[RawPublicKeyPresented], Verdict] | None = None,
        credential_of: Callable[[bytes], bytes] | None = None,
        may_resume: Callable[[bytes, bytes], bool] | None = None,
        on_data: Callable[[Session, bytes], None],
        on_session_ended: Callable[[Session, SessionEnd], None],
        on_handshake_failed: Callable[[HandshakeFailed], None],
        loop: asyncio.AbstractEventLoop | None = None,
        now: Callable[[], float] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._send = send
        self._lookup_psk = lookup_psk
        self._judge_certificate = judge_certificate or _refuse
        self._judge_raw_key = judge_raw_key or _refuse
        self._credential_of = credential_of
        self._may_resume = may_resume
        self._on_data = on_data
        self._on_session_ended = on_session_ended
        self._loop = loop or asyncio.get_running_loop()
        self._now = now or self._loop.time
        self._handlers: dict[type[Event], Callable[[Any], None]] = {
            PskRequested: self._provide_psk,
            CertificatePresented: self._judge_chain,
            RawPublicKeyPresented: self._judge_key,
            ResumptionRequested: self._answer_resumption,
            SessionEstablished: _pass_over,
            ApplicationData: self._deliver,
            SessionEnded: self._note_ended,
            HandshakeFailed: on_handshake_failed,
        }
        "What is done about an event, by its class."

        self._timer: asyncio.TimerHandle | None = None
        self._timer_due = 0.0
        self._is_flush_due = False
        self._is_closed = False
        self.on_unsaved: Callable[[Urgency], None] | None = None
        "Called when sessions have something to store (`Endpoint.take_batch`)."

    def receive(self, datagram: bytes, address: Address) -> None:
        """Take a datagram; `flush` must follow, at the latest after the batch it was read in."""
        if self._is_closed:
            return
        self._is_flush_due = True
        for event in self.endpoint.receive_datagram(datagram, address, self._now()):
            if type(event) is ApplicationData:
                self._on_data(event.session, event.data)
            else:
                self._handle(event)

    def send(self, session: Session, data: bytes) -> bool:
        """Protect and send *data*. False when the session is over or may not send to its new address yet."""
        if self._is_closed:
            return False
        self._schedule_flush()
        return self.endpoint.send(session, data)

    def find_session(self, identity: bytes) -> Session | None:
        """The session by which *identity* is reached: the newest that has spoken, else the newest."""
        sessions = self.endpoint.sessions_of(identity)
        for session in reversed(sessions):
            if session.is_confirmed:
                return session
        return sessions[-1] if sessions else None

    def end_sessions(self, identity: bytes) -> None:
        """End each session of *identity* with a close_notify."""
        self._handle_all(self.endpoint.end_sessions(identity, self._now()))
        self.flush()

    def end_session(self, session: Session, notify: bool = True) -> None:
        """End one session, with a close_notify unless *notify* is false."""
        self._handle_all(self.endpoint.end_session(session, self._now(), notify))
        self.flush()

    def flush(self) -> None:
        """Send all that the engine has to send, and set the timer by what it waits for."""
        self._is_flush_due = False
        if self._is_closed:
            # What was stored last says which number is the next: none may leave after it.
            return
        for data, address in self.endpoint.datagrams_to_send():
            self._send(data, address)
        self._arm_timer()
        if self.on_unsaved is not None and (urgency := self.endpoint.urgency):
            self.on_unsaved(urgency)

    def note_saved(self, batch: Batch) -> None:
        """*batch* is stored: what had waited for it goes on."""
        self._handle_all(self.endpoint.note_saved(batch, self._now()))
        self.flush()

    def note_file_gone(self) -> None:
        """Nothing is stored any more, and nothing waits for it."""
        self._handle_all(self.endpoint.note_file_gone(self._now()))
        self.flush()

    def close(self, notify: bool = True) -> None:
        """Take leave: a close_notify to at most `CLOSE_LIMIT` sessions, then silence both ways."""
        if self._is_closed:
            return
        if notify:
            self.endpoint.close(self._now(), CLOSE_LIMIT)
        self.flush()
        self._is_closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _schedule_flush(self) -> None:
        """Outside a batch nobody calls `flush`: one call at the end of the loop's turn serves all sends."""
        if not self._is_flush_due:
            self._is_flush_due = True
            self._loop.call_soon(self._flush_scheduled)

    def _flush_scheduled(self) -> None:
        if self._is_flush_due:
            self.flush()

    def _handle_all(self, events: Iterable[Event]) -> None:
        for event in events:
            self._handle(event)

    def _handle(self, event: Event) -> None:
        self._handlers[type(event)](event)

    def _deliver(self, event: ApplicationData) -> None:
        self._on_data(event.session, event.data)

    def _note_ended(self, event: SessionEnded) -> None:
        self._on_session_ended(event.session, event.reason)

    def _provide_psk(self, asked: PskRequested) -> None:
        identity = asked.identity
        psk: bytes | None = None
        credential = b""
        try:
            psk = self._lookup_psk(asked)
            if psk is not None and self._credential_of is not None:
                credential = self._credential_of(identity)
        finally:
            # A lookup that fails is our bug; its handshake goes the way of an unknown identity, not none.
            self._handle_all(self.endpoint.provide_psk(asked.handshake, psk, self._now(), credential))

    def _answer_resumption(self, asked: ResumptionRequested) -> None:
        is_welcome = False
        try:
            may_resume = self._may_resume
            is_welcome = may_resume is not None and may_resume(asked.identity, asked.credential)
        finally:
            self._handle_all(self.endpoint.provide_resumption(asked.handshake, is_welcome, self._now()))

    def _judge_chain(self, presented: CertificatePresented) -> None:
        verdict = _refuse(presented)
        try:
            verdict = self._judge_certificate(presented)
        finally:
            # As with a lookup that fails: who cannot be judged is not let in, and hears so.
            self._provide_credential(presented.handshake, verdict)

    def _judge_key(self, presented: RawPublicKeyPresented) -> None:
        verdict = _refuse(presented)
        try:
            verdict = self._judge_raw_key(presented)
        finally:
            self._provide_credential(presented.handshake, verdict)

    def _provide_credential(self, handshake: int, verdict: Verdict) -> None:
        is_refusal = type(verdict) is CredentialRefusal
        for event in self.endpoint.provide_credential(handshake, verdict, self._now()):
            # Who refused has told of it already, and knew more than the engine.
            if not (is_refusal and type(event) is HandshakeFailed):
                self._handle(event)

    def _arm_timer(self) -> None:
        """Keep a timer that fires early enough: moving it at each datagram would cost more than it saves."""
        due = self.endpoint.get_timer()
        if self._timer is not None:
            if due is not None and self._timer_due <= due:
                return
            self._timer.cancel()
            self._timer = None
        if due is not None:
            self._timer_due = due
            self._timer = self._loop.call_later(max(0.0, due - self._now()), self._handle_timer)

    def _handle_timer(self) -> None:
        self._timer = None
        try:
            self._handle_all(self.endpoint.handle_timer(self._now()))
        finally:
            self.flush()


def _pass_over(event: Event) -> None:
    """Nobody waits for a session: its owner hears of it with the first data."""


def _refuse(presented: object) -> Verdict:
    return CredentialRefusal(CredentialFault.NO_DEVICE)
