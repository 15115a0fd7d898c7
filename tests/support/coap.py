"""CoAP datagrams made by hand, and a message layer among peers in memory.

The encoder is a second one, on purpose: it also makes what no codec would.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import replace

from aiocoap import Message
from aiocoap.interfaces import Resource
from aiocoap.numbers.codes import Code

from gateway.address import Address
from gateway.lwm2m.requests import Method
from gateway.lwm2m.requests import Request as Ask
from gateway.messaging.exchange import MessageLayer
from gateway.messaging.handling import Request, Response, respond
from gateway.messaging.link import Link
from gateway.messaging.outcomes import Outcome
from gateway.messaging.pending import Pending
from gateway.messaging.remote import PlainRemote, Remote, SessionRemote
from gateway.messaging.requests import Dispatch
from gateway.messaging.settings import DownlinkSettings, MessagingSettings

CON, NON, ACK, RST = range(4)

URI_HOST, OBSERVE, URI_PATH, CONTENT_FORMAT, URI_QUERY = 3, 6, 11, 12, 15
BLOCK2, BLOCK1, PROXY_URI, PROXY_SCHEME, SIZE1 = 23, 27, 35, 39, 60
ECHO, NO_RESPONSE, REQUEST_TAG = 252, 258, 292

Options = Sequence[tuple[int, bytes]]


def coap(
    message_type: int,
    code: str,
    mid: int = 1,
    token: bytes = b"",
    options: Options = (),
    payload: bytes = b"",
) -> bytes:
    """One datagram; *code* as in ``"0.02"``, options in any order, a payload with its marker."""
    code_class, _, detail = code.partition(".")
    head = bytes([0x40 | message_type << 4 | len(token), int(code_class) << 5 | int(detail)])
    body = b"\xff" + payload if payload else b""
    return head + mid.to_bytes(2, "big") + token + encode_options(options) + body


def encode_options(options: Options) -> bytes:
    """RFC 7252 §3.1, sorted by number; equal numbers keep their order."""
    encoded = b""
    number = 0
    for each, value in sorted(options, key=lambda option: option[0]):
        delta, delta_more = _nibble(each - number)
        length, length_more = _nibble(len(value))
        encoded += bytes([delta << 4 | length]) + delta_more + length_more + value
        number = each
    return encoded


def _nibble(value: int) -> tuple[int, bytes]:
    if value < 13:
        return value, b""
    if value < 269:
        return 13, bytes([value - 13])
    return 14, (value - 269).to_bytes(2, "big")


def path(text: str) -> list[tuple[int, bytes]]:
    """``"rd/x"`` as Uri-Path options."""
    return [(URI_PATH, segment.encode()) for segment in text.split("/")]


def block(number: int, more: bool, szx: int) -> bytes:
    """The value of a Block option."""
    value = number << 4 | more << 3 | szx
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def notify(message_type: int, mid: int, token: bytes, sequence: int = 1, payload: bytes = b"x") -> bytes:
    """A 2.05 with an Observe option (RFC 7641 §3)."""
    option = sequence.to_bytes(3, "big").lstrip(b"\0")
    return coap(message_type, "2.05", mid, token, [(OBSERVE, option)], payload)


UPDATE = coap(CON, "0.02", 0x1234, b"token678", path("rd/abc"))
CHANGED = Response(Code.CHANGED)
CREATED = respond(Code.CREATED, location_path=("rd", "abc"))


def read(datagram: bytes) -> Message:
    """A datagram as aiocoap's own codec reads it."""
    return Message.decode(datagram)


def summary(datagram: bytes) -> tuple[str, str, int, bytes]:
    """Type, code, message id and token."""
    message = read(datagram)
    return str(message.mtype), message.code.dotted, message.mid, message.token


class FakeTokens:
    """Stands in for aiocoap's token manager."""

    def __init__(self) -> None:
        self.requests: list[Message] = []
        self.errors: list[tuple[Exception, object]] = []

    def process_request(self, request: Message) -> None:
        self.requests.append(request)

    def dispatch_error(self, exception: Exception, remote: object) -> None:
        self.errors.append((exception, remote))


class FakeSession:
    """What the message layer sees of a DTLS session."""

    def __init__(self, number: int = 1, identity: bytes = b"urn:imei:1") -> None:
        self.number = number
        self.identity = identity
        self.address = Address("192.0.2.9", 5684)
        self.application: object | None = None


class Entropy:
    """Bytes that differ from call to call, the same in each run."""

    def __init__(self) -> None:
        self._count = 0

    def __call__(self, length: int) -> bytes:
        self._count += 1
        return (self._count * 7919).to_bytes(length + 4, "big")[-length:]


class Peer:
    """One peer of a layer: sends datagrams, collects what comes back."""

    def __init__(self, layer: MessageLayer, make_remote: Callable[[Peer], Remote]) -> None:
        self._layer = layer
        self._make_remote = make_remote
        self.received: list[bytes] = []

    @property
    def remote(self) -> Remote:
        return self._make_remote(self)

    def collect(self, data: bytes, *_: object) -> None:
        self.received.append(data)

    def send(self, datagram: bytes) -> list[bytes]:
        """Send, and take what came back at once."""
        self._layer.receive(datagram, self.remote)
        return self.take()

    def give(self, datagram: bytes) -> None:
        """Send, and leave what comes back where `take` finds it."""
        self._layer.receive(datagram, self.remote)

    def take(self) -> list[bytes]:
        """What has come since the last look."""
        received, self.received = self.received, []
        return received


class Script:
    """A handler that answers as it is told and keeps what it was asked."""

    def __init__(
        self, answer: Response | Callable[[Request], Response | Pending | None] | None = None
    ) -> None:
        self.answer = answer
        self.requests: list[Request] = []

    def __call__(self, request: Request) -> Response | Pending | None:
        self.requests.append(request)
        return self.answer(request) if callable(self.answer) else self.answer


READ = Ask(Method.GET, ("3", "0"), accept=112)
OBSERVATION = Ask(Method.GET, ("3", "0", "13"), observe=0)
CANCELLATION = Ask(Method.GET, ("3", "0", "13"), observe=1)


class Undecided:
    """A handler that leaves every answer open; they are `pending`, in the order of the requests."""

    def __init__(self) -> None:
        self.pending: list[Pending] = []

    def __call__(self, request: Request) -> Pending:
        self.pending.append(Pending())
        return self.pending[-1]


class Asked:
    """A request to a device, and what became of it."""

    def __init__(self, link: Link, peer: Peer, request: Ask, token: bytes | None) -> None:
        self.outcomes: list[Outcome] = []
        self.asking = link.request(peer.remote, request, self.outcomes.append, token=token)

    @property
    def outcome(self) -> Outcome:
        """The only one."""
        (outcome,) = self.outcomes
        return outcome


class Bed:
    """A message layer with a fake token manager above it and peers below."""

    def __init__(
        self, dispatch: Dispatch | None = None, downlink: dict[str, float] | None = None, **settings: float
    ) -> None:
        self.tokens = FakeTokens()
        self.dispatch = dispatch or Script(CHANGED)
        self.layer = MessageLayer(
            self.tokens,
            self.dispatch,
            loop=asyncio.get_running_loop(),
            entropy=Entropy(),
            settings=replace(
                MessagingSettings(), downlink=replace(DownlinkSettings(), **(downlink or {})), **settings
            ),
        )

    @property
    def counters(self) -> dict[str, int]:
        return {name: count for name, count in self.layer.counters.as_dict().items() if count}

    def plain(self, port: int = 5683, host: str = "192.0.2.1") -> Peer:
        """A peer over plain CoAP; each of its datagrams has a remote of its own."""
        return Peer(self.layer, lambda peer: PlainRemote(Address(host, port), peer.collect))

    def answer(self, answer: Message) -> None:
        """Answer, as a resource does, the last request that was left to the resources."""
        request = self.tokens.requests[-1]
        answer.remote, answer.token = request.remote, request.token
        self.layer.send_message(answer, lambda: None)

    def ask(
        self,
        peer: Peer,
        request: Ask | None = None,
        *,
        token: bytes | None = None,
    ) -> Asked:
        """Ask the device behind *peer*."""
        return Asked(self.layer.link, peer, request or READ, token)

    def secure(self, number: int = 1, identity: bytes = b"urn:imei:1") -> Peer:
        """A peer behind a session."""
        session = FakeSession(number, identity)
        peer = Peer(self.layer, lambda _: remote)
        remote = SessionRemote(session, lambda _session, data: peer.collect(data))
        return peer


class EmptySite(Resource):
    """An aiocoap resource that must not be asked."""

    async def render(self, request: Message) -> Message:
        raise AssertionError("nothing should come here")

    async def needs_blockwise_assembly(self, request: Message) -> bool:
        return False
