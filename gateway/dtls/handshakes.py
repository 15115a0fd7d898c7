"""The handshakes in progress: begun after the cookie, limited, timed, turned into sessions.

Knows how many there may be and what becomes of each. What happens inside one is `server`'s.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final

from gateway.address import Address
from gateway.dtls.agreements import Agreements
from gateway.dtls.alerts import AlertDescription, encode_alert, fatal
from gateway.dtls.counters import Counters
from gateway.dtls.credential import Credential
from gateway.dtls.events import (
    CertificatePresented,
    CredentialAccepted,
    Event,
    HandshakeFailed,
    HandshakeFailure,
    PskRequested,
    RawPublicKeyPresented,
    ResumptionRequested,
    SessionEstablished,
)
from gateway.dtls.groups import KeyShare, NamedGroup, generate
from gateway.dtls.hello import VerifiedHello
from gateway.dtls.limits import HostRate
from gateway.dtls.messages import HANDSHAKE_HEADER_BYTES, NULL_COMPRESSION
from gateway.dtls.negotiation import Choice, Refusal, choose_resumed, make_offer
from gateway.dtls.proof import ShownCertificate
from gateway.dtls.record import ContentType, Record, encode_record
from gateway.dtls.refusal import CredentialRefusal
from gateway.dtls.resumption import Resumable, Resumables
from gateway.dtls.sending import Outbox
from gateway.dtls.server import ServerHandshake, ServerSettings
from gateway.dtls.serverresumption import ResumingHandshake
from gateway.dtls.serverstates import ASKING, State
from gateway.dtls.sessions import SessionTable
from gateway.dtls.settings import EndpointConfig
from gateway.dtls.timers import Deadlines
from gateway.dtls.traffic import Traffic

_CID_TRIES: Final = 10
_MAX_MESSAGE_SEQ: Final = 63
"A hello is the first or second message, a few more where cookies grew old on the way."

_ESTABLISHED: Final = State.ESTABLISHED
_FAILED: Final = State.FAILED
_KEY: Final = State.KEY
_CREDENTIAL: Final = State.CREDENTIAL
_RESUMPTION: Final = State.RESUMPTION


class Handshakes:
    """All unfinished handshakes of one endpoint; at most one per address."""

    __slots__ = (
        "_agreements",
        "_by_address",
        "_by_cid",
        "_by_number",
        "_config",
        "_counters",
        "_deadlines",
        "_last_number",
        "_outbox",
        "_rate",
        "_resumables",
        "_settings",
        "_table",
        "_traffic",
    )

    def __init__(
        self,
        config: EndpointConfig,
        entropy: Callable[[int], bytes],
        counters: Counters,
        traffic: Traffic,
        table: SessionTable,
        resumables: Resumables,
        outbox: Outbox,
        now: float,
    ) -> None:
        self._config = config
        self._counters = counters
        self._traffic = traffic
        self._table = table
        self._outbox = outbox
        self._settings = ServerSettings(
            config, config.retransmit, entropy, counters, _share_maker(config, entropy)
        )
        self._resumables = resumables
        self._agreements = Agreements(make_offer(config.suites, config.cbc, config.credential))
        self._rate = HostRate(config.handshakes_per_minute, now)
        self._deadlines = Deadlines()
        self._by_number: OrderedDict[int, ServerHandshake] = OrderedDict()
        self._by_address: dict[Address, ServerHandshake] = {}
        self._by_cid: dict[bytes, ServerHandshake] = {}
        self._last_number = 0

    def __len__(self) -> int:
        return len(self._by_number)

    def find_by_address(self, address: Address) -> ServerHandshake | None:
        """The one with the client at *address*."""
        return self._by_address.get(address)

    def find_by_cid(self, cid: bytes) -> ServerHandshake | None:
        """The one that has given *cid* to its client."""
        return self._by_cid.get(cid)

    def begin(self, verified: VerifiedHello, address: Address, now: float) -> Sequence[Event]:
        """A hello has shown its cookie: a new handshake, or a copy of the hello of one that runs."""
        present = self._by_address.get(address)
        if present is not None and present.is_for(verified.unchanging):
            present.repeat(now)
            return self._settle(present, present.state, now)
        if self._traffic.last_flights.is_repeated_hello(address, verified.random):
            return ()
        if not self._rate.is_allowed(address.host, now):
            self._counters.handshakes_rate_limited += 1
            return (HandshakeFailed(address, None, HandshakeFailure.LIMIT),)
        choice = self._choose(verified)
        if isinstance(choice, Refusal):
            return self._refuse(verified, choice, address)
        if choice.has_legacy_cid:
            self._counters.legacy_connection_ids += 1
        if present is not None:
            self._counters.handshakes_restarted += 1
            self._forget(present)
        events = self._make_room()
        entry = self._find_resumable(verified, now)
        if entry is None:
            self._start(verified, choice, address, now)
            return events
        return [*events, *self._start_resumption(verified, entry, choice, address, now)]

    def receive(
        self, handshake: ServerHandshake, record: Record, is_alone: bool, now: float
    ) -> Sequence[Event]:
        """A record for a running handshake; *is_alone*: in a datagram of its own."""
        if is_alone:
            handshake.begin_datagram()
        before = handshake.state
        handshake.receive(record, now)
        return self._settle(handshake, before, now)

    def provide_resumption(self, number: int, is_welcome: bool, now: float) -> Sequence[Event]:
        """The answer to a ResumptionRequested; ignored when its handshake is no more or was answered."""
        handshake = self._by_number.get(number)
        if not isinstance(handshake, ResumingHandshake) or handshake.state is not _RESUMPTION:
            self._counters.late_keys += 1
            return ()
        if is_welcome:
            handshake.provide_resumption(now)
            return self._settle(handshake, _RESUMPTION, now)
        self._counters.resumptions_refused += 1
        self._traffic.end_resumption(handshake.resumable.identity)
        self._forget(handshake)
        choice = self._choose(handshake.verified)
        if isinstance(choice, Refusal):
            return self._refuse(handshake.verified, choice, handshake.address)
        self._start(handshake.verified, choice, handshake.address, now)
        return ()

    def provide_psk(
        self, number: int, psk: bytes | None, now: float, credential: bytes = b""
    ) -> Sequence[Event]:
        """The answer to a PskRequested; ignored when its handshake is no more or was answered."""
        handshake = self._by_number.get(number)
        if handshake is None or handshake.state is not _KEY:
            self._counters.late_keys += 1
            return ()
        handshake.provide_psk(psk, now, credential)
        return self._settle(handshake, _KEY, now)

    def provide_credential(
        self, number: int, verdict: CredentialAccepted | CredentialRefusal, now: float
    ) -> Sequence[Event]:
        """The verdict on what was presented; ignored when its handshake is no more or has it."""
        handshake = self._by_number.get(number)
        if handshake is None or handshake.state is not _CREDENTIAL:
            self._counters.late_keys += 1
            return ()
        handshake.provide_credential(verdict, now)
        return self._settle(handshake, _CREDENTIAL, now)

    def use_credential(self, credential: Credential | None) -> None:
        """What handshakes show that begin from now on."""
        self._agreements = Agreements(self._agreements.offer._replace(credential=credential))

    def end_identity(self, identity: bytes) -> list[Event]:
        """Give up the handshakes of an identity whose key is no longer good."""
        hit = [handshake for handshake in self._by_number.values() if handshake.identity == identity]
        return [self._fail(handshake, HandshakeFailure.UNKNOWN_IDENTITY) for handshake in hit]

    def begin_after(self, number: int) -> None:
        """Leave out the numbers up to *number*: sessions of an earlier run have them."""
        self._last_number = max(self._last_number, number)

    def clear(self) -> None:
        """Forget them all."""
        for handshake in list(self._by_number.values()):
            self._forget(handshake)

    def next_deadline(self) -> float | None:
        """When `handle_timer` is wanted."""
        return self._deadlines.next_at()

    def handle_timer(self, now: float) -> list[Event]:
        """Repeat and give up what is due."""
        events: list[Event] = []
        for number in self._deadlines.pop_due(now):
            handshake = self._by_number[number]
            handshake.handle_timer(now)
            if handshake.state is _FAILED:
                events += self._settle(handshake, _FAILED, now)
            else:
                self._flush(handshake)
                self._arm(handshake)
        return events

    def _choose(self, verified: VerifiedHello) -> Choice | Refusal:
        if verified.message_seq > _MAX_MESSAGE_SEQ:
            return Refusal(AlertDescription.ILLEGAL_PARAMETER, HandshakeFailure.PROTOCOL_ERROR)
        if NULL_COMPRESSION not in verified.compression_methods:
            return Refusal(AlertDescription.HANDSHAKE_FAILURE, HandshakeFailure.PROTOCOL_ERROR)
        return self._agreements.choose(verified.message[HANDSHAKE_HEADER_BYTES:])

    def _refuse(self, verified: VerifiedHello, refusal: Refusal, address: Address) -> Sequence[Event]:
        self._counters.handshakes_failed += 1
        alert = encode_alert(fatal(refusal.alert))
        self._outbox.append((encode_record(ContentType.ALERT, verified.record_sequence, alert), address))
        return (HandshakeFailed(address, None, refusal.reason),)

    def _find_resumable(self, verified: VerifiedHello, now: float) -> Resumable | None:
        session_id = verified.session_id
        return self._resumables.find(session_id, now) if session_id else None

    def _start_resumption(
        self, verified: VerifiedHello, entry: Resumable, full: Choice, address: Address, now: float
    ) -> Sequence[Event]:
        choice = choose_resumed(verified.message[HANDSHAKE_HEADER_BYTES:], self._agreements.offer, entry)
        if isinstance(choice, Refusal):
            return self._refuse(verified, choice, address)
        if choice is None:
            self._start(verified, full, address, now)
            return ()
        self._last_number += 1
        handshake = ResumingHandshake(
            self._last_number, address, verified, choice, self._choose_cid(choice), self._settings, now, entry
        )
        self._enter(handshake)
        return (_question(handshake),)

    def _start(self, verified: VerifiedHello, choice: Choice, address: Address, now: float) -> None:
        self._last_number += 1
        handshake = ServerHandshake(
            self._last_number,
            address,
            verified,
            choice,
            self._choose_cid(choice),
            self._settings,
            now,
            self._agreements.offer.credential,
        )
        self._enter(handshake)

    def _choose_cid(self, choice: Choice) -> bytes:
        return b"" if choice.peer_cid is None else self._new_cid()

    def _enter(self, handshake: ServerHandshake) -> None:
        cid, address = handshake.cid, handshake.address
        self._counters.handshakes_begun += 1
        self._by_number[handshake.number] = handshake
        self._by_address[address] = handshake
        if cid:
            self._by_cid[cid] = handshake
        self._flush(handshake)
        self._arm(handshake)

    def _settle(self, handshake: ServerHandshake, before: State, now: float) -> Sequence[Event]:
        state = handshake.state
        if state is _ESTABLISHED:
            return self._establish(handshake, now)
        if handshake.to_send:
            self._flush(handshake)
        if state is _FAILED:
            assert handshake.failure is not None
            return (self._fail(handshake, handshake.failure),)
        if handshake.next_deadline < handshake.timer_at:
            self._arm(handshake)
        if state is before or state not in ASKING:
            return ()
        return (_question(handshake),)

    def _establish(self, handshake: ServerHandshake, now: float) -> Sequence[Event]:
        session = handshake.make_session(now)
        self._forget(handshake)
        ended = self._traffic.adopt(session)
        if ended is None:
            self._counters.handshakes_failed += 1
            return (HandshakeFailed(handshake.address, handshake.identity, HandshakeFailure.LIMIT),)
        if handshake.session_id and not isinstance(handshake, ResumingHandshake):
            self._resumables.add(handshake.session_id, handshake.make_resumable(session.identity, now), now)
        self._flush(handshake)
        self._counters.handshakes_completed += 1
        return [*ended, SessionEstablished(session)]

    def _fail(self, handshake: ServerHandshake, failure: HandshakeFailure) -> HandshakeFailed:
        self._forget(handshake)
        self._counters.handshakes_failed += 1
        return HandshakeFailed(
            handshake.address, handshake.identity, failure, handshake.fault, handshake.names
        )

    def _make_room(self) -> Sequence[Event]:
        if len(self._by_number) < self._config.max_handshakes:
            return ()
        self._counters.handshakes_evicted += 1
        return (self._fail(next(iter(self._by_number.values())), HandshakeFailure.LIMIT),)

    def _forget(self, handshake: ServerHandshake) -> None:
        del self._by_number[handshake.number]
        del self._by_address[handshake.address]
        if handshake.cid:
            del self._by_cid[handshake.cid]
        self._deadlines.cancel(handshake.number)

    def _flush(self, handshake: ServerHandshake) -> None:
        address = handshake.address
        self._outbox += [(datagram, address) for datagram in handshake.to_send]
        handshake.to_send.clear()

    def _arm(self, handshake: ServerHandshake) -> None:
        # A deadline that only moved away is found out when the old one comes: two in three are never due.
        handshake.timer_at = handshake.next_deadline
        self._deadlines.set(handshake.number, handshake.timer_at)

    def _new_cid(self) -> bytes:
        config = self._config
        if not config.cid_length:
            return b""
        for _ in range(_CID_TRIES):
            cid = bytes((config.node,)) + self._settings.entropy(config.cid_length - 1)
            if self._table.find_by_cid(cid) is None and cid not in self._by_cid:
                return cid
        return b""


def _share_maker(config: EndpointConfig, entropy: Callable[[int], bytes]) -> Callable[[NamedGroup], KeyShare]:
    make_private = config.make_private
    if make_private is None:
        return partial(generate, entropy=entropy)
    return lambda group: KeyShare(make_private(group))


def _question(handshake: ServerHandshake) -> Event:
    """What the owner is asked by a handshake that waits for the answer."""
    number, address, server_name = handshake.number, handshake.address, handshake.server_name
    if isinstance(handshake, ResumingHandshake):
        entry = handshake.resumable
        return ResumptionRequested(number, entry.identity, entry.credential, address, server_name)
    shown = handshake.shown
    if shown is None:
        assert handshake.identity is not None, "KEY comes with one"
        return PskRequested(number, handshake.identity, address, server_name)
    if isinstance(shown, ShownCertificate):
        return CertificatePresented(number, shown.leaf, shown.issuers, address, server_name)
    return RawPublicKeyPresented(number, shown, address, server_name)
