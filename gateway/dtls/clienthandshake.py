"""One handshake of the client role (RFC 6347 figure 1, seen from the left).

    Client                                     Server                     state afterwards

    ClientHello                  -------->                                HELLO
                                 <--------     HelloVerifyRequest
    ClientHello with cookie      -------->                                HELLO
                                 <--------     ServerHello                CERTIFICATE, SHARE or DONE
                                               [Certificate]              SHARE
                                               [ServerKeyExchange]        DONE
                                               [CertificateRequest]       DONE
                                 <--------     ServerHelloDone
    [Certificate]
    ClientKeyExchange
    [CertificateVerify]
    [ChangeCipherSpec]
    Finished                     -------->                                CHANGE
                                 <--------     [ChangeCipherSpec]         FINISH
                                               Finished                   ESTABLISHED

    with an earlier session that the server knows (RFC 5246 figure 2):
                                 <--------     ServerHello                CHANGE
                                               [ChangeCipherSpec]         FINISH
                                               Finished                   ESTABLISHED
    [ChangeCipherSpec]
    Finished                     -------->

Sends by leaving datagrams in `to_send`. Knows nothing of what comes after the handshake.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import IntEnum
from typing import Final

from gateway.dtls.alerts import AlertDescription, decode_alert, encode_alert, fatal
from gateway.dtls.clientexchange import ClientExchange
from gateway.dtls.clientoffer import check_answer, offered_extensions
from gateway.dtls.errors import AlertError, DecodeError
from gateway.dtls.events import HandshakeFailure
from gateway.dtls.extensions import ExtensionType
from gateway.dtls.flight import (
    CHANGE_CIPHER_SPEC,
    FlightMessage,
    RecordWriter,
    Retransmission,
    handshake_message,
    pack,
)
from gateway.dtls.fragments import HandshakeMessage, Reassembly
from gateway.dtls.handshake import (
    MessageInbox,
    Secrets,
    Transcript,
    derive,
    is_finished_right,
    make_premaster,
    resume,
)
from gateway.dtls.keys import verify_data
from gateway.dtls.messages import (
    RANDOM_BYTES,
    HandshakeType,
    ServerHello,
    decode_finished,
    decode_fragments,
    decode_hello_verify_request,
    decode_server_hello,
    decode_server_hello_done,
    encode_client_hello,
    encode_message,
)
from gateway.dtls.protection import RecordOpener, RecordSealer, protect
from gateway.dtls.record import (
    CHANGE_CIPHER_SPEC_BODY,
    DTLS_1_0,
    DTLS_1_2,
    ContentType,
    Record,
)
from gateway.dtls.recordsize import sizes_of
from gateway.dtls.replay import ReplayWindow
from gateway.dtls.resumption import ClientResumable
from gateway.dtls.session import Keys
from gateway.dtls.settings import ClientConfig
from gateway.dtls.suites import SUITES, KeyExchange

_ALERT: Final = int(ContentType.ALERT)
_HANDSHAKE: Final = int(ContentType.HANDSHAKE)
_CHANGE_CIPHER_SPEC: Final = int(ContentType.CHANGE_CIPHER_SPEC)

_MAX_MESSAGE_BYTES: Final = 8_192
_MAX_AHEAD: Final = 4
_MAX_HELD: Final = 8
_MAX_COOKIES: Final = 4


class State(IntEnum):
    """Which row of the figure was the last."""

    HELLO = 1
    CERTIFICATE = 2
    SHARE = 3
    DONE = 4
    CHANGE = 5
    FINISH = 6
    ESTABLISHED = 7
    FAILED = 8


class ClientHandshake:
    """Made with its first flight in `to_send`; look at `state` and `to_send` after each call."""

    __slots__ = (
        "_config",
        "_cookies",
        "_entropy",
        "_exchange",
        "_extensions",
        "_flight",
        "_give_up_at",
        "_held",
        "_inbox",
        "_keys",
        "_message_seq",
        "_messages",
        "_random",
        "_retransmission",
        "_secrets",
        "_server_hello",
        "_writer",
        "failure",
        "last_flight",
        "state",
        "to_send",
    )

    def __init__(self, config: ClientConfig, entropy: Callable[[int], bytes], now: float) -> None:
        self.state = State.HELLO
        self.failure: HandshakeFailure | None = None
        self.to_send: list[bytes] = []
        self._config = config
        self._entropy = entropy
        self._random = entropy(RANDOM_BYTES)
        self._extensions = offered_extensions(config)
        self._writer = RecordWriter()
        self._inbox = MessageInbox(0, _MAX_MESSAGE_BYTES, _MAX_AHEAD)
        self._message_seq = 0
        self._cookies = 0
        self._held: list[Record] = []
        self._server_hello: ServerHello | None = None
        self._secrets: Secrets | None = None
        self._exchange: ClientExchange | None = None
        self.last_flight: tuple[int, bytes] | None = None
        "Of a resumed session: the number of our next record in clear, and our Finished, which may get lost."

        self._messages: list[bytes] = []
        self._keys: tuple[RecordOpener, RecordSealer, ReplayWindow] | None = None
        self._send_hello(b"", now)

    @property
    def next_deadline(self) -> float:
        """When `handle_timer` is wanted."""
        due_at = self._retransmission.due_at
        return self._give_up_at if due_at is None else due_at

    @property
    def has_rrc(self) -> bool:
        """Whether the server may check our address (RFC 9853)."""
        hello = self._server_hello
        return hello is not None and ExtensionType.RRC in hello.extensions

    def receive(self, record: Record, now: float) -> None:
        """A record from the server, of any epoch."""
        if self.state >= State.ESTABLISHED or record.version not in (DTLS_1_2, DTLS_1_0):
            return
        if record.epoch == 1:
            self._receive_protected(record, now)
        elif record.epoch:
            return
        elif record.content_type == _HANDSHAKE:
            if self.state < State.CHANGE:
                self._receive_messages(record.fragment, 0, now)
        elif record.content_type == _CHANGE_CIPHER_SPEC:
            self._receive_change(record.fragment, now)
        elif record.content_type == _ALERT:
            self._receive_alert(record.fragment)

    def handle_timer(self, now: float) -> None:
        """Repeat the flight that is due, or give up."""
        if now < self.next_deadline:
            return
        if self._retransmission.due_at is None:
            self._fail(HandshakeFailure.TIMEOUT)
            return
        self._retransmission.advance(now)
        self._give_up_at = now + self._retransmission.interval_s
        self._send_flight()

    def make_resumable(self) -> ClientResumable | None:
        """What a later connection may begin with; None: the server does not offer it."""
        hello, secrets = self._server_hello, self._secrets
        assert hello is not None, "established with a server"
        assert secrets is not None, "established with keys"
        if not hello.session_id or not hello.has_extended_master_secret:
            return None
        has_etm = ExtensionType.ENCRYPT_THEN_MAC in hello.extensions
        return ClientResumable(hello.session_id, secrets.master, hello.cipher_suite, has_etm)

    def make_keys(self) -> Keys:
        """What an established handshake leaves."""
        assert self._keys is not None, "established with keys"
        return Keys(*self._keys, self._writer.next_protected)

    # --- sending

    def _send_hello(self, cookie: bytes, now: float) -> None:
        config = self._config
        session_id = b"" if config.resumable is None else config.resumable.session_id
        body = encode_client_hello(
            DTLS_1_2, self._random, session_id, cookie, config.suites, self._extensions
        )
        message = encode_message(HandshakeType.CLIENT_HELLO, self._message_seq, body)
        self._message_seq += 1
        self._messages = [message]
        self._start_flight((handshake_message(message),), now)

    def _start_flight(self, flight: tuple[FlightMessage, ...], now: float) -> None:
        self._flight = flight
        self._retransmission = Retransmission(self._config.retransmit, now)
        self._give_up_at = now + self._retransmission.interval_s
        self._send_flight()

    def _send_flight(self) -> None:
        self.to_send += pack(
            self._flight, self._writer, self._config.mtu_bytes, self._retransmission.is_small
        )

    def _fail(self, failure: HandshakeFailure, alert: AlertDescription | None = None) -> None:
        self.state = State.FAILED
        self.failure = failure
        if alert is not None:
            self.to_send.append(self._writer.write(_ALERT, 0, encode_alert(fatal(alert))))

    # --- receiving

    def _receive_change(self, content: bytes, now: float) -> None:
        if self.state is State.CHANGE and content == CHANGE_CIPHER_SPEC_BODY:
            self.state = State.FINISH
            held, self._held = self._held, []
            for record in held:
                self._receive_protected(record, now)

    def _receive_protected(self, record: Record, now: float) -> None:
        if self.state is not State.FINISH:
            if self.state < State.FINISH and len(self._held) < _MAX_HELD:
                self._held.append(record)
            return
        assert self._keys is not None, "FINISH comes after the keys"
        opener, _, window = self._keys
        opened = opener.open(record) if window.is_fresh(record.sequence) else None
        if opened is None:
            return
        window.mark(record.sequence)
        content_type, content = opened
        if content_type == _HANDSHAKE:
            self._receive_messages(content, 1, now)
        elif content_type == _ALERT:
            self._receive_alert(content)

    def _receive_alert(self, content: bytes) -> None:
        try:
            alert = decode_alert(content)
        except DecodeError:
            return
        if alert.is_fatal or alert.is_close:
            self._fail(HandshakeFailure.PEER_ALERT)

    def _receive_messages(self, content: bytes, epoch: int, now: float) -> None:
        try:
            for fragment in decode_fragments(content):
                message = self._inbox.add(fragment, epoch)
                while isinstance(message, HandshakeMessage) and self.state < State.ESTABLISHED:
                    self._receive_message(message, now)
                    message = self._inbox.pop() or Reassembly.ACCEPTED
        except DecodeError:
            self._fail(HandshakeFailure.PROTOCOL_ERROR, AlertDescription.DECODE_ERROR)
        except AlertError as error:
            self._fail(HandshakeFailure.PROTOCOL_ERROR, error.description)

    def _receive_message(self, message: HandshakeMessage, now: float) -> None:
        taker = EXPECTED.get((self.state, message.epoch, message.message_type))
        if taker is None:
            raise AlertError(AlertDescription.UNEXPECTED_MESSAGE, f"message {message.message_type}")
        taker(self, message, now)

    def _receive_hello_verify_request(self, message: HandshakeMessage, now: float) -> None:
        cookie = decode_hello_verify_request(message.body).cookie
        self._cookies += 1
        if self._cookies > _MAX_COOKIES:
            raise AlertError(AlertDescription.UNEXPECTED_MESSAGE, "one cookie after the other")
        self._send_hello(cookie, now)

    def _receive_server_hello(self, message: HandshakeMessage, now: float) -> None:
        config = self._config
        hello = decode_server_hello(message.body)
        check_answer(hello, config, self._extensions)
        suite = SUITES[hello.cipher_suite]
        self._server_hello = hello
        self._writer.limit(sizes_of(hello.extensions, is_client=True))
        self._messages.append(message.encode())
        resumable = config.resumable
        if resumable is not None and hello.session_id == resumable.session_id:
            self._resume(resumable, hello)
            return
        self._exchange = ClientExchange(config, suite, self._random, hello, self._entropy)
        self.state = _AFTER_HELLO[suite.key_exchange]

    def _resume(self, resumable: ClientResumable, hello: ServerHello) -> None:
        has_etm = ExtensionType.ENCRYPT_THEN_MAC in hello.extensions
        is_same = (hello.cipher_suite, has_etm) == (resumable.suite, resumable.encrypt_then_mac)
        if not is_same or not hello.has_extended_master_secret:
            raise AlertError(AlertDescription.ILLEGAL_PARAMETER, "a session resumed as another")
        self._protect(resume(resumable.master, SUITES[hello.cipher_suite], self._random, hello.random), hello)
        self._retransmission.stop()
        self._give_up_at += self._retransmission.interval_s
        self.state = State.CHANGE

    def _receive_certificate(self, message: HandshakeMessage, now: float) -> None:
        self._taken.take_certificate(message.body)
        self._messages.append(message.encode())
        self.state = State.SHARE

    def _receive_server_key_exchange(self, message: HandshakeMessage, now: float) -> None:
        self._taken.take_key_exchange(message.body)
        self._messages.append(message.encode())
        self.state = State.DONE

    def _receive_certificate_request(self, message: HandshakeMessage, now: float) -> None:
        self._taken.take_request(message.body)
        self._messages.append(message.encode())

    def _receive_server_hello_done(self, message: HandshakeMessage, now: float) -> None:
        decode_server_hello_done(message.body)
        self._messages.append(message.encode())
        first = len(self._messages)
        for message_type, body in self._taken.messages():
            self._say(message_type, body)
        secrets = self._derive()
        if self._taken.proves:
            self._say(
                HandshakeType.CERTIFICATE_VERIFY, self._taken.certificate_verify(b"".join(self._messages))
            )
        in_clear = [handshake_message(said) for said in self._messages[first:]]
        data = verify_data(secrets.mac, True, self._handshake_hash())
        finished = self._say(HandshakeType.FINISHED, data)
        self.state = State.CHANGE
        self._start_flight((*in_clear, CHANGE_CIPHER_SPEC, handshake_message(finished, 1)), now)

    @property
    def _taken(self) -> ClientExchange:
        assert self._exchange is not None, "it begins with the ServerHello"
        return self._exchange

    def _say(self, message_type: HandshakeType, body: bytes) -> bytes:
        message = encode_message(message_type, self._message_seq, body)
        self._message_seq += 1
        self._messages.append(message)
        return message

    def _handshake_hash(self) -> bytes:
        return Transcript(*self._messages).digest()

    def _derive(self) -> Secrets:
        hello = self._server_hello
        assert hello is not None, "DONE comes after ServerHello"
        suite = SUITES[hello.cipher_suite]
        session_hash = self._handshake_hash() if hello.has_extended_master_secret else None
        premaster = make_premaster(self._taken.psk, self._taken.shared)
        secrets = derive(premaster, suite, self._random, hello.random, session_hash)
        self._protect(secrets, hello)
        return secrets

    def _protect(self, secrets: Secrets, hello: ServerHello) -> None:
        opener, sealer = protect(
            SUITES[hello.cipher_suite],
            secrets.block,
            is_client=True,
            own_cid=(self._config.cid or b"") if hello.connection_id is not None else b"",
            peer_cid=hello.connection_id or b"",
            entropy=self._entropy,
            encrypt_then_mac=ExtensionType.ENCRYPT_THEN_MAC in hello.extensions,
        )
        self._writer.protect_with(sealer)
        self._keys = opener, sealer, ReplayWindow()
        self._secrets = secrets

    def _receive_finished(self, message: HandshakeMessage, now: float) -> None:
        assert self._secrets is not None, "FINISH comes after the keys"
        data = decode_finished(message.body)
        if not is_finished_right(data, self._secrets.mac, False, self._handshake_hash()):
            raise AlertError(AlertDescription.DECRYPT_ERROR, "the server's Finished is wrong")
        if self._exchange is None:
            self._messages.append(message.encode())
            data = verify_data(self._secrets.mac, True, self._handshake_hash())
            finished = self._say(HandshakeType.FINISHED, data)
            self._start_flight((CHANGE_CIPHER_SPEC, handshake_message(finished, 1)), now)
            self.last_flight = self._writer.next_in_clear, finished
        self.state = State.ESTABLISHED


EXPECTED: Final[dict[tuple[int, int, int], Callable[[ClientHandshake, HandshakeMessage, float], None]]] = {
    (State.HELLO, 0, HandshakeType.HELLO_VERIFY_REQUEST): ClientHandshake._receive_hello_verify_request,
    (State.HELLO, 0, HandshakeType.SERVER_HELLO): ClientHandshake._receive_server_hello,
    (State.CERTIFICATE, 0, HandshakeType.CERTIFICATE): ClientHandshake._receive_certificate,
    (State.SHARE, 0, HandshakeType.SERVER_KEY_EXCHANGE): ClientHandshake._receive_server_key_exchange,
    (State.DONE, 0, HandshakeType.SERVER_KEY_EXCHANGE): ClientHandshake._receive_server_key_exchange,
    (State.DONE, 0, HandshakeType.CERTIFICATE_REQUEST): ClientHandshake._receive_certificate_request,
    (State.DONE, 0, HandshakeType.SERVER_HELLO_DONE): ClientHandshake._receive_server_hello_done,
    (State.FINISH, 1, HandshakeType.FINISHED): ClientHandshake._receive_finished,
}
"State, epoch and message → who takes it. What is not in here ends the handshake."

_AFTER_HELLO: Final = {
    KeyExchange.PSK: State.DONE,
    KeyExchange.ECDHE_PSK: State.SHARE,
    KeyExchange.ECDHE_ECDSA: State.CERTIFICATE,
}
