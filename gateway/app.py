"""The composition root: builds in order, one TaskGroup for the workers, closes in reverse.

registry ─▶ gateway ─▶ sockets ─▶ workers          signal ─▶ sockets ─▶ group ─▶ sessions ─▶ registry
"""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from gateway import readiness, resolved
from gateway.address import Address
from gateway.credentials.identity import ServerIdentity
from gateway.credentials.trustfolder import TrustFolder, read_trust_folder
from gateway.dtls.credential import Credential
from gateway.dtls.trust import TrustAnchors
from gateway.persistence.keeper import SessionKeeper
from gateway.settings import GatewayConfig
from gateway.totals import Counters, gather
from gateway.transport.binding import bind_sockets
from gateway.transport.errors import BindError
from gateway.transport.udp import UdpListener
from gateway.wiring import Gateway
from gateway.workers.changes import Changes
from gateway.workers.expiry import Expiry
from gateway.workers.identity import CertificateDates, Reload
from gateway.workers.periodic import PeriodicWorker
from gateway.workers.purge import Claims, EventRetention
from gateway.workers.snapshots import Snapshots
from gateway.workers.trust import TrustWatch
from registry.clock import Clock, SystemClock
from registry.errors import StorageUnavailable
from registry.sqlite import Database
from registry.store import Registry

log = structlog.get_logger("gateway")

Announce = Callable[[str], None]
"Called with a line for each listener, once all of them are ready."

_WILDCARDS = {"0.0.0.0", "::"}
_SIGNALS = (signal.SIGTERM, signal.SIGINT)

GC_THRESHOLDS = (100_000, 50, 100)
"Devices and sessions live long: with Python's own the collector would visit all of them again and again."


Worker = PeriodicWorker | Reload | SessionKeeper


@dataclass(frozen=True, slots=True)
class Opened:
    """A gateway whose sockets are open; it does its work while `work` runs."""

    registry: Registry
    gateway: Gateway
    uris: Sequence[str]
    "Of the listeners: those of plain CoAP first."

    reload: Reload
    workers: Sequence[Worker]
    counters: Mapping[str, Counters]
    "Of each part that counts."

    def log_totals(self) -> None:
        """Tell the operator what was counted since the start."""
        totals = gather(self.counters)
        log.info("counted", refusals_not_recorded=self.registry.refusals_suppressed, **totals)


async def serve(config: GatewayConfig, announce: Announce) -> None:
    """Run until SIGTERM or SIGINT; a second signal ends the process at once. SIGHUP reads certificates again.
    SIGUSR1 has what was counted told in the log.

    Raises:
        RegistryError: the database or its key cannot be used.
        CredentialError: certificates, keys or the trust folder cannot be used.
        BindError: an address cannot be listened on.
    """
    gc.set_threshold(*GC_THRESHOLDS)
    stopping = asyncio.Event()
    async with opened(config) as running:
        gc.freeze()
        _heed_signals(stopping, running)
        for uri in running.uris:
            announce(f"listening {uri}")
        readiness.notify(readiness.READY)
        registry = running.registry
        log.info("ready", devices=registry.device_count, registrations=registry.registration_count)
        await work(running.workers, stopping)
        running.log_totals()
        readiness.notify(readiness.STOPPING)
    log.info("stopped")


@asynccontextmanager
async def opened(config: GatewayConfig) -> AsyncIterator[Opened]:
    """A gateway with its registry and sockets, closed in reverse at the end. Raises what `serve` does."""
    clock = SystemClock()
    trust = _read_trust(config.dtls.trust_dir)
    async with _registry(config, clock) as registry:
        identity = ServerIdentity(registry, clock, *resolved.server_files(config))
        credential = await identity.load()
        listening = _listening(config, registry, clock, credential, trust.anchors)
        async with listening as (gateway, uris, counters):
            reload = Reload(identity, gateway.use_credential)
            workers: list[Worker] = [
                *_workers(config, registry, clock),
                reload,
                CertificateDates(identity),
                gateway.commands,
                gateway.definitions,
            ]
            if gateway.keeper is not None:
                workers.append(gateway.keeper)
            if config.dtls.trust_dir is not None:
                workers.append(TrustWatch(config.dtls.trust_dir, trust, gateway.use_anchors))
            yield Opened(registry, gateway, uris, reload, workers, counters)


async def work(workers: Sequence[Worker], stopping: asyncio.Event) -> None:
    """Let *workers* work until *stopping* is set, or one of them fails."""
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(worker.run()) for worker in workers]
        await stopping.wait()
        for task in tasks:
            task.cancel()


def _read_trust(folder: Path | None) -> TrustFolder:
    return TrustFolder(TrustAnchors()) if folder is None else read_trust_folder(folder)


@asynccontextmanager
async def _registry(config: GatewayConfig, clock: Clock) -> AsyncIterator[Registry]:
    database = Database.open(config.db.url, key=resolved.key_source(config))
    registry = await Registry.open(database, settings=resolved.registry_settings(config), clock=clock)
    try:
        yield registry
    finally:
        await registry.close()


@asynccontextmanager
async def _listening(
    config: GatewayConfig, registry: Registry, clock: Clock, credential: Credential, anchors: TrustAnchors
) -> AsyncIterator[tuple[Gateway, Sequence[str], Mapping[str, Counters]]]:
    """Bind both listeners and join them with a gateway; gives it, their URIs, and what each part counts.

    At the end nothing is read any more, what is under way is committed and answered, and live sessions
    are told.
    """
    server = config.server
    if server.coap_port == server.coaps_port != 0:
        raise BindError(f"UDP port {server.coap_port} was chosen for CoAP and for DTLS: choose two ports")
    coap = UdpListener(_bind(server.host, server.coap_port, server.receive_buffer_bytes))
    try:
        coaps = UdpListener(_bind(server.host, server.coaps_port, server.receive_buffer_bytes))
    except BindError:
        coap.close()
        raise
    try:
        async with _joined(config, registry, clock, credential, anchors, (coap, coaps)) as gateway:
            counters: dict[str, Counters] = {
                "coap": coap.counters,
                "coaps": coaps.counters,
                "dtls": gateway.endpoint.counters,
                "messages": gateway.stack.layer.counters,
            }
            yield gateway, [f"{scheme}://{address}" for scheme, address in _endpoints(coap, coaps)], counters
    finally:
        coap.close()
        coaps.close()


@asynccontextmanager
async def _joined(
    config: GatewayConfig,
    registry: Registry,
    clock: Clock,
    credential: Credential,
    anchors: TrustAnchors,
    listeners: tuple[UdpListener, UdpListener],
) -> AsyncIterator[Gateway]:
    """A gateway that answers on *listeners*: CoAP, DTLS. If the block fails, what is stored stays."""
    coap, coaps = listeners
    async with AsyncExitStack() as unfinished:
        keeper = await _keeper(config, registry, clock)
        if keeper is not None:
            unfinished.push_async_callback(keeper.abandon)
        gateway = Gateway(
            config,
            registry,
            clock,
            send_coap=coap.send,
            send_coaps=coaps.send,
            credential=credential,
            anchors=anchors,
            keeper=keeper,
        )
        unfinished.push_async_callback(gateway.stack.close)
        unfinished.callback(gateway.coaps.close, notify=False)
        unfinished.callback(coap.stop)
        unfinished.callback(coaps.stop)
        await gateway.definitions.work()
        await gateway.commands.start()
        coap.start(gateway.receive_coap)
        coaps.start(gateway.receive_coaps, gateway.flush_coaps)
        yield gateway
        coap.stop()
        coaps.stop()
        await registry.flush()
        unfinished.pop_all()
        await gateway.close()


async def _keeper(config: GatewayConfig, registry: Registry, clock: Clock) -> SessionKeeper | None:
    if config.dtls.persist_sessions:
        return await SessionKeeper.open(registry, clock)
    try:
        await registry.vault.disown_sessions()
    except StorageUnavailable as error:
        log.error("the stored sessions of an earlier run cannot be deleted", reason=str(error))
    return None


def _endpoints(coap: UdpListener, coaps: UdpListener) -> Iterator[tuple[str, Address]]:
    for scheme, listener in (("coap", coap), ("coaps", coaps)):
        for address in listener.addresses:
            yield scheme, address


def _bind(hosts: Sequence[str], port: int, receive_buffer_bytes: int) -> list[socket.socket]:
    """One socket an address, all on one port; both wildcards together are bound as a pair.

    Raises:
        BindError: with the address, the port and what to do.
    """
    if set(hosts) == _WILDCARDS:
        return bind_sockets(None, port, receive_buffer_bytes)
    sockets: list[socket.socket] = []
    try:
        for host in hosts:
            sockets += bind_sockets(host, port, receive_buffer_bytes)
            port = sockets[0].getsockname()[1]
    except BindError:
        for sock in sockets:
            sock.close()
        raise
    return sockets


def _workers(config: GatewayConfig, registry: Registry, clock: Clock) -> list[PeriodicWorker]:
    return [
        Expiry(registry, clock),
        Claims(registry, clock),
        Changes(registry, config.registry.poll_s),
        Snapshots(registry, config.registry.snapshot_s),
        EventRetention(registry),
    ]


def _heed_signals(stopping: asyncio.Event, running: Opened) -> None:
    loop = asyncio.get_running_loop()
    loop.add_signal_handler(signal.SIGHUP, running.reload.request)
    loop.add_signal_handler(signal.SIGUSR1, running.log_totals)

    def stop() -> None:
        stopping.set()
        for number in _SIGNALS:
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

    for number in _SIGNALS:
        loop.add_signal_handler(number, stop)
