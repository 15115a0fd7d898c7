"""What the gateway expects of the pinned aiocoap, above its own message layer.

In memory and in virtual time, but with aiocoap's real Context, TokenManager, resources, block-wise
requests; then once with a stock aiocoap context as the device, over loopback.
"""

from __future__ import annotations

import asyncio
import gc
import warnings
from collections.abc import Callable
from importlib.metadata import version

import aiocoap
import aiocoap.resource
import pytest
from aiocoap import Message
from aiocoap.message import Direction
from aiocoap.numbers.codes import Code

from gateway.address import Address
from gateway.lwm2m.requests import Method
from gateway.lwm2m.requests import Request as Ask
from gateway.messaging.format import decode_message
from gateway.messaging.handling import Request, Response, respond
from gateway.messaging.link import Notification
from gateway.messaging.outcomes import Answered, Outcome
from gateway.messaging.remote import Remote
from gateway.messaging.seam import with_payload
from gateway.messaging.stack import CoapStack
from gateway.transport.binding import bind_sockets
from gateway.transport.udp import UdpListener
from tests.support.clock import VirtualClock, virtual_time
from tests.support.coap import (
    ACK,
    BLOCK1,
    CON,
    Entropy,
    block,
    coap,
    path,
    read,
    summary,
)

HOME = Address("192.0.2.1", 5683)


class _Store(aiocoap.resource.Resource):
    """Keeps what is posted to it."""

    def __init__(self) -> None:
        super().__init__()
        self.bodies: list[bytes] = []

    async def render_post(self, request: Message) -> Message:
        self.bodies.append(request.payload)
        return Message(code=Code.CREATED, location_path=("rd", str(len(self.bodies))))


class _Slow(aiocoap.resource.Resource):
    async def render_get(self, request: Message) -> Message:
        await asyncio.sleep(5)
        return Message(payload=b"at last")


class _Broken(aiocoap.resource.Resource):
    async def render_get(self, request: Message) -> Message:
        raise KeyError("a bug with a secret in its text")


class _Refusing(aiocoap.resource.Resource):
    async def render_get(self, request: Message) -> Message:
        raise aiocoap.error.Forbidden


class _Scene:
    """A stack with stock resources, and a device at the other end that answers as told."""

    def __init__(self) -> None:
        self.store = _Store()
        site = aiocoap.resource.Site()
        site.add_resource(["rd"], self.store)
        site.add_resource(["slow"], _Slow())
        site.add_resource(["broken"], _Broken())
        site.add_resource(["refusing"], _Refusing())
        self.stack = CoapStack(site, lambda _: None, entropy=Entropy())
        self.stack.routes.plain = self._to_device
        self.received: list[bytes] = []
        self.reply: Callable[[Message], bytes | None] = lambda _: None
        self._loop = asyncio.get_running_loop()

    def _to_device(self, data: bytes, address: Address) -> None:
        assert address == HOME
        self.received.append(data)
        reply = self.reply(read(data))
        if reply is not None:
            self._loop.call_soon(self.send, reply)

    def send(self, datagram: bytes) -> None:
        """From the device to the gateway."""
        self.stack.receive_plain(datagram, HOME)

    def take(self) -> list[bytes]:
        received, self.received = self.received, []
        return received

    async def exchange(self, datagram: bytes) -> list[bytes]:
        self.send(datagram)
        await asyncio.sleep(0.01)
        return self.take()


def test_pin_is_what_the_seam_was_written_for() -> None:
    assert version("aiocoap") == "0.4.17"


def test_fast_message_has_the_fields_of_a_stock_one() -> None:
    datagram = coap(CON, "0.02", 7, b"token", [*path("rd"), (12, b"\x28")], b"payload")
    stock = Message.decode(datagram, remote="remote")
    fast, _, _ = decode_message(datagram, "remote")
    assert vars(fast).keys() == vars(stock).keys()
    for name in vars(stock).keys() - {"opt", "transport_tuning"}:
        assert getattr(fast, name) == getattr(stock, name), name
        assert type(getattr(fast, name)) is type(getattr(stock, name)), name
    assert fast.opt == stock.opt
    assert type(fast.transport_tuning) is type(stock.transport_tuning)
    assert fast.direction is Direction.INCOMING
    whole = with_payload(fast, b"other")
    assert (whole.payload, fast.payload, whole.opt) == (b"other", b"payload", fast.opt)
    assert vars(whole).keys() == vars(stock).keys()


@virtual_time
async def test_body_in_blocks_reaches_a_stock_resource_whole(clock: VirtualClock) -> None:
    scene = _Scene()
    body = bytes(number % 251 for number in range(5000))
    codes = []
    for number in range(5):
        piece = body[1024 * number : 1024 * number + 1024]
        options = [*path("rd"), (BLOCK1, block(number, number < 4, 6))]
        (answer,) = await scene.exchange(coap(CON, "0.02", number, b"t%d" % number, options, piece))
        codes.append(summary(answer)[1])
    assert codes == ["2.31"] * 4 + ["2.01"]
    assert read(answer).opt.location_path == ("rd", "1")
    assert scene.store.bodies == [body]
    await scene.stack.close()


@virtual_time
async def test_slow_resource_is_acknowledged_first_and_answered_separately(clock: VirtualClock) -> None:
    scene = _Scene()
    scene.send(coap(CON, "0.01", 7, b"t", path("slow")))
    await asyncio.sleep(1)
    assert [summary(each) for each in scene.take()] == [("ACK", "0.00", 7, b"")]
    assert [summary(each) for each in await scene.exchange(coap(CON, "0.01", 7, b"t", path("slow")))] == [
        ("ACK", "0.00", 7, b"")
    ]
    await asyncio.sleep(5)
    (answer,) = scene.take()
    kind, code, mid, token = summary(answer)
    assert (kind, code, token, read(answer).payload) == ("CON", "2.05", b"t", b"at last")
    scene.send(coap(ACK, "0.00", mid))
    await asyncio.sleep(300)
    assert scene.take() == []
    assert scene.stack.layer.open_exchanges == 0
    await scene.stack.close()


@pytest.mark.parametrize(
    ("target", "method", "code"),
    [
        ("nowhere", "0.01", "4.04"),
        ("rd", "0.01", "4.05"),
        ("refusing", "0.01", "4.03"),
        ("broken", "0.01", "5.00"),
    ],
)
@virtual_time
async def test_error_of_a_resource_is_its_code_without_words(
    clock: VirtualClock, target: str, method: str, code: str
) -> None:
    scene = _Scene()
    (answer,) = await scene.exchange(coap(CON, method, 7, b"t", path(target)))
    assert summary(answer) == ("ACK", code, 7, b"t")
    assert read(answer).payload == b""
    await scene.stack.close()


@virtual_time
async def test_request_replaced_before_it_was_begun_leaves_nothing_behind(clock: VirtualClock) -> None:
    scene = _Scene()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scene.send(coap(CON, "0.01", 1, b"same", path("nowhere")))
        scene.send(coap(CON, "0.01", 2, b"same", path("refusing")))
        await asyncio.sleep(1)
        gc.collect()
    assert caught == []
    assert [summary(each)[:3] for each in scene.take()] == [("ACK", "0.00", 1), ("ACK", "4.03", 2)]
    assert scene.stack.layer.open_exchanges == 0
    await scene.stack.close()


class _Counter(aiocoap.resource.ObservableResource):
    """On the device: a value that changes when told, and a long one."""

    def __init__(self) -> None:
        super().__init__()
        self.value = 0

    async def render_get(self, request: Message) -> Message:
        return Message(payload=b"%d" % self.value)

    def count(self) -> None:
        self.value += 1
        self.updated_state()


class _Long(aiocoap.resource.Resource):
    async def render_get(self, request: Message) -> Message:
        return Message(payload=bytes(3000))


async def test_stock_aiocoap_as_the_device_over_loopback() -> None:
    saved: list[Remote] = []

    def dispatch(request: Request) -> Response | None:
        if request.uri_path != ["rd"]:
            return None
        saved.append(request.remote)
        return respond(Code.CREATED, location_path=("rd", str(len(request.payload))))

    stack = CoapStack(aiocoap.resource.Site(), dispatch, entropy=Entropy())
    listener = UdpListener(bind_sockets("127.0.0.1", 0))
    stack.routes.plain = listener.send
    listener.start(stack.receive_plain)
    counter = _Counter()
    site = aiocoap.resource.Site()
    site.add_resource(["3", "0", "13"], counter)
    site.add_resource(["5", "0"], _Long())
    device = await aiocoap.Context.create_client_context()
    device.serversite = site
    try:
        async with asyncio.timeout(30):
            uri = f"coap://127.0.0.1:{listener.port}/rd?ep=a"
            response = await device.request(Message(code=Code.POST, uri=uri, payload=bytes(5000))).response
            assert (response.code, response.opt.location_path) == (Code.CREATED, ("rd", "5000"))
            outcomes: asyncio.Queue[Outcome] = asyncio.Queue()

            async def ask(request: Ask, token: bytes | None = None) -> bytes:
                stack.link.request(saved[-1], request, outcomes.put_nowait, token=token)
                outcome = await outcomes.get()
                assert isinstance(outcome, Answered)
                return outcome.response.payload

            assert await ask(Ask(Method.GET, ("5", "0"))) == bytes(3000)
            values: asyncio.Queue[bytes] = asyncio.Queue()

            def note(_remote: Remote, token: bytes, notification: Notification) -> bool:
                values.put_nowait(notification.response.payload)
                return token == b"observed"

            stack.link.on_notification = note
            assert await ask(Ask(Method.GET, ("3", "0", "13"), observe=0), b"observed") == b"0"
            for value in (b"1", b"2"):
                counter.count()
                assert await values.get() == value
            assert await ask(Ask(Method.GET, ("3", "0", "13"), observe=1), b"observed") == b"2"
    finally:
        await stack.close()
        await device.shutdown()
        listener.close()
