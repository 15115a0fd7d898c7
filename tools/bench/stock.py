"""The alternative: aiocoap's own context and Site with an in-memory registration directory.

Runs as a process of its own and prints its port. Nothing of the gateway is loaded.
"""

from __future__ import annotations

import asyncio
import secrets
import socket

import aiocoap
import aiocoap.resource


class _Registration(aiocoap.resource.Resource):
    async def render_post(self, request: aiocoap.Message) -> aiocoap.Message:
        return aiocoap.Message(code=aiocoap.CHANGED)


class _Directory(aiocoap.resource.Resource):
    def __init__(self, site: aiocoap.resource.Site) -> None:
        super().__init__()
        self._site = site

    async def render_post(self, request: aiocoap.Message) -> aiocoap.Message:
        location = ("rd", secrets.token_urlsafe(16))
        self._site.add_resource(location, _Registration())
        return aiocoap.Message(code=aiocoap.CREATED, location_path=location)


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


async def _serve() -> None:
    site = aiocoap.resource.Site()
    site.add_resource(["rd"], _Directory(site))
    port = _free_port()
    await aiocoap.Context.create_server_context(site, bind=("127.0.0.1", port))
    print(f"listening coap://127.0.0.1:{port}", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(_serve())
