"""DTLS peers joined in memory, under given time.

- `Server`: an `Endpoint` with its keys; hand it any bytes, look at events and replies.
- `Pair`: a `Server` and a real `Client`, with a wire between them that drops, changes and reorders.
- `RawClient`: a client made by hand, step by step, for datagrams that no honest client sends.

Time stands still unless a test moves it. Randomness is a fixed sequence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import Any, TypeVar

from gateway.address import Address
from gateway.dtls.alerts import Alert, decode_alert
from gateway.dtls.client import Client, ClientConfig
from gateway.dtls.endpoint import Endpoint, EndpointConfig
from gateway.dtls.events import (
    ApplicationData,
    CertificatePresented,
    ClientData,
    ClientEvent,
    CredentialAccepted,
    Event,
    HandshakeFailed,
    PskRequested,
    RawPublicKeyPresented,
    ResumptionRequested,
    SessionEnded,
    SessionEstablished,
)
from gateway.dtls.extensions import ExtensionType, encode_connection_id, encode_renegotiation_info
from gateway.dtls.handshake import Transcript, derive
from gateway.dtls.keys import HmacSha256, psk_premaster, verify_data
from gateway.dtls.messages import (
    HandshakeType,
    ServerHello,
    decode_fragments,
    decode_hello_verify_request,
    decode_server_hello,
    encode_client_hello,
    encode_message,
    encode_psk_client_key_exchange,
)
from gateway.dtls.record import DTLS_1_2, ContentType, Opener, Record, Sealer, decode_records, encode_record
from gateway.dtls.refusal import CredentialRefusal
from gateway.dtls.session import Session
from gateway.dtls.suites import DEFAULT_SUITES, SUITES

IDENTITY = b"urn:imei:490154203237518"
PSK = bytes(range(16))
ADDRESS = Address("192.0.2.1", 40_000)
START_S = 1_000.0

CHANGE_CIPHER_SPEC = int(ContentType.CHANGE_CIPHER_SPEC)
ALERT = int(ContentType.ALERT)
HANDSHAKE = int(ContentType.HANDSHAKE)
APPLICATION_DATA = int(ContentType.APPLICATION_DATA)
TLS12_CID = int(ContentType.TLS12_CID)
ROUTABILITY = int(ContentType.RETURN_ROUTABILITY_CHECK)

Presented = CertificatePresented | RawPublicKeyPresented

_E = TypeVar("_E")


class Entropy:
    """Bytes that look random and are the same in every run."""

    def __init__(self, seed: str = "") -> None:
        self._seed = seed.encode()
        self._calls = 0

    def __call__(self, length: int) -> bytes:
        self._calls += 1
        block = self._seed + self._calls.to_bytes(8, "big")
        return b"".join(sha256(block + bytes((i,))).digest() for i in range(length // 32 + 1))[:length]


def only(kind: type[_E], events: Iterable[object]) -> list[_E]:
    """The events of one kind."""
    return [event for event in events if isinstance(event, kind)]


@dataclass
class Server:
    """An endpoint that answers whatever it is asked, out of `psks` or by `judge`, unless told not to."""

    config: EndpointConfig = field(default_factory=EndpointConfig)
    psks: dict[bytes, bytes] = field(default_factory=lambda: {IDENTITY: PSK})
    is_answering: bool = True
    judge: Callable[[Presented], CredentialAccepted | CredentialRefusal] = field(
        default=lambda presented: CredentialAccepted(b"device-1")
    )
    "Of certificates and raw public keys; anybody is device-1 unless it is set."

    is_resuming: bool = True
    now: float = START_S
    events: list[Event] = field(default_factory=list)
    "All that the endpoint ever told."

    outbox: list[tuple[bytes, Address]] = field(default_factory=list)
    "What it sent and nobody has taken yet."

    def __post_init__(self) -> None:
        self.endpoint = Endpoint(self.config, Entropy("server"), self.now)

    def give(self, datagram: bytes, address: Address = ADDRESS) -> list[Event]:
        """Hand over a datagram from *address*; gives the events, those after its keys included."""
        return self._note(self.endpoint.receive_datagram(datagram, address, self.now))

    def provide(self, request: PskRequested, psk: bytes | None) -> list[Event]:
        """Answer one PskRequested by hand."""
        return self._note(self.endpoint.provide_psk(request.handshake, psk, self.now))

    def provide_credential(
        self, request: Presented, verdict: CredentialAccepted | CredentialRefusal
    ) -> list[Event]:
        """Answer one CertificatePresented or RawPublicKeyPresented by hand."""
        return self._note(self.endpoint.provide_credential(request.handshake, verdict, self.now))

    def provide_resumption(self, request: ResumptionRequested, is_welcome: bool) -> list[Event]:
        """Answer one ResumptionRequested by hand."""
        return self._note(self.endpoint.provide_resumption(request.handshake, is_welcome, self.now))

    def send(self, session: Session, data: bytes) -> bool:
        """Application data towards the client."""
        is_sent = self.endpoint.send(session, data)
        self._note(())
        return is_sent

    def pass_time(self, seconds: float) -> list[Event]:
        """Let time pass, the endpoint's timers firing when they are due, and not otherwise."""
        end = self.now + seconds
        events: list[Event] = []
        while (due := self.endpoint.get_timer()) is not None and due <= end:
            self.now = max(self.now, due)
            events += self._note(self.endpoint.handle_timer(self.now))
        self.now = end
        return events

    def take(self, address: Address = ADDRESS) -> list[bytes]:
        """The datagrams sent to *address* since the last call."""
        taken = [datagram for datagram, to in self.outbox if to == address]
        self.outbox = [entry for entry in self.outbox if entry[1] != address]
        return taken

    def count(self, name: str) -> int:
        """One of the endpoint's counters."""
        return self.endpoint.counters.as_dict()[name]

    @property
    def sessions(self) -> list[Session]:
        """Every session that was established and not ended, the oldest first."""
        ended = {id(event.session) for event in only(SessionEnded, self.events)}
        established = [event.session for event in only(SessionEstablished, self.events)]
        return [session for session in established if id(session) not in ended]

    @property
    def received(self) -> list[bytes]:
        """All application data delivered."""
        return [event.data for event in only(ApplicationData, self.events)]

    @property
    def failures(self) -> list[HandshakeFailed]:
        """All handshakes told as failed."""
        return only(HandshakeFailed, self.events)

    def _note(self, events: Sequence[Event]) -> list[Event]:
        told = list(events)
        self.events += told
        self.outbox += self.endpoint.datagrams_to_send()
        if self.is_answering:
            for request in only(PskRequested, told):
                told += self.provide(request, self.psks.get(request.identity))
            for resumption in only(ResumptionRequested, told):
                told += self.provide_resumption(resumption, self.is_resuming)
            for kind in (CertificatePresented, RawPublicKeyPresented):
                for presented in only(kind, told):
                    told += self.provide_credential(presented, self.judge(presented))
        return told


Filter = Callable[[bytes], Iterable[bytes]]
"A datagram as it was sent → the datagrams that arrive instead, in order."


def drop(*numbers: int) -> Filter:
    """Lose the datagrams with these numbers, counted from 0; let the others pass."""
    seen = -1

    def lose(datagram: bytes) -> Iterable[bytes]:
        nonlocal seen
        seen += 1
        return () if seen in numbers else (datagram,)

    return lose


class Pair:
    """A client and a server. `to_server` and `to_client` are filters and may be changed at any time."""

    def __init__(
        self,
        client: ClientConfig | None = None,
        endpoint: EndpointConfig | None = None,
        *,
        server: Server | None = None,
        address: Address = ADDRESS,
        seed: str = "client",
    ) -> None:
        self.server = server or Server(endpoint or EndpointConfig())
        self.client = Client(client or ClientConfig(IDENTITY, PSK), Entropy(seed))
        self.address = address
        "Where the client's datagrams come from; set it anew for a NAT that rebinds."

        self.client_events: list[ClientEvent] = []
        self.to_server: Filter = lambda datagram: (datagram,)
        self.to_client: Filter = lambda datagram: (datagram,)
        self.sent_to_server: list[bytes] = []
        "As they were sent, before the filter."

        self.sent_to_client: list[bytes] = []

    @property
    def now(self) -> float:
        return self.server.now

    def start(self) -> None:
        """The client sends its first flight."""
        self.client.start(self.now)

    def exchange(self) -> None:
        """Deliver all that is on its way, and what that brings about, until the wire is quiet."""
        while self.carry_to_server() + self.carry_to_client():
            pass

    def carry_to_server(self) -> int:
        """Deliver what the client has sent; gives how many datagrams it sent."""
        datagrams = self.client.datagrams_to_send()
        self.sent_to_server += datagrams
        for datagram in datagrams:
            for arrived in self.to_server(datagram):
                self.server.give(arrived, self.address)
        return len(datagrams)

    def carry_to_client(self) -> int:
        """Deliver what the server has sent to this client; gives how many datagrams it sent."""
        datagrams = self.server.take(self.address)
        self.sent_to_client += datagrams
        for datagram in datagrams:
            for arrived in self.to_client(datagram):
                self.client_events += self.client.receive_datagram(arrived, self.now)
        return len(datagrams)

    def handshake(self) -> Session:
        """Establish, and give the server's session."""
        self.start()
        self.exchange()
        assert self.client.is_established
        return self.server.sessions[-1]

    def pass_time(self, seconds: float) -> None:
        """Let time pass: timers of both fire when due, and the wire is emptied after each."""
        end = self.now + seconds
        while True:
            timers = (self.server.endpoint.get_timer(), self.client.get_timer())
            due = min((timer for timer in timers if timer is not None), default=end)
            if due >= end:
                break
            self.server.pass_time(max(0.0, due - self.now))
            self.client_events += self.client.handle_timer(self.now)
            self.exchange()
        self.server.pass_time(end - self.now)
        self.client_events += self.client.handle_timer(self.now)
        self.exchange()

    def say(self, data: bytes) -> None:
        """The client sends application data, and it is delivered."""
        self.client.send(data, self.now)
        self.exchange()

    @property
    def client_received(self) -> list[bytes]:
        """All application data the client got."""
        return [event.data for event in only(ClientData, self.client_events)]


@dataclass(frozen=True)
class Hello:
    """What a hand-made ClientHello says."""

    version: int = DTLS_1_2
    random: bytes = b"r" * 32
    session_id: bytes = b""
    suites: tuple[int, ...] = DEFAULT_SUITES
    extensions: dict[int, bytes] = field(
        default_factory=lambda: {
            int(ExtensionType.RENEGOTIATION_INFO): encode_renegotiation_info(),
            int(ExtensionType.EXTENDED_MASTER_SECRET): b"",
        }
    )

    def with_cid(self, cid: bytes = b"") -> Hello:
        """The same, offering connection IDs."""
        return replace(
            self,
            extensions=self.extensions | {int(ExtensionType.CONNECTION_ID): encode_connection_id(cid)},
        )

    def with_rrc(self) -> Hello:
        """The same, offering the return routability check."""
        return replace(self, extensions=self.extensions | {int(ExtensionType.RRC): b""})

    def without(self, *extensions: int) -> Hello:
        """The same without these extensions."""
        kept = {kind: body for kind, body in self.extensions.items() if kind not in extensions}
        return replace(self, extensions=kept)

    def body(self, cookie: bytes = b"") -> bytes:
        """The body of the message."""
        return encode_client_hello(
            self.version, self.random, self.session_id, cookie, self.suites, self.extensions
        )


class RawClient:
    """A client made by hand. Every step gives records; `send` puts them into one datagram.

    Honest from end to end (`connect`) unless told otherwise: each step can be left out, repeated,
    altered or sent from elsewhere.
    """

    def __init__(
        self,
        server: Server | None = None,
        hello: Hello | None = None,
        *,
        identity: bytes = IDENTITY,
        psk: bytes = PSK,
        address: Address = ADDRESS,
    ) -> None:
        self.server = server or Server()
        self.hello = hello or Hello()
        self.identity = identity
        self.psk = psk
        self.address = address
        self.cookie = b""
        self.message_seq = 0
        self.sequence = 0
        "The next record number of epoch 0."

        self.protected_sequence = 0
        self.server_hello: ServerHello | None = None
        self.replies: list[bytes] = []
        "The datagrams that came back from the last `send`."

        self._messages: list[bytes] = []
        self.sealer: Sealer | None = None
        self.opener: Opener | None = None
        self._mac: HmacSha256 | None = None

    # --- making records

    def record(self, content_type: int, fragment: bytes, **changes: Any) -> bytes:
        """A record of epoch 0; *changes*: ``sequence``, ``version``."""
        if "sequence" not in changes:
            changes["sequence"] = self.sequence
            self.sequence += 1
        return encode_record(content_type, fragment=fragment, **changes)

    def sealed(self, content_type: int, content: bytes, sequence: int | None = None, epoch: int = 1) -> bytes:
        """A protected record."""
        assert self.sealer is not None, "no keys yet: `derive` them"
        if sequence is None:
            sequence = self.protected_sequence
            self.protected_sequence += 1
        return self.sealer.seal(content_type, epoch, sequence, content)

    def message(self, message_type: int, body: bytes, message_seq: int | None = None) -> bytes:
        """A handshake message with its header; counted and hashed only through `note`."""
        return encode_message(message_type, self.message_seq if message_seq is None else message_seq, body)

    def note(self, message: bytes) -> bytes:
        """Take *message* into the handshake hash and count it."""
        self._messages.append(message)
        self.message_seq += 1
        return message

    def client_hello(self) -> bytes:
        """A record with the hello, with the cookie if we have one."""
        message = self.message(HandshakeType.CLIENT_HELLO, self.hello.body(self.cookie))
        self._messages = []
        return self.record(HANDSHAKE, self.note(message))

    def key_exchange(self) -> bytes:
        """A record with the ClientKeyExchange."""
        body = encode_psk_client_key_exchange(self.identity)
        return self.record(HANDSHAKE, self.note(self.message(HandshakeType.CLIENT_KEY_EXCHANGE, body)))

    def change_cipher_spec(self, content: bytes = b"\1") -> bytes:
        """A record with a ChangeCipherSpec."""
        return self.record(CHANGE_CIPHER_SPEC, content)

    def finished_message(self) -> bytes:
        """Our Finished over all messages so far, with header. Derives the keys if that was not done."""
        if self.sealer is None:
            self.derive()
        assert self._mac is not None
        data = verify_data(self._mac, True, self._hash())
        return self.note(self.message(HandshakeType.FINISHED, data))

    def finished(self) -> bytes:
        """A protected record with our Finished."""
        return self.sealed(HANDSHAKE, self.finished_message())

    def derive(self) -> None:
        """Make the keys; everything up to the ClientKeyExchange must have been noted."""
        hello = self.server_hello
        assert hello is not None
        suite = SUITES[hello.cipher_suite]
        session_hash = self._hash() if hello.has_extended_master_secret else None
        secrets = derive(psk_premaster(self.psk), suite, self.hello.random, hello.random, session_hash)
        self._mac = secrets.mac
        block = secrets.block
        own = self.hello.extensions.get(int(ExtensionType.CONNECTION_ID), b"\0")[1:]
        is_cid = hello.connection_id is not None
        self.sealer = Sealer(suite, block.client_key, block.client_iv, hello.connection_id or b"")
        self.opener = Opener(suite, block.server_key, block.server_iv, own if is_cid else b"")

    # --- sending and reading

    def send(self, *records: bytes, address: Address | None = None) -> list[Event]:
        """Put *records* into one datagram and deliver it, from *address* if not our own."""
        events = self.server.give(b"".join(records), address or self.address)
        self.replies = self.server.take(address or self.address)
        return events

    def reply_records(self) -> list[Record]:
        """The records of the last replies."""
        own = self.hello.extensions.get(int(ExtensionType.CONNECTION_ID), b"\0")[1:]
        return [record for reply in self.replies for record in decode_records(reply, len(own))]

    def open_replies(self) -> list[tuple[int, bytes]]:
        """Type and content of the protected records in the last replies."""
        assert self.opener is not None
        opened = [self.opener.open(record) for record in self.reply_records() if record.epoch == 1]
        assert None not in opened, "a reply that does not open"
        return [each for each in opened if each is not None]

    def clear_alerts(self) -> list[Alert]:
        """Alerts of epoch 0 in the last replies."""
        records = [record for record in self.reply_records() if not record.epoch]
        return [decode_alert(record.fragment) for record in records if record.content_type == ALERT]

    def protected_alerts(self) -> list[Alert]:
        """Alerts of epoch 1 in the last replies."""
        return [decode_alert(content) for kind, content in self.open_replies() if kind == ALERT]

    # --- steps of an honest client

    def get_cookie(self) -> bytes:
        """Send the first hello and take the cookie from the answer."""
        self.send(self.client_hello())
        (record,) = self.reply_records()
        (fragment,) = decode_fragments(record.fragment)
        assert fragment.message_type == HandshakeType.HELLO_VERIFY_REQUEST
        self.cookie = decode_hello_verify_request(fragment.body).cookie
        return self.cookie

    def begin(self) -> list[Event]:
        """Both hellos: afterwards the server has sent ServerHello and ServerHelloDone."""
        if not self.cookie:
            self.get_cookie()
        events = self.send(self.client_hello())
        self.read_server_hello()
        return events

    def read_server_hello(self) -> None:
        """Take ServerHello and ServerHelloDone, unfragmented, from the last replies."""
        for record in self.reply_records():
            (fragment,) = decode_fragments(record.fragment)
            if fragment.message_type == HandshakeType.SERVER_HELLO:
                self.server_hello = decode_server_hello(fragment.body)
            self._messages.append(record.fragment)

    def finish(self) -> list[Event]:
        """ClientKeyExchange, ChangeCipherSpec and Finished in one datagram."""
        return self.send(self.key_exchange(), self.change_cipher_spec(), self.finished())

    def connect(self) -> Session:
        """The whole handshake; gives the server's session."""
        self.begin()
        events = self.finish()
        return only(SessionEstablished, events)[0].session

    def say(self, data: bytes, sequence: int | None = None, address: Address | None = None) -> list[Event]:
        """One record of application data."""
        return self.send(self.sealed(APPLICATION_DATA, data, sequence), address=address)

    def _hash(self) -> bytes:
        return Transcript(*self._messages).digest()
