"""The gateway's message layer asking devices on command: the server side of `tools.bench.downlink`.

Runs as a process of its own and prints its port. No registry, no LwM2M: what is measured is the link.
``/ask`` asks as many devices as its payload says, all at once; ``/answered`` tells how many have answered.
"""

from __future__ import annotations

import asyncio
import gc
import os

from aiocoap.numbers.codes import Code
from aiocoap.resource import Site

from gateway.lwm2m.requests import Method
from gateway.lwm2m.requests import Request as Question
from gateway.messaging.handling import Request, Response, respond
from gateway.messaging.link import Notification
from gateway.messaging.outcomes import Answered, Outcome
from gateway.messaging.remote import Remote
from gateway.messaging.stack import CoapStack
from gateway.transport.binding import bind_sockets
from gateway.transport.udp import UdpListener

ACCEPT_SENML_CBOR = 112


def device_host(number: int) -> str:
    """The loopback address of a device."""
    return f"127.1.{number >> 8}.{number & 0xFF}"


def observed_token(number: int) -> bytes:
    """The token of the observation of a device."""
    return number.to_bytes(8, "big")


class Asker:
    """Asks, counts what is answered, and knows as many observations as it asked devices."""

    def __init__(self) -> None:
        self.answered = 0
        self.observed: frozenset[bytes] = frozenset()
        self.stack = CoapStack(Site(), self._handle, entropy=os.urandom)
        self.stack.link.on_notification = self._note

    def _handle(self, request: Request) -> Response | None:
        if request.uri_path == ["answered"]:
            return respond(Code.CONTENT, payload=b"%d" % self.answered)
        if request.uri_path == ["ask"]:
            count, port = map(int, request.payload.split())
            asyncio.get_running_loop().call_soon(self._ask, count, port)
            return respond(Code.CHANGED)
        return None

    def _ask(self, count: int, port: int) -> None:
        self.answered = 0
        self.observed = frozenset(map(observed_token, range(count)))
        for number in range(count):
            remote = self.stack.find_remote(None, f"{device_host(number)}:{port}")
            assert remote is not None
            question = Question(Method.GET, ("3303", "0", "5700"), accept=ACCEPT_SENML_CBOR)
            self.stack.link.request(remote, question, self._count)

    def _count(self, outcome: Outcome) -> None:
        self.answered += type(outcome) is Answered

    def _note(self, _remote: Remote, token: bytes, _notification: Notification) -> bool:
        return token in self.observed


async def _serve() -> None:
    asker = Asker()
    listener = UdpListener(bind_sockets("127.0.0.1", 0))
    asker.stack.routes.plain = listener.send
    gc.freeze()
    gc.set_threshold(100_000, 50, 100)
    listener.start(asker.stack.receive_plain)
    print(f"listening coap://127.0.0.1:{listener.port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve())
