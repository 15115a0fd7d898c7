"""One handshake of the server role, from the verified ClientHello to both Finished (RFC 6347 figure 1).

Knows one client and one moment; sends by leaving datagrams in `to_send`. Nothing that a stranger
can send in the client's name ends it at once, except what the client itself could not take back:
a ClientKeyExchange that cannot be read, or a fatal alert.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from gateway.address import Address
from gateway.dtls.alerts import Alert, AlertDescription, decode_alert, encode_alert, fatal
from gateway.dtls.counters import Counters
from gateway.dtls.errors import DecodeError
from gateway.dtls.events import HandshakeFailure
from gateway.dtls.flight import CHANGE_CIPHER_SPEC, RecordWriter, Retransmission, handshake_message, pack
from gateway.dtls.fragments import HandshakeMessage, Reassembly
from gateway.dtls.handshake import (
    HeldRecords,
    MessageInbox,
    Secrets,
    Transcript,
    derive,
    is_finished_right,
)
from gateway.dtls.hello import VerifiedHello
from gateway.dtls.keys import verify_data
from gateway.dtls.messages import (
    HANDSHAKE_HEADER_BYTES,
    RANDOM_BYTES,
    ClientHello,
    HandshakeType,
    decode_fragments,
    decode_psk_client_key_exchange,
    encode_message,
    encode_server_hello,
)
from gateway.dtls.negotiation import Choice
from gateway.dtls.record import CHANGE_CIPHER_SPEC_BODY, DTLS_1_2, ContentType, Opener, Record, Sealer
from gateway.dtls.replay import ReplayWindow
from gateway.dtls.routability import timeout_s
from gateway.dtls.serverstates import MESSAGES, TRANSITIONS, Input, State
from gateway.dtls.session import Keys, LastFlight, Session
from gateway.dtls.settings import EndpointConfig, RetransmitSettings

_ALERT: Final = int(ContentType.ALERT)
_HANDSHAKE: Final = int(ContentType.HANDSHAKE)
_CHANGE_CIPHER_SPEC: Final = int(ContentType.CHANGE_CIPHER_SPEC)

_RANDOM_KEY_BYTES: Final = 16
_SUSPECT_S: Final = 5.0
"How long a right Finished may still come after a wrong one, which a stranger may have sent."

_LAST_FLIGHT_REPEATS: Final = 8


class ServerSettings(NamedTuple):
    """What all handshakes of an endpoint share."""

    config: EndpointConfig
    retransmit: RetransmitSettings
    entropy: Callable[[int], bytes]
    counters: Counters


class ServerHandshake:
    """Give it records by `receive`, the key by `provide_psk`; look at `state` and `to_send` after each.

    `number` names it; `cid` is the connection ID it gives out, empty for none.
    """

    __slots__ = (
        "_choice",
        "_client_random",
        "_finished_seq",
        "_flight",
        "_held",
        "_hello_unchanging",
        "_inbox",
        "_is_change_held",
        "_is_known",
        "_is_suspect",
        "_is_with_exchange",
        "_keys",
        "_retransmission",
        "_round_trip_s",
        "_secrets",
        "_server_random",
        "_settings",
        "_transcript",
        "_writer",
        "address",
        "cid",
        "expires_at",
        "failure",
        "identity",
        "last_flight",
        "number",
        "state",
        "timer_at",
        "to_send",
    )

    def __init__(
        self,
        number: int,
        address: Address,
        verified: VerifiedHello,
        choice: Choice,
        cid: bytes,
        settings: ServerSettings,
        now: float,
    ) -> None:
        self.number = number
        self.address = address
        self.cid = cid
        self.identity: bytes | None = None
        self.failure: HandshakeFailure | None = None
        self.to_send: list[bytes] = []
        self.last_flight: LastFlight | None = None
        self.expires_at = now + settings.config.handshake_timeout_s
        self.timer_at = self.expires_at
        "For which deadline the owner has set its timer."

        self.state = State.EXCHANGE
        self._choice = choice
        self._settings = settings
        self._client_random = verified.hello.random
        self._hello_unchanging = verified.hello.unchanging
        self._finished_seq = verified.message_seq + 2
        self._server_random = settings.entropy(RANDOM_BYTES)
        self._inbox = MessageInbox(verified.message_seq + 1, settings.config.handshake_buffer_bytes, 1)
        self._writer = RecordWriter(verified.record_sequence)
        self._keys: tuple[Opener, Sealer, ReplayWindow] | None = None
        self._secrets: Secrets | None = None
        self._is_change_held = False
        self._is_known = False
        self._held = HeldRecords(settings.config.handshake_buffer_bytes)
        self._is_with_exchange = False
        self._is_suspect = False
        self._round_trip_s: float | None = None
        self._retransmission = Retransmission(settings.retransmit, now)
        self._send_hello(verified)

    def is_for(self, hello: ClientHello) -> bool:
        """Whether this handshake was begun by *hello*, of which a copy has come."""
        return hello.unchanging == self._hello_unchanging

    @property
    def next_deadline(self) -> float:
        """When `handle_timer` is wanted."""
        due_at = self._retransmission.due_at
        return self.expires_at if due_at is None else min(due_at, self.expires_at)

    @property
    def is_sooner(self) -> bool:
        """Whether the owner's timer comes too late."""
        return self.next_deadline < self.timer_at

    def begin_datagram(self) -> None:
        """The records given from here on came in a new datagram."""
        self._is_with_exchange = False

    def receive(self, record: Record, now: float) -> None:
        """A record of epoch 0 or 1 from the client's address, or with the connection ID given to it."""
        content_type = record.content_type
        if record.version != DTLS_1_2:
            self._settings.counters.bad_version += 1
        elif record.epoch:
            self._receive_protected(record, self._is_with_exchange, now)
        elif content_type == _HANDSHAKE:
            self._receive_handshake(record.fragment, 0, now)
        elif content_type == _CHANGE_CIPHER_SPEC:
            self._receive_change(record, now)
        elif content_type == _ALERT:
            self._receive_alert(record.fragment)
        else:
            self._settings.counters.clear_application_data += 1

    def provide_psk(self, psk: bytes | None, now: float) -> None:
        """The key of the identity; None goes on with a random one, so that nobody can tell."""
        is_asked = self._advance(Input.KEY, now)
        assert is_asked, "the owner looks at the state first"
        # Drawn for everybody: an unknown identity must not be known by the work it makes.
        random_key = self._settings.entropy(_RANDOM_KEY_BYTES)
        self._is_known = bool(psk)
        choice = self._choice
        session_hash = self._transcript.digest() if choice.has_extended_master_secret else None
        self._secrets = derive(
            psk or random_key,
            choice.suite,
            self._client_random,
            self._server_random,
            session_hash,
        )
        block = self._secrets.block
        opener = Opener(choice.suite, block.client_key, block.client_iv, self.cid)
        sealer = Sealer(choice.suite, block.server_key, block.server_iv, choice.peer_cid or b"")
        self._writer.protect_with(sealer)
        self._keys = opener, sealer, ReplayWindow()
        self._release_held(now)

    def repeat(self, now: float) -> None:
        """Send our flight again: the client repeated its hello, or the timer is due."""
        if self.state is State.EXCHANGE and not self._retransmission.is_used_up:
            self._retransmission.advance(now)
            self._settings.counters.retransmissions += 1
            self._send_flight()

    def handle_timer(self, now: float) -> None:
        """Repeat what is due; give up when nothing came forward for too long."""
        if now >= self.expires_at:
            self._fail(HandshakeFailure.TIMEOUT if not self._is_suspect else self._key_failure)
        else:
            due_at = self._retransmission.due_at
            if due_at is not None and now >= due_at:
                self.repeat(now)

    def make_session(self, now: float) -> Session:
        """The session of an established handshake, which is used up by this."""
        assert self.state is State.ESTABLISHED
        assert self._keys is not None
        assert self.identity is not None
        keys = Keys(*self._keys, self._writer.next_protected)
        session = Session(self.number, self.identity, self.address, self.cid, keys, now)
        session.last_flight = self.last_flight
        session.check_s = timeout_s(self._round_trip_s) if self._choice.has_rrc else None
        return session

    @property
    def _key_failure(self) -> HandshakeFailure:
        return HandshakeFailure.WRONG_KEY if self._is_known else HandshakeFailure.UNKNOWN_IDENTITY

    def _advance(self, step: Input, now: float) -> bool:
        state = TRANSITIONS.get((self.state, step))
        if state is None:
            self._settings.counters.unexpected_messages += 1
            return False
        self.state = state
        self.expires_at = now + self._settings.config.handshake_timeout_s
        return True

    def _fail(self, failure: HandshakeFailure, alert: AlertDescription | None = None) -> None:
        self.state = State.FAILED
        self.failure = failure
        self._held.take()
        if alert is not None:
            self.to_send.append(self._writer.write(_ALERT, 0, encode_alert(fatal(alert))))

    def _send_hello(self, verified: VerifiedHello) -> None:
        choice = self._choice
        server_hello = encode_message(
            HandshakeType.SERVER_HELLO,
            verified.message_seq,
            encode_server_hello(
                DTLS_1_2, self._server_random, b"", choice.suite.id, choice.extensions(self.cid)
            ),
        )
        done = encode_message(HandshakeType.SERVER_HELLO_DONE, verified.message_seq + 1, b"")
        self._transcript = Transcript(verified.message, server_hello, done)
        self._flight = (handshake_message(server_hello), handshake_message(done))
        self._send_flight()

    def _send_flight(self) -> None:
        mtu_bytes = self._settings.config.mtu_bytes
        self.to_send += pack(self._flight, self._writer, mtu_bytes, self._retransmission.is_small)

    def _receive_handshake(self, content: bytes, epoch: int, now: float) -> None:
        step = self._expected(epoch, content[0]) if content else None
        if step is not None and self._inbox.take_whole(content):
            self._receive_message(step, content, now)
            return
        try:
            fragments = decode_fragments(content)
        except DecodeError:
            self._settings.counters.malformed_messages += 1
            return
        for fragment in fragments:
            step = self._expected(epoch, fragment.message_type)
            if step is None:
                self._settings.counters.unexpected_messages += 1
                continue
            message = self._inbox.add(fragment, epoch)
            if message is Reassembly.REFUSED:
                self._settings.counters.handshake_buffer_full += 1
            elif isinstance(message, HandshakeMessage):
                self._receive_message(step, message.encode(), now)

    def _expected(self, epoch: int, message_type: int) -> Input | None:
        step = MESSAGES.get((epoch, message_type))
        return step if step is not None and (self.state, step) in TRANSITIONS else None

    def _receive_message(self, step: Input, message: bytes, now: float) -> None:
        if step is Input.CLIENT_KEY_EXCHANGE:
            self._receive_key_exchange(message, now)
        else:
            self._receive_finished(message, now)

    def _receive_key_exchange(self, message: bytes, now: float) -> None:
        try:
            self.identity = decode_psk_client_key_exchange(message[HANDSHAKE_HEADER_BYTES:])
        except DecodeError:
            self._settings.counters.malformed_messages += 1
            self._fail(HandshakeFailure.PROTOCOL_ERROR, AlertDescription.DECODE_ERROR)
            return
        self._advance(Input.CLIENT_KEY_EXCHANGE, now)
        self._round_trip_s = self._retransmission.round_trip_s(now)
        self._retransmission.stop()
        self._transcript.add(message)
        self._is_with_exchange = True

    def _receive_change(self, record: Record, now: float) -> None:
        if record.fragment != CHANGE_CIPHER_SPEC_BODY:
            self._settings.counters.malformed_messages += 1
        elif self.state is State.KEY and not self._is_change_held:
            self._is_change_held = True
            self._hold(record, False)
        elif self._advance(Input.CHANGE_CIPHER_SPEC, now):
            self._release_held(now)

    def _receive_protected(self, record: Record, is_with_exchange: bool, now: float) -> None:
        if self.state is not State.FINISH:
            self._hold(record, is_with_exchange)
            return
        assert self._keys is not None, "FINISH comes after KEY"
        opener, _, window = self._keys
        counters = self._settings.counters
        if not window.is_fresh(record.sequence):
            counters.replayed_records += 1
            return
        opened = opener.open(record)
        if opened is None:
            counters.handshake_bad_records += 1
            self._suspect(is_with_exchange, now)
            return
        window.mark(record.sequence)
        content_type, content = opened
        if content_type == _HANDSHAKE:
            self._receive_handshake(content, 1, now)
        elif content_type == _ALERT:
            self._receive_alert(content)
        else:
            counters.unexpected_records += 1

    def _suspect(self, is_with_exchange: bool, now: float) -> None:
        # Who sent the identity in this very datagram has said all there is to say. Any other record
        # may be a stranger's, sent to end the handshake of somebody who does hold the key.
        if is_with_exchange:
            self._fail(self._key_failure)
        elif not self._is_suspect:
            self._is_suspect = True
            self.expires_at = min(self.expires_at, now + _SUSPECT_S)

    def _receive_finished(self, message: bytes, now: float) -> None:
        assert self._secrets is not None, "FINISH comes after KEY"
        master = self._secrets.mac
        data = message[HANDSHAKE_HEADER_BYTES:]
        if not is_finished_right(data, master, True, self._transcript.digest()):
            self._settings.counters.malformed_messages += 1
            self._fail(HandshakeFailure.PROTOCOL_ERROR)
            return
        self._advance(Input.FINISHED, now)
        self._transcript.add(message)
        data = verify_data(master, False, self._transcript.digest())
        finished = encode_message(HandshakeType.FINISHED, self._finished_seq, data)
        self._flight = (CHANGE_CIPHER_SPEC, handshake_message(finished, 1))
        self._send_flight()
        self.last_flight = LastFlight(
            self.address, self._client_random, finished, self._writer.next_in_clear, _LAST_FLIGHT_REPEATS
        )

    def _receive_alert(self, content: bytes) -> None:
        alert = _decode(content)
        if alert is not None and (alert.is_fatal or alert.is_close):
            self._fail(HandshakeFailure.PEER_ALERT)
        else:
            self._settings.counters.alerts_ignored += 1

    def _hold(self, record: Record, is_with_exchange: bool) -> None:
        if not self._held.add(record, is_with_exchange):
            self._settings.counters.handshake_buffer_full += 1

    def _release_held(self, now: float) -> None:
        for record, is_with_exchange in self._held.take():
            if self.state in (State.ESTABLISHED, State.FAILED):
                self._settings.counters.unexpected_records += 1
            elif record.epoch:
                self._receive_protected(record, is_with_exchange, now)
            else:
                self._receive_change(record, now)


def _decode(content: bytes) -> Alert | None:
    try:
        return decode_alert(content)
    except DecodeError:
        return None
