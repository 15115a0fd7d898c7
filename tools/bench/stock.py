"""The alternative: aiocoap's own context and Site with an in-memory registration directory.

Runs as a process of its own and prints its port. Nothing of the gateway is loaded.
"""

from __future__ import annotations

import asyncio
import secrets
import socket

from aiocoap.message import Message
from aiocoap.numbers.codes import Code
from aiocoap.protocol import Context
from aiocoap.resource import Resource, Site


class _Registration(Resource):
    async def render_post(self, request: Message) -> Message:
        return Message(code=Code.CHANGED)


class _Directory(Resource):
    def __init__(self, site: Site) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # aiocoap has no annotations
        self._site = site

    async def render_post(self, request: Message) -> Message:
        location = ("rd", secrets.token_urlsafe(16))
        self._site.add_resource(location, _Registration())  # type: ignore[no-untyped-call]
        return Message(code=Code.CREATED, location_path=location)


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _serve() -> None:
    site = Site()
    site.add_resource(["rd"], _Directory(site))
    port = _free_port()
    await Context.create_server_context(site, bind=("127.0.0.1", port))
    print(f"listening coap://127.0.0.1:{port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve())
