"""A gateway inside a program of somebody else's: started and stopped by it, devices asked by `await`.

The same parts as ``nodegate serve``, without its signals, announcements and settings from outside.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Self

from gateway import logs
from gateway.app import opened, work
from gateway.embedding.asking import GLANCE_S, Asking
from gateway.embedding.device import Device
from gateway.embedding.errors import NotRunning
from gateway.settings import SQLITE, GatewayConfig
from registry.administration import Administration
from registry.model import Security
from registry.sqlite import Database


class Gateway:
    """A gateway on loopback, as an async context manager.

    Entering raises what `gateway.app.serve` does; leaving raises ExceptionGroup when a part had failed.
    """

    def __init__(
        self,
        db: str | Path | None = None,
        host: str = "127.0.0.1",
        coap_port: int = 0,
        coaps_port: int = 0,
        settings: Mapping[str, object] | None = None,
    ) -> None:
        """*db*: a path or ``sqlite:///…``; None: a temporary registry. A port of 0: of the system's choice.

        *settings*: ``section.key`` → value, as in docs/configuration.md; environment and files are not read.

        Raises:
            ValueError: a setting that there is not, or a value that it cannot have.
        """
        self._db = db
        self._sections = _sections(settings or {})
        self._sections.setdefault("server", {}).update(
            host=(host,), coap_port=coap_port, coaps_port=coaps_port
        )
        if db is None:
            # Whoever tests waits for each change by itself: there is none that could share its commit.
            self._sections.setdefault("registry", {}).setdefault("group_window_s", 0)
        GatewayConfig.model_validate(self._sections)
        self._stack = AsyncExitStack()
        self._current: Asking | None = None

    async def __aenter__(self) -> Self:
        logs.defer_to_logging()
        async with AsyncExitStack() as stack:
            url = self._db
            if url is None:
                url = Path(stack.enter_context(TemporaryDirectory(prefix="nodegate-"))) / "registry.db"
            config = GatewayConfig.model_validate(self._sections | {"db": self._database_section(url)})
            running = await stack.enter_async_context(opened(config))
            stopping = asyncio.Event()
            group = await stack.enter_async_context(asyncio.TaskGroup())
            group.create_task(work(running.workers, stopping))
            stack.callback(stopping.set)
            administration = stack.enter_context(Administration(Database.open(config.db.url)))
            thread = stack.enter_context(ThreadPoolExecutor(1, "nodegate-administration"))
            self._current = Asking(running, administration, thread)
            stack.callback(self._current.end)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *exception: object) -> None:
        await self._stack.aclose()

    @property
    def coap_uri(self) -> str:
        """Where devices without security find it: ``coap://HOST:PORT``."""
        return self._asking.opened.uris[0]

    @property
    def coaps_uri(self) -> str:
        """Where security devices find it: ``coaps://HOST:PORT``."""
        return next(uri for uri in self._asking.opened.uris if uri.startswith("coaps:"))

    async def create(self, node_id: str, security: str = "none", secret: bytes | None = None) -> bytes | None:
        """Let a device come: ``none``, or ``psk`` with *secret* (made when None). Returns the secret.

        Raises:
            ValueError: no such security.
            RegistryError: the node ID is taken, or no device may have it or this secret.
        """
        wanted = Security(security)
        created = await self._asking.administer(lambda admin: admin.create(node_id, wanted, secret))
        await self._asking.take_notice()
        return created.secret

    async def device(self, node_id: str, timeout: float = 30) -> Device:  # noqa: ASYNC109
        """The device, once it is registered.

        Raises:
            TimeoutError: it did not register within *timeout* seconds.
        """
        async with asyncio.timeout(timeout):
            while self._asking.find_registration(node_id) is None:  # noqa: ASYNC110
                await asyncio.sleep(GLANCE_S)
        return Device(self._asking, node_id)

    @property
    def _asking(self) -> Asking:
        if self._current is None:
            raise NotRunning()
        return self._current

    def _database_section(self, url: str | Path) -> dict[str, object]:
        text = str(url)
        is_url = text.startswith("sqlite:")
        return self._sections.get("db", {}) | {"url": text if is_url else f"{SQLITE}{Path(text).absolute()}"}


def _sections(settings: Mapping[str, object]) -> dict[str, dict[str, object]]:
    sections: dict[str, dict[str, object]] = {}
    for name, value in settings.items():
        section, dot, key = name.partition(".")
        if not dot:
            raise ValueError(f"{name!r} is no setting: they are named section.key")
        sections.setdefault(section, {})[key] = value
    return sections
