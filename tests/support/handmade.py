"""A registered device in a scene whose every message the test writes: what no simulated device would say."""

from __future__ import annotations

from collections import deque

from aiocoap import Message

from tests.support.coap import (
    ACK,
    CON,
    CONTENT_FORMAT,
    RST,
    URI_QUERY,
    Options,
    coap,
    path,
    read,
)
from tests.support.commanding import METER
from tests.support.gateway import COAP, Scene

OBJECTS = b"</1/0>,</3/0>,</3303/0>"


def content_format(number: int) -> list[tuple[int, bytes]]:
    """The option."""
    return [(CONTENT_FORMAT, number.to_bytes((number.bit_length() + 7) // 8, "big"))]


class HandMade:
    """Acknowledges nothing by itself. Messages of the gateway's wait in `requests` and `answers`."""

    def __init__(self, scene: Scene, host: str = "192.0.2.9") -> None:
        self._scene = scene
        self.connection = scene.network.connect(COAP, self._receive, host)
        self._mid = 0
        self.location = ""
        self.requests: deque[Message] = deque()
        self.answers: deque[Message] = deque()
        "Responses, acknowledgements and resets."

    @classmethod
    async def registered(cls, scene: Scene, *parameters: str) -> HandMade:
        """A new one, registered as ``meter-7`` with *parameters* like ``b=U`` besides the needed ones."""
        device = cls(scene)
        query = (f"ep={METER}", "lt=86400", "lwm2m=1.1", *parameters)
        answer = await device.post("rd", [(URI_QUERY, each.encode()) for each in query], OBJECTS)
        assert answer.code.dotted == "2.01"
        device.location = "/".join(answer.opt.location_path)
        return device

    async def post(self, where: str, options: Options = (), payload: bytes = b"") -> Message:
        """The answer to a POST to the gateway."""
        return await self.say("0.02", [*path(where), *options], payload=payload)

    async def say(
        self, code: str, options: Options = (), token: bytes = b"t", payload: bytes = b""
    ) -> Message:
        """Send a confirmable message of the device's own; what the gateway says to it."""
        self._mid += 1
        self.connection.send(coap(CON, code, self._mid, token, options, payload))
        await self._scene.until(lambda: self.answers)
        return self.answers.popleft()

    async def asked(self) -> Message:
        """The next request of the gateway's."""
        await self._scene.until(lambda: self.requests)
        return self.requests.popleft()

    def answer(self, request: Message, code: str, options: Options = (), payload: bytes = b"") -> None:
        """Answer *request* in its acknowledgement."""
        self.connection.send(coap(ACK, code, request.mid, request.token, options, payload))

    def reset(self, request: Message) -> None:
        """Reject *request*."""
        self.connection.send(coap(RST, "0.00", request.mid))

    def _receive(self, datagram: bytes) -> None:
        message = read(datagram)
        (self.requests if message.code.is_request() else self.answers).append(message)
