"""A walk through the states of an endpoint: honest steps, dishonest ones, time, late keys, mutated copies.

Each step is a number of datagrams from one of a few clients, or something that the owner does. After
each the promises of `check` must hold. What a step does depends on the random source alone, so that
a walk can be repeated, and made shorter by leaving steps out.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from dataclasses import replace
from random import Random
from typing import Final, get_args

from gateway.address import Address
from gateway.dtls.errors import DecodeError
from gateway.dtls.events import (
    ApplicationData,
    CertificatePresented,
    CredentialAccepted,
    Event,
    PskRequested,
    RawPublicKeyPresented,
    ResumptionRequested,
    SessionEnded,
    SessionEstablished,
)
from gateway.dtls.extensions import ExtensionType, encode_connection_id
from gateway.dtls.fragments import fragment
from gateway.dtls.messages import HandshakeType, encode_message
from gateway.dtls.refusal import CredentialFault, CredentialRefusal
from gateway.dtls.session import Session
from gateway.dtls.settings import EndpointConfig
from gateway.dtls.suites import DEFAULT_SUITES, PREFERRED_SUITES, SUITES, KeyExchange
from tests.fuzz import recorded
from tests.fuzz.credentials import GATEWAY
from tests.fuzz.mutation import mutate, noise
from tests.support.dtls_attack import is_hello_verify_request
from tests.support.dtls_pair import (
    ALERT,
    APPLICATION_DATA,
    CHANGE_CIPHER_SPEC,
    HANDSHAKE,
    ROUTABILITY,
    Hello,
    Presented,
    RawClient,
    Server,
)
from tests.support.dtls_store import StoringServer

IDENTITIES: Final = {name: name * 4 for name in (b"aaaa", b"bbbb", b"cccc")}
CLIENTS: Final = 4
HOMES: Final = tuple(Address(f"192.0.2.{number}", 1_000 + number) for number in range(CLIENTS))
ELSEWHERE: Final = Address("198.51.100.1", 9)

LIMITS: Final = EndpointConfig(
    credential=GATEWAY,
    max_handshakes=3,
    max_sessions=3,
    handshake_buffer_bytes=2_048,
    max_bad_records=2,
    max_forgeries=6,
)
"Small ones, so that a walk meets them."

STORED: Final = replace(LIMITS, persist_sessions=True)
"The same, with sessions that outlive crashes."

_EVENTS: Final = get_args(Event)
_REQUESTS: Final = PskRequested, CertificatePresented, RawPublicKeyPresented, ResumptionRequested


class Broken(Exception):
    """A promise of the endpoint did not hold."""


class Walk:
    """One endpoint and its clients. `step` until tired."""

    def __init__(self, config: EndpointConfig = LIMITS) -> None:
        self.config = config
        self.server: Server = StoringServer(config=config) if config.persist_sessions else Server(config)
        self._run = 0
        self._take_over()
        self.asked: list[PskRequested | Presented | ResumptionRequested] = []
        self.session_ids: deque[bytes] = deque(maxlen=8)
        "By which clients may try to go on with a session, their own or another's."

        self.clients = [self.new_client_at(number) for number in range(CLIENTS)]
        self.sent: deque[bytes] = deque([b"\x16"], maxlen=64)
        "Datagrams of clients, for mutated copies."

        self.inputs = 0
        self.outcomes: Counter[str] = Counter()
        self._received_bytes: Counter[Address] = Counter()
        self._sent_bytes: Counter[Address] = Counter()
        self._verified: set[Address] = set()
        self._cookies: dict[Address, deque[bytes]] = {}
        self.sessions: list[Session] = []

    def _take_over(self) -> None:
        self.server.psks = dict(IDENTITIES)
        self.server.is_answering = False

    def step(self, kind: str, random: Random) -> None:
        """One step. Whatever it raises, other than by a fault of the walk itself, is a finding."""
        STEPS[kind](self, random)
        self.outcomes[kind] += 1
        self.check()

    def check(self) -> None:
        """What holds at all times.

        Raises:
            Broken: it does not.
        """
        endpoint = self.server.endpoint
        _require(endpoint.handshake_count <= self.config.max_handshakes, "more handshakes than allowed")
        _require(endpoint.session_count <= self.config.max_sessions, "more sessions than allowed")
        events, self.server.events = self.server.events, []
        for event in events:
            self._check_event(event)
        _require(endpoint.session_count == len(self.sessions), "sessions come and go untold")
        self._verified |= {session.address for session in self.sessions if session.path is None}
        outbox, self.server.outbox = self.server.outbox, []
        for datagram, address in outbox:
            self._take(datagram, address)
        for address in self._sent_bytes.keys() - self._verified:
            _require(
                self._sent_bytes[address] <= 3 * self._received_bytes[address], "amplified to a stranger"
            )

    def _check_event(self, event: Event) -> None:
        if isinstance(event, SessionEstablished):
            self.sessions.append(event.session)
            self._verified.add(event.session.address)
        elif isinstance(event, SessionEnded):
            _require(event.session in self.sessions, "the end of a session that was not there")
            self.sessions.remove(event.session)
        elif isinstance(event, ApplicationData):
            _require(event.session in self.sessions, "data of a session that is not there")
            _require(bool(event.data), "told of empty data")
        else:
            _require(isinstance(event, _EVENTS), f"told of {event!r}")

    def _take(self, datagram: bytes, address: Address) -> None:
        self._sent_bytes[address] += len(datagram)
        if is_hello_verify_request(datagram):
            self._cookies.setdefault(address, deque(maxlen=8)).append(datagram[28:])
        for client in self.clients:
            if address in (client.address, ELSEWHERE):
                client.replies = [*client.replies, datagram][-4:]
                if is_hello_verify_request(datagram) and address == client.address:
                    client.cookie = datagram[28:]

    # --- what steps are made of

    def give(self, datagram: bytes, address: Address) -> None:
        """Hand a datagram over, from *address*."""
        self.inputs += 1
        self.sent.append(datagram)
        self._received_bytes[address] += len(datagram)
        if any(cookie in datagram for cookie in self._cookies.get(address, ())):
            self._verified.add(address)
        for event in self.server.give(datagram, address):
            if isinstance(event, _REQUESTS):
                self.asked.append(event)

    def new_client_at(self, number: int, random: Random | None = None) -> RawClient:
        """A client that has said nothing yet, in its home; as plain as can be unless *random* decides."""
        identity = sorted(IDENTITIES)[number % len(IDENTITIES)]
        hello = Hello(random=bytes((number,)) * 32) if random is None else _hello(random)
        if random is not None and self.session_ids and random.random() < 0.3:
            hello = replace(hello, session_id=random.choice(self.session_ids))
        return RawClient(
            self.server, hello, identity=identity, psk=IDENTITIES[identity], address=HOMES[number]
        )

    def _client(self, random: Random) -> RawClient:
        return random.choice(self.clients)

    def _give(self, random: Random, client: RawClient, *records: bytes) -> None:
        """The records of a client, now and then spoilt, cut apart, doubled or from elsewhere."""
        datagrams = [b"".join(records)] if random.random() < 0.8 else list(records)
        address = client.address if random.random() < 0.95 else random.choice((ELSEWHERE, *HOMES))
        for datagram in datagrams:
            if random.random() < 0.15:
                self.give(mutate(datagram, random, self.sent), address)
            if random.random() < 0.95:
                self.give(datagram, address)
            if random.random() < 0.05:
                self.give(datagram, address)

    # --- steps of clients

    def new_client(self, random: Random) -> None:
        """A client forgets all and begins again, or another comes in its place."""
        number = random.randrange(CLIENTS)
        self.clients[number] = self.new_client_at(number, random)

    def hello(self, random: Random) -> None:
        """A hello as the client is: without, with a right, or with a wrong cookie."""
        client = self._client(random)
        if random.random() < 0.1:
            client.cookie = noise(random, 40)
        message_seq = random.choice((0, 1, 1, client.message_seq)) & 0xFFFF
        message = encode_message(HandshakeType.CLIENT_HELLO, message_seq, client.hello.body(client.cookie))
        pieces = [message] if random.random() < 0.9 else fragment(message, random.randrange(20, 120))
        if client.cookie and client.cookie in self._cookies.get(client.address, ()):
            self._verified.add(client.address)  # Also when the cookie is cut in two.
        for piece in pieces:
            self._give(random, client, client.record(HANDSHAKE, piece))

    def connect(self, random: Random) -> None:
        """The whole honest handshake, keys included, from the client's home."""
        number = random.randrange(CLIENTS)
        client = self.clients[number] = self.new_client_at(number, random)
        for _ in range(2):
            self.give(client.client_hello(), client.address)
            self.check()
        self.read_server_hello(random, client)
        if _can_derive(client):
            records = client.key_exchange(), client.change_cipher_spec(), client.finished()
            self.give(b"".join(records), client.address)
            if self.asked and isinstance(request := self.asked.pop(), PskRequested):
                self.server.provide(request, IDENTITIES.get(request.identity))

    def read_server_hello(self, random: Random, client: RawClient | None = None) -> None:
        """A client reads what the endpoint sent last, if it is its flight."""
        client = client or self._client(random)
        if (
            client.replies
            and client.replies[-1][0] == HANDSHAKE
            and not is_hello_verify_request(client.replies[-1])
        ):
            client.replies = client.replies[-1:]
            try:
                client.read_server_hello()
            except DecodeError:
                return  # With ChangeCipherSpec and Finished: a session goes on, which this client cannot.
            if client.server_hello is not None:
                self.session_ids.append(client.server_hello.session_id)

    def key_exchange(self, random: Random) -> None:
        """A ClientKeyExchange, right or not."""
        client = self._client(random)
        record = client.key_exchange()
        if random.random() < 0.3:
            body = mutate(random.choice(_bodies(HandshakeType.CLIENT_KEY_EXCHANGE)), random, self.sent)
            record = client.record(HANDSHAKE, client.message(HandshakeType.CLIENT_KEY_EXCHANGE, body))
        self._give(random, client, record)

    def finished(self, random: Random) -> None:
        """A Finished over what the client believes was said."""
        client = self._client(random)
        if _can_derive(client):
            self._give(random, client, client.finished())

    def change_cipher_spec(self, random: Random) -> None:
        """A ChangeCipherSpec."""
        client = self._client(random)
        self._give(
            random, client, client.change_cipher_spec(random.choice((b"\1", b"\1", b"", b"\2", b"\1\1")))
        )

    def message(self, random: Random) -> None:
        """Any handshake message of any stack, in clear, mutated or not, at any number."""
        client = self._client(random)
        message_type = random.choice(list(recorded.messages()))
        body = random.choice(recorded.messages()[message_type])
        if random.random() < 0.7:
            body = mutate(body, random, recorded.messages()[message_type])
        message = encode_message(message_type, random.randrange(5), body)
        pieces = [message] if random.random() < 0.7 else fragment(message, random.randrange(13, 200))
        random.shuffle(pieces)
        self._give(random, client, *(client.record(HANDSHAKE, piece) for piece in pieces[:8]))

    def clear_alert(self, random: Random) -> None:
        """An alert in clear."""
        client = self._client(random)
        self._give(
            random, client, client.record(ALERT, random.choice((b"\2\x28", b"\1\0", b"\1\x64", b"\2", b"")))
        )

    def protected(self, random: Random) -> None:
        """A record under the client's keys: of any type, with any content, at any number."""
        client = self._client(random)
        if client.sealer is None:
            return
        content_type = random.choice(
            (APPLICATION_DATA, ALERT, HANDSHAKE, ROUTABILITY, CHANGE_CIPHER_SPEC, 0, 255)
        )
        content = (
            mutate(random.choice(_CONTENTS), random, self.sent)
            if random.random() < 0.6
            else random.choice(_CONTENTS)
        )
        jump = random.choice((0, 0, 0, 1, 5, 63, 64, 65, -1, -70, 1 << 30))
        sequence = min(max(0, client.protected_sequence + jump), (1 << 48) - 1)
        client.protected_sequence = max(client.protected_sequence, sequence) + 1
        record = client.sealed(
            content_type, content[:2_000], sequence, random.choice((1, 1, 1, 1, 1, 1, 1, 0, 2, 65_535))
        )
        self._give(random, client, record)

    def talk(self, random: Random) -> None:
        """Application data, from home or from elsewhere."""
        client = self._client(random)
        if client.sealer is not None:
            record = client.sealed(APPLICATION_DATA, b"data" * random.randrange(20))
            self.give(record, client.address if random.random() < 0.7 else ELSEWHERE)

    def answer_challenge(self, random: Random) -> None:
        """What a client does that is asked whether it is there."""
        client = self._client(random)
        if client.opener is None:
            return
        try:
            replies = client.reply_records()
        except DecodeError:
            return  # Of an older session there, whose connection ID had another length.
        for reply in replies:
            opened = client.opener.open(reply) if reply.epoch == 1 else None
            if opened is not None and opened[0] == ROUTABILITY:
                record = client.sealed(ROUTABILITY, b"\1" + opened[1][1:])
                self.give(record, random.choice((ELSEWHERE, ELSEWHERE, client.address)))

    def copy(self, random: Random) -> None:
        """A mutated copy of something that was sent, or of what a foreign stack sent, from anywhere."""
        original = (
            random.choice(self.sent) if random.random() < 0.7 else random.choice(recorded.datagrams("c2s"))
        )
        self.give(mutate(original, random, self.sent), random.choice((*HOMES, ELSEWHERE)))

    def reflect(self, random: Random) -> None:
        """What the endpoint, or a foreign server, sent comes back to it."""
        client = self._client(random)
        datagrams = client.replies or recorded.datagrams("s2c")
        self.give(mutate(random.choice(datagrams), random, self.sent), client.address)

    # --- steps of the owner

    def provide(self, random: Random) -> None:
        """Answer some request: rightly, wrongly, late, or twice."""
        if not self.asked:
            return
        request = random.choice(self.asked)
        if random.random() < 0.7:
            self.asked.remove(request)
        if isinstance(request, PskRequested):
            right = IDENTITIES.get(request.identity)
            self.server.provide(request, random.choice((right, right, right, None, b"wrong key", b"")))
        elif isinstance(request, ResumptionRequested):
            self.server.provide_resumption(request, random.random() < 0.7)
        else:
            accepted = CredentialAccepted(random.choice(sorted(IDENTITIES)))
            refused = CredentialRefusal(random.choice(list(CredentialFault)))
            self.server.provide_credential(request, random.choice((accepted, accepted, refused)))
        del self.asked[:-20]

    def say(self, random: Random) -> None:
        """The owner sends on every session."""
        for session in list(self.sessions):
            self.server.send(session, b"answer" * random.randrange(30))

    def end(self, random: Random) -> None:
        """The owner ends a session, or all of an identity."""
        endpoint = self.server.endpoint
        if random.random() < 0.5:
            self.server._note(endpoint.end_sessions(random.choice(sorted(IDENTITIES)), self.server.now))
            return
        if self.sessions:
            is_told = random.random() < 0.5
            self.server._note(endpoint.end_session(random.choice(self.sessions), self.server.now, is_told))

    def store(self, random: Random) -> None:
        """What waits for the disk reaches it, or only a part of it."""
        if random.random() < 0.7:
            self.store_all()
        elif isinstance(self.server, StoringServer) and self.server.endpoint.urgency:
            self.server.end_storing(self.server.begin_storing())

    def store_all(self) -> None:
        """What waits for the disk reaches it."""
        if isinstance(self.server, StoringServer) and self.server.endpoint.urgency:
            self.server.store()

    def crash(self, random: Random) -> None:
        """The process ends as it stands, and another takes over what reached the disk."""
        if not isinstance(self.server, StoringServer):
            return
        self.check()
        before = {session.number: session for session in self.sessions}
        self._run += 1
        self.server = server = self.server.crash(self._run)
        self._take_over()
        self.asked.clear()
        self.sessions = list(server.restored)
        for client in self.clients:
            client.server = server
        for session in server.restored:
            old = before.get(session.number)
            if old is not None:
                _require(session.next_sequence >= old.next_sequence, "a nonce may come twice")
                _require(session.window.newest >= old.window.newest, "a replay may pass")

    def wait(self, random: Random) -> None:
        """Time passes, and timers fire."""
        self.server.pass_time(random.choice((0.0, 0.01, 0.4, 1.0, 3.0, 30.0, 200.0, 4_000.0)))
        due = self.server.endpoint.get_timer()
        _require(due is None or due > self.server.now, "a timer that is due after it fired")


def _require(is_so: bool, what: str) -> None:
    if not is_so:
        raise Broken(what)


def _can_derive(client: RawClient) -> bool:
    """Whether the handshake of *client* has come to where it makes keys, of a kind that it can make."""
    hello = client.server_hello
    suite = None if hello is None else SUITES[hello.cipher_suite]
    return suite is not None and suite.key_exchange is KeyExchange.PSK and not suite.is_cbc


def _bodies(message_type: int) -> list[bytes]:
    return recorded.messages()[message_type]


def _hello(random: Random) -> Hello:
    """A hello with any mixture of what the engine knows, now and then of what it does not."""
    hello = Hello(random=random.randbytes(32), session_id=random.choice((b"", b"", random.randbytes(32))))
    extensions: dict[int, bytes] = dict(hello.extensions)
    if random.random() < 0.5:
        extensions[ExtensionType.CONNECTION_ID] = encode_connection_id(
            random.randbytes(random.choice((0, 0, 4)))
        )
    if random.random() < 0.5:
        extensions[ExtensionType.RRC] = b""
    if random.random() < 0.3:
        extensions.pop(int(ExtensionType.EXTENDED_MASTER_SECRET))
    if random.random() < 0.2:
        kind = random.choice(list(recorded.extensions()))
        extensions[kind] = mutate(random.choice(recorded.extensions()[kind]), random, [b"\0"])
    suites = DEFAULT_SUITES if random.random() < 0.7 else tuple(random.sample(PREFERRED_SUITES, 3))
    if suites is not DEFAULT_SUITES:
        for kind in (ExtensionType.SUPPORTED_GROUPS, ExtensionType.SIGNATURE_ALGORITHMS):
            extensions[kind] = random.choice(recorded.extensions()[kind])
    return Hello(hello.version, hello.random, hello.session_id, suites, extensions)


_CONTENTS: Final = (
    b"",
    b"data",
    b"\1\0",
    b"\2\x28",
    b"\0" + bytes(8),
    b"\1" + bytes(8),
    b"\1",
    encode_message(HandshakeType.FINISHED, 3, bytes(12)),
    encode_message(HandshakeType.CLIENT_HELLO, 0, Hello().body()),
    encode_message(HandshakeType.HELLO_REQUEST, 0, b""),
    bytes(40),
)

Step = Callable[[Walk, Random], None]

STEPS: Final[dict[str, Step]] = {
    step.__name__: step
    for step in (
        Walk.new_client,
        Walk.hello,
        Walk.connect,
        Walk.read_server_hello,
        Walk.key_exchange,
        Walk.change_cipher_spec,
        Walk.finished,
        Walk.message,
        Walk.clear_alert,
        Walk.protected,
        Walk.talk,
        Walk.answer_challenge,
        Walk.copy,
        Walk.reflect,
        Walk.provide,
        Walk.say,
        Walk.end,
        Walk.store,
        Walk.crash,
        Walk.wait,
    )
}
"By name, as hypothesis draws them."

FREQUENT: Final = tuple(
    name
    for name, weight in {
        "new_client": 1,
        "hello": 3,
        "connect": 4,
        "read_server_hello": 2,
        "key_exchange": 3,
        "change_cipher_spec": 2,
        "finished": 2,
        "message": 4,
        "clear_alert": 1,
        "protected": 20,
        "talk": 6,
        "answer_challenge": 5,
        "copy": 16,
        "reflect": 2,
        "provide": 4,
        "say": 2,
        "end": 1,
        "store": 6,
        "crash": 1,
        "wait": 2,
    }.items()
    for _ in range(weight)
)
"The same, each as often as a long run takes it."
