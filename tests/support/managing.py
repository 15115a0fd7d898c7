"""A gateway in this process, on loopback, that foreign clients register with, to be asked."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path as File

from gateway.settings import DownlinkSettings, GatewayConfig
from gateway.transport.binding import bind_sockets
from gateway.transport.udp import UdpListener
from gateway.wiring import Gateway
from registry.administration import Administration
from registry.clock import SystemClock
from registry.model import Origin, Registration, Security
from registry.sqlite import Database
from registry.store import Registry
from tests.support.asking import DEADLINE_S, Asked

HOST = "127.0.0.1"


class Managing:
    """The gateway, and what it was told without asking."""

    def __init__(
        self, registry: Registry, gateway: Gateway, administration: Administration, ports: tuple[int, int]
    ) -> None:
        self._registry = registry
        self._gateway = gateway
        self._administration = administration
        self.coap_port, self.coaps_port = ports
        self.coap = f"coap://{HOST}:{self.coap_port}"
        self.coaps = f"coaps://{HOST}:{self.coaps_port}"

    async def create(self, node_id: str, key: bytes = b"") -> None:
        """A device that may come; with a *key* over DTLS."""
        security = Security.PSK if key else Security.NONE
        self._administration.create(node_id, security, secret=key or None)
        await self._registry.poll_changes()

    async def device(self, node_id: str) -> Asked:
        """The device once it is registered."""
        device = self._registry.find_device(node_id)
        assert device is not None
        registration = await self._until(lambda: self._registry.find_registration_of(device.number))
        return Asked(self._gateway, registration)

    async def _until(self, find: Callable[[], Registration | None]) -> Registration:
        async with asyncio.timeout(DEADLINE_S):
            while (found := find()) is None:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        return found

    async def values(self, node_id: str) -> dict[str, object]:
        """Path → latest value of what the device has sent, once there is any."""
        async with asyncio.timeout(DEADLINE_S):
            while not (found := self._administration.values(node_id)):  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert all(each.origin is Origin.SEND for each in found)
        return {each.path: each.value for each in found}


@asynccontextmanager
async def running(command: Sequence[str], log: File) -> AsyncIterator[asyncio.StreamWriter]:
    """A foreign program that writes to the file *log*; gives its standard input. Ends with the context."""
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=asyncio.subprocess.PIPE, stdout=output, stderr=output
        )
    assert process.stdin is not None
    try:
        yield process.stdin
    finally:
        process.kill()
        await process.wait()


@asynccontextmanager
async def managing_gateway(folder: File, downlink: DownlinkSettings | None = None) -> AsyncIterator[Managing]:
    """A gateway on *folder*/registry.db, until the context is left."""
    config = GatewayConfig(downlink=downlink or DownlinkSettings())
    path = folder / "registry.db"
    registry = await Registry.open(Database.open(path))
    coap, coaps = (UdpListener(bind_sockets(HOST, 0)) for _ in range(2))
    try:
        gateway = Gateway(config, registry, SystemClock(), send_coap=coap.send, send_coaps=coaps.send)
        coap.start(gateway.receive_coap)
        coaps.start(gateway.receive_coaps, gateway.flush_coaps)
        with Administration(Database.open(path)) as administration:
            yield Managing(registry, gateway, administration, (coap.port, coaps.port))
        await registry.flush()
        await gateway.close()
    finally:
        coap.close()
        coaps.close()
        await registry.close()
