"""A server on loopback that accepts every Register, Update and De-register, for fleets under test."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import asynccontextmanager

from aiocoap.numbers.codes import Code

from tests.support.coap import read
from tests.support.replies import reply


class Accepting(asyncio.DatagramProtocol):
    """Remembers what it was asked and by whom. Node IDs in `refused` get 4.03."""

    def __init__(self, refused: frozenset[str] = frozenset()) -> None:
        self.refused = refused
        self.requests: list[str] = []
        self.sources: set[tuple[str, int]] = set()
        self._waiting: list[tuple[Callable[[], bool], asyncio.Future[None]]] = []

    async def until(self, is_reached: Callable[[], bool]) -> None:
        """Wait for the request that makes it true."""
        if not is_reached():
            reached = asyncio.get_running_loop().create_future()
            self._waiting.append((is_reached, reached))
            await reached

    def connection_made(self, transport) -> None:
        self.transport = transport

    def datagram_received(self, data, addr) -> None:
        self.sources.add(addr)
        self.transport.sendto(self._answer(data), addr)
        for is_reached, reached in self._waiting:
            if not reached.done() and is_reached():
                reached.set_result(None)

    def _answer(self, data: bytes) -> bytes:
        message = read(data)
        path = message.opt.uri_path
        if message.code is Code.DELETE:
            self.requests.append("deregister")
            return reply(data, Code.DELETED)
        if path != ("rd",):
            self.requests.append("update")
            return reply(data, Code.CHANGED)
        self.requests.append("register")
        if message.opt.uri_query[0].removeprefix("ep=") in self.refused:
            return reply(data, Code.FORBIDDEN)
        return reply(data, Code.CREATED, location=("rd", str(len(self.requests))))


@asynccontextmanager
async def accepting_server(refused: frozenset[str] = frozenset()):
    """The server and its port, chosen by the system."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(
        lambda: Accepting(refused), local_addr=("127.0.0.1", 0)
    )
    try:
        yield protocol, transport.get_extra_info("sockname")[1]
    finally:
        transport.close()
        await asyncio.sleep(0)
