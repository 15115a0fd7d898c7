"""One handshake of the server role, from the verified ClientHello to both Finished (RFC 6347 figure 1).

Knows one client and one moment; sends by leaving datagrams in `to_send`. Nothing that a stranger
can send in the client's name ends it at once, except what the client itself could not take back:
a message of its flight that cannot be read or proves nothing, or a fatal alert.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from gateway.address import Address
from gateway.dtls.alerts import Alert, AlertDescription, decode_alert, encode_alert, fatal
from gateway.dtls.certificates import CertificateName
from gateway.dtls.counters import Counters
from gateway.dtls.credential import Credential
from gateway.dtls.errors import AlertError, DecodeError
from gateway.dtls.events import CredentialAccepted, HandshakeFailure
from gateway.dtls.exchange import decode_ecdhe_client_key_exchange, decode_ecdhe_psk_client_key_exchange
from gateway.dtls.flight import CHANGE_CIPHER_SPEC, RecordWriter, Retransmission, handshake_message, pack
from gateway.dtls.fragments import HandshakeMessage, Reassembly
from gateway.dtls.groups import KeyShare, NamedGroup
from gateway.dtls.handshake import (
    HeldRecords,
    MessageInbox,
    Secrets,
    Transcript,
    derive,
    is_finished_right,
    make_premaster,
)
from gateway.dtls.hello import VerifiedHello
from gateway.dtls.keys import HmacSha256, verify_data
from gateway.dtls.messages import (
    HANDSHAKE_HEADER_BYTES,
    RANDOM_BYTES,
    HandshakeType,
    decode_fragments,
    decode_psk_client_key_exchange,
    encode_message,
)
from gateway.dtls.negotiation import Choice
from gateway.dtls.proof import Shown, check_proof, read_certificate_message
from gateway.dtls.protection import RecordOpener, RecordSealer, protect
from gateway.dtls.record import CHANGE_CIPHER_SPEC_BODY, DTLS_1_2, ContentType, Record
from gateway.dtls.refusal import CredentialFault, CredentialRefusal
from gateway.dtls.replay import ReplayWindow
from gateway.dtls.resumption import SESSION_ID_BYTES, Resumable
from gateway.dtls.routability import timeout_s
from gateway.dtls.serverflight import make_first_flight
from gateway.dtls.serverstates import ASKING, FIRST, MESSAGES, TRANSITIONS, Input, State
from gateway.dtls.session import Keys, LastFlight, Session
from gateway.dtls.settings import EndpointConfig, RetransmitSettings
from gateway.dtls.storedstate import StoredKeys, encode_keys

_ALERT: Final = int(ContentType.ALERT)
_HANDSHAKE: Final = int(ContentType.HANDSHAKE)
_CHANGE_CIPHER_SPEC: Final = int(ContentType.CHANGE_CIPHER_SPEC)

# Reached for with every message: a member of an enum, by its class, costs as much as a call.
_CERTIFICATE: Final = State.CERTIFICATE
_EXCHANGE: Final = State.EXCHANGE
_PROOF: Final = State.PROOF
_FINISH: Final = State.FINISH
_ESTABLISHED: Final = State.ESTABLISHED
_FAILED: Final = State.FAILED
_TAKE_KEY: Final = Input.KEY
_TAKE_WELCOME: Final = Input.WELCOME
_TAKE_CERTIFICATE: Final = Input.CERTIFICATE
_TAKE_CLIENT_KEY_EXCHANGE: Final = Input.CLIENT_KEY_EXCHANGE
_TAKE_CERTIFICATE_VERIFY: Final = Input.CERTIFICATE_VERIFY
_TAKE_CHANGE_CIPHER_SPEC: Final = Input.CHANGE_CIPHER_SPEC
_TAKE_FINISHED: Final = Input.FINISHED
_FINISHED_MESSAGE: Final = int(HandshakeType.FINISHED)

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
    make_share: Callable[[NamedGroup], KeyShare]


class ServerHandshake:
    """Give it records by `receive`, the key by `provide_psk`; look at `state` and `to_send` after each.

    `number` names it; `cid` is the connection ID it gives out, empty for none.
    """

    __slots__ = (
        "_choice",
        "_client_random",
        "_credential",
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
        "_share",
        "_shared",
        "_transcript",
        "_writer",
        "address",
        "cid",
        "credential_version",
        "expires_at",
        "failure",
        "fault",
        "identity",
        "last_flight",
        "names",
        "number",
        "session_expires_at",
        "session_id",
        "shown",
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
        credential: Credential | None = None,
    ) -> None:
        self.number = number
        self.address = address
        self.cid = cid
        self.identity: bytes | None = None
        self.failure: HandshakeFailure | None = None
        self.fault: CredentialFault | None = None
        self.names: tuple[CertificateName, ...] = ()
        self.shown: Shown | None = None
        "What the client showed, once it was read."

        self.session_expires_at: float | None = None
        self.session_id = b""
        "By which the session may be resumed; empty: it may not."

        self.credential_version = b""
        self.to_send: list[bytes] = []
        self.last_flight: LastFlight | None = None
        self.expires_at = now + settings.config.handshake_timeout_s
        self.timer_at = self.expires_at
        "For which deadline the owner has set its timer."

        config = settings.config
        is_certified = choice.terms.client_certificate is not None
        self.state = _CERTIFICATE if is_certified else _EXCHANGE
        self._choice = choice
        self._credential = credential
        self._share: KeyShare | None = None
        self._shared: bytes | None = None
        self._settings = settings
        self._client_random = verified.random
        self._hello_unchanging = verified.unchanging
        self._server_random = settings.entropy(RANDOM_BYTES)
        buffer_bytes = config.certificate_buffer_bytes if is_certified else config.handshake_buffer_bytes
        self._inbox = MessageInbox(verified.message_seq + 1, buffer_bytes, 1)
        self._writer = RecordWriter(verified.record_sequence, choice.sizes)
        self._keys: tuple[RecordOpener, RecordSealer, ReplayWindow] | None = None
        self._secrets: Secrets | None = None
        self._is_change_held = False
        self._is_known = False
        self._held = HeldRecords(config.handshake_buffer_bytes)
        self._is_with_exchange = False
        self._is_suspect = False
        self._round_trip_s: float | None = None
        self._retransmission = Retransmission(settings.retransmit, now)
        self._begin(verified)

    def is_for(self, unchanging: bytes) -> bool:
        """Whether this handshake was begun by the hello with this part (`messages.unchanging_part`)."""
        return unchanging == self._hello_unchanging

    @property
    def next_deadline(self) -> float:
        """When `handle_timer` is wanted."""
        due_at, expires_at = self._retransmission.due_at, self.expires_at
        return expires_at if due_at is None or due_at > expires_at else due_at

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

    @property
    def server_name(self) -> bytes | None:
        """The host that the client means to reach."""
        return self._choice.server_name

    def provide_psk(self, psk: bytes | None, now: float, credential: bytes = b"") -> None:
        """The key of the identity; None goes on with a random one, so that nobody can tell."""
        is_asked = self._advance(_TAKE_KEY, now)
        assert is_asked, "the owner looks at the state first"
        # Drawn for everybody: an unknown identity must not be known by the work it makes.
        random_key = self._settings.entropy(_RANDOM_KEY_BYTES)
        self._is_known = bool(psk)
        self.credential_version = credential
        self._derive(make_premaster(psk or random_key, self._shared))
        self._release_held(now)

    def provide_credential(self, verdict: CredentialAccepted | CredentialRefusal, now: float) -> None:
        """Whether the holder of what was shown and proved is welcome, and who it is."""
        if isinstance(verdict, CredentialRefusal):
            self._refuse(verdict)
            return
        is_asked = self._advance(_TAKE_WELCOME, now)
        assert is_asked, "the owner looks at the state first"
        self.identity = verdict.identity
        self.session_expires_at = verdict.expires_at
        self.credential_version = verdict.credential
        self._release_held(now)

    def repeat(self, now: float) -> None:
        """Send our flight again: the client repeated its hello, or the timer is due."""
        if self._is_flight_out and not self._retransmission.is_used_up:
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
        assert self.state is _ESTABLISHED
        assert self._keys is not None
        assert self.identity is not None
        keys = Keys(*self._keys, self._writer.next_protected)
        session = Session(self.number, self.identity, self.address, self.cid, keys, now)
        session.last_flight = self.last_flight
        session.expires_at = self.session_expires_at
        session.session_id = self.session_id
        session.max_content_bytes = self._choice.max_content_bytes
        if self._settings.config.persist_sessions:
            session.keys = self._encode_keys()
            session.credential = self.credential_version
        session.check_s = timeout_s(self._round_trip_s) if self._choice.has_rrc else None
        return session

    def _encode_keys(self) -> bytes:
        assert self._secrets is not None
        choice = self._choice
        is_mac_last = choice.terms.encrypt_then_mac
        keys = StoredKeys(
            choice.suite.id,
            self._secrets.block,
            choice.peer_cid or b"",
            is_mac_last,
            choice.max_content_bytes,
        )
        return encode_keys(keys)

    def make_resumable(self, identity: bytes, now: float) -> Resumable:
        """What `session_id` stands for, once the handshake of *identity* is complete."""
        assert self._secrets is not None, "complete with keys"
        choice = self._choice
        return Resumable(
            now + self._settings.config.resumption_s,
            self.session_expires_at,
            self._secrets.master,
            choice.suite.id,
            choice.terms.encrypt_then_mac,
            identity,
            self.credential_version,
            choice.server_name or b"",
        )

    @property
    def _is_flight_out(self) -> bool:
        return self.state in FIRST

    @property
    def _key_failure(self) -> HandshakeFailure:
        if self.shown is not None:
            return HandshakeFailure.PROTOCOL_ERROR
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
        self.state = _FAILED
        self.failure = failure
        self._held.take()
        if alert is not None:
            self.to_send.append(self._writer.write(_ALERT, 0, encode_alert(fatal(alert))))

    def _refuse(self, refusal: CredentialRefusal) -> None:
        self.fault, self.names = refusal
        self._fail(HandshakeFailure.CREDENTIAL_REFUSED, refusal.alert)

    def _begin(self, verified: VerifiedHello) -> None:
        config = self._settings.config
        if config.resumption_s and self._choice.has_extended_master_secret:
            self.session_id = self._settings.entropy(SESSION_ID_BYTES)
        messages, self._share = make_first_flight(
            self._choice,
            self.cid,
            self._client_random,
            self._server_random,
            self.session_id,
            verified.message_seq,
            self._credential,
            self._settings.make_share,
        )
        is_certified = self.state is _CERTIFICATE
        self._transcript = Transcript(verified.message, *messages, has_sha384=is_certified)
        self._finished_seq = verified.message_seq + len(messages)
        self._flight = tuple([handshake_message(message) for message in messages])
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
        try:
            _TAKERS[step](self, message, now)
        except DecodeError:
            self._settings.counters.malformed_messages += 1
            self._fail(HandshakeFailure.PROTOCOL_ERROR, AlertDescription.DECODE_ERROR)
        except AlertError as error:
            self._settings.counters.malformed_messages += 1
            self._fail(HandshakeFailure.PROTOCOL_ERROR, error.description)

    def _receive_certificate(self, message: bytes, now: float) -> None:
        kind = self._choice.terms.client_certificate
        assert kind is not None, "CERTIFICATE comes with one agreed on"
        shown = read_certificate_message(message[HANDSHAKE_HEADER_BYTES:], kind)
        self._begin_answer(_TAKE_CERTIFICATE, message, now)
        if isinstance(shown, CredentialRefusal):
            self._refuse(shown)
        else:
            self.shown = shown

    def _receive_key_exchange(self, message: bytes, now: float) -> None:
        body = message[HANDSHAKE_HEADER_BYTES:]
        share = self._share
        if share is None:
            self.identity = decode_psk_client_key_exchange(body)
        elif self.shown is None:
            self.identity, public = decode_ecdhe_psk_client_key_exchange(body)
            self._shared = share.agree(public)
        else:
            self._shared = share.agree(decode_ecdhe_client_key_exchange(body))
        self._begin_answer(_TAKE_CLIENT_KEY_EXCHANGE, message, now)
        self._is_with_exchange = True
        if self.state is _PROOF:
            self._derive(make_premaster(None, self._shared))

    def _receive_certificate_verify(self, message: bytes, now: float) -> None:
        assert self.shown is not None, "PROOF comes after CERTIFICATE"
        refusal = check_proof(message[HANDSHAKE_HEADER_BYTES:], self.shown, self._transcript)
        self._begin_answer(_TAKE_CERTIFICATE_VERIFY, message, now)
        if refusal is not None:
            self._refuse(refusal)

    def _begin_answer(self, step: Input, message: bytes, now: float) -> None:
        if self.state in FIRST:
            self._round_trip_s = self._retransmission.round_trip_s(now)
            self._retransmission.stop()
        self._advance(step, now)
        self._transcript.add(message)

    def _derive(self, premaster: bytes) -> None:
        choice = self._choice
        session_hash = self._transcript.digest() if choice.has_extended_master_secret else None
        self._protect(derive(premaster, choice.suite, self._client_random, self._server_random, session_hash))

    def _protect(self, secrets: Secrets) -> None:
        choice = self._choice
        self._secrets = secrets
        opener, sealer = protect(
            choice.suite,
            secrets.block,
            is_client=False,
            own_cid=self.cid,
            peer_cid=choice.peer_cid or b"",
            entropy=self._settings.entropy,
            encrypt_then_mac=choice.terms.encrypt_then_mac,
        )
        self._writer.protect_with(sealer)
        self._keys = opener, sealer, ReplayWindow()

    def _receive_change(self, record: Record, now: float) -> None:
        if record.fragment != CHANGE_CIPHER_SPEC_BODY:
            self._settings.counters.malformed_messages += 1
        elif self.state in ASKING and not self._is_change_held:
            self._is_change_held = True
            self._hold(record, False)
        elif self._advance(_TAKE_CHANGE_CIPHER_SPEC, now):
            self._release_held(now)

    def _receive_protected(self, record: Record, is_with_exchange: bool, now: float) -> None:
        if self.state is not _FINISH:
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
        assert self._secrets is not None, "FINISH comes after the keys"
        mac = self._secrets.mac
        data = message[HANDSHAKE_HEADER_BYTES:]
        if not is_finished_right(data, mac, True, self._transcript.digest()):
            self._settings.counters.malformed_messages += 1
            self._fail(HandshakeFailure.PROTOCOL_ERROR)
            return
        self._advance(_TAKE_FINISHED, now)
        self._answer_finished(message, mac, now)

    def _answer_finished(self, message: bytes, mac: HmacSha256, now: float) -> None:
        self._transcript.add(message)
        data = verify_data(mac, False, self._transcript.digest())
        finished = encode_message(_FINISHED_MESSAGE, self._finished_seq, data)
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
            if self.state in (_ESTABLISHED, _FAILED):
                self._settings.counters.unexpected_records += 1
            elif record.epoch:
                self._receive_protected(record, is_with_exchange, now)
            else:
                self._receive_change(record, now)


_TAKERS: Final[dict[Input, Callable[[ServerHandshake, bytes, float], None]]] = {
    Input.CERTIFICATE: ServerHandshake._receive_certificate,
    Input.CLIENT_KEY_EXCHANGE: ServerHandshake._receive_key_exchange,
    Input.CERTIFICATE_VERIFY: ServerHandshake._receive_certificate_verify,
    Input.FINISHED: ServerHandshake._receive_finished,
}


def _decode(content: bytes) -> Alert | None:
    try:
        return decode_alert(content)
    except DecodeError:
        return None
