"""A whole gateway in memory: real parts from datagram to SQLite, a scripted network, virtual time.

    @virtual_time
    async def test_device_registers(clock, tmp_path):
        async with gateway_in_memory(clock, tmp_path) as scene:
            player = await scene.play("meter-7", Security.PSK).registered()

Only sockets and threads are missing: datagrams go through `tools.simulator.network`, and the
commits run in the loop's own thread.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from random import Random
from typing import Any

from gateway import resolved
from gateway.address import Address
from gateway.credentials.ownkey import credential_of, make_server_key
from gateway.credentials.trustfolder import TrustFolder, read_trust_folder
from gateway.dtls.trust import TrustAnchors
from gateway.persistence.keeper import SessionKeeper
from gateway.settings import GatewayConfig
from gateway.wiring import Gateway
from gateway.workers.changes import Changes
from gateway.workers.expiry import Expiry
from gateway.workers.periodic import PeriodicWorker
from gateway.workers.purge import Claims
from gateway.workers.snapshots import Snapshots
from gateway.workers.trust import TrustWatch
from registry.administration import Administration
from registry.model import DeviceState, DeviceView, EventRow, Security
from registry.sqlite import Database
from registry.store import Registry
from tests.support.clock import VirtualClock, until
from tests.support.registry import InlineExecutor
from tools.simulator.device import Device
from tools.simulator.driver import attach
from tools.simulator.events import DeviceEvent
from tools.simulator.lifecycle import State
from tools.simulator.network import CLEAN, Impairment, Network
from tools.simulator.settings import DeviceSettings

COAP = Address("198.51.100.1", 5683)
COAPS = Address("198.51.100.1", 5684)

_OWN = credential_of(make_server_key())
"What every gateway in memory proves itself by."


class Player:
    """A simulated device in the scene, with its connection and all that happened to it."""

    def __init__(self, scene: Scene, settings: DeviceSettings, host: str) -> None:
        server = COAPS if settings.is_secure else COAP
        self.scene = scene
        self.events: list[DeviceEvent] = []
        self.device = Device(settings, scene.entropy, scene.random)
        self.driver, self.connection = attach(
            self.device, scene.network, server, asyncio.get_running_loop(), self._record, host
        )

    @property
    def node_id(self) -> str:
        return self.device.settings.node_id

    @property
    def location(self) -> str:
        """The last part of the device's newest location."""
        return self.device.location[-1]

    def count(self, kind: type[DeviceEvent]) -> int:
        """How many events of *kind* there were."""
        return sum(isinstance(event, kind) for event in self.events)

    def is_registered(self) -> bool:
        return self.device.state is State.REGISTERED

    async def registered(self) -> Player:
        """The same, once it is."""
        await self.scene.until(self.is_registered)
        return self

    def is_over(self) -> bool:
        return self.device.state.is_final

    async def over(self) -> Player:
        """The same, once it has given up or gone."""
        await self.scene.until(self.is_over)
        return self

    def update(self, lifetime_s: int | None = None) -> None:
        """Send an Update now."""
        self.device.update(asyncio.get_running_loop().time(), lifetime_s)
        self.driver.settle()

    def vanish(self) -> None:
        """Fall silent for ever, without a word."""
        self.connection.is_silent = True

    def _record(self, _: Device, event: DeviceEvent) -> None:
        self.events.append(event)


class Scene:
    """The gateway, its network and what an administrator may do meanwhile."""

    def __init__(
        self,
        registry: Registry,
        gateway: Gateway,
        administration: Administration,
        network: Network,
        random: Random,
    ) -> None:
        self.registry = registry
        self.gateway = gateway
        self.administration = administration
        "On the same file, as the command line has it."

        self.network = network
        self.random = random
        self.entropy = random.randbytes

    def play(
        self,
        node_id: str,
        security: Security = Security.NONE,
        *,
        host: str = "192.0.2.1",
        timeout_s: int = 0,
        **settings: Any,
    ) -> Player:
        """Create a device as an administrator would, and start it when the gateway has noticed."""
        created = self.administration.create(node_id, security, timeout_s=timeout_s)
        return self.join(node_id, psk=created.secret, host=host, **settings)

    def reasons(self, node_id: str) -> list[str]:
        """Why the device was refused, as ``nodegate device show`` tells it, oldest first."""
        return [refusal.reason for refusal in self.view(node_id).refusals]

    def join(self, node_id: str, *, host: str = "192.0.2.1", after_s: float = 0.5, **settings: Any) -> Player:
        """Start a device, whether the registry knows it or not."""
        player = Player(self, DeviceSettings(node_id, **settings), host)
        loop = asyncio.get_running_loop()
        loop.call_at(loop.time() + after_s, player.driver.start)
        return player

    async def until(self, is_reached: Callable[[], object], limit_s: float = 600.0) -> None:
        """Let virtual time pass until it is so."""
        await until(is_reached, limit_s)

    def view(self, node_id: str) -> DeviceView:
        """What ``nodegate device show`` is made of."""
        return self.administration.get(node_id)

    def state(self, node_id: str) -> DeviceState:
        return self.view(node_id).state

    def facts(self, *types: str) -> list[EventRow]:
        """The events so far, of these types if any are given."""
        return self.administration.events(types=types, limit=1_000_000)


@asynccontextmanager
async def gateway_in_memory(
    clock: VirtualClock,
    folder: Path,
    *,
    seed: int = 1,
    uplink: Impairment = CLEAN,
    downlink: Impairment = CLEAN,
    settings: dict[str, Any] | None = None,
    network: Network | None = None,
    is_crashing: bool = False,
) -> AsyncIterator[Scene]:
    """A running gateway on ``folder/registry.db``.

    Made anew on the same folder it is a restart; with the *network* of the scene before, its devices
    are still there. *is_crashing*: at the end nothing is told or written any more.
    """
    config = GatewayConfig(**(settings or {}))
    path = folder / "registry.db"
    random = Random(seed)
    trust_dir = config.dtls.trust_dir
    trust = TrustFolder(TrustAnchors()) if trust_dir is None else read_trust_folder(trust_dir)
    if network is None:
        network = Network(asyncio.get_running_loop(), seed=seed, uplink=uplink, downlink=downlink)
    registry = await Registry.open(
        Database.open(path),
        settings=resolved.registry_settings(config),
        clock=clock,
        executor=InlineExecutor(),
    )
    keeper = None
    if config.dtls.persist_sessions:
        keeper = await SessionKeeper.open(registry, clock, InlineExecutor())
    gateway = Gateway(
        config,
        registry,
        clock,
        send_coap=network.carry_down,
        send_coaps=network.carry_down,
        credential=_OWN,
        anchors=trust.anchors,
        keeper=keeper,
        entropy=random.randbytes,
    )
    use = gateway.use_anchors
    more: list[PeriodicWorker | SessionKeeper] = [gateway.commands, gateway.definitions]
    if keeper is not None:
        more.append(keeper)
    if trust_dir:
        more.append(TrustWatch(trust_dir, trust, use, executor=InlineExecutor()))
    await gateway.definitions.work()
    await gateway.commands.start()
    network.listen(COAP, gateway.receive_coap)
    network.listen(COAPS, lambda datagram, address: _receive_coaps(gateway, datagram, address))
    with Administration(Database.open(path), clock=clock, entropy=random.randbytes) as administration:
        async with _working(clock, registry, config, more):
            yield Scene(registry, gateway, administration, network, random)
        network.unlisten(COAP)
        network.unlisten(COAPS)
        if is_crashing:
            await _crash(registry, gateway)
            return
        await registry.flush()
        await gateway.close()
        await registry.close()


async def _crash(registry: Registry, gateway: Gateway) -> None:
    """Let the kernel have back what it takes from a dead process, and nobody else anything."""
    gateway.coaps.close(notify=False)
    if gateway.keeper is not None:
        await gateway.keeper.abandon()
    await gateway.stack.close()
    await registry._release()


def _receive_coaps(gateway: Gateway, datagram: bytes, address: Address) -> None:
    gateway.receive_coaps(datagram, address)
    gateway.flush_coaps()


@asynccontextmanager
async def _working(
    clock: VirtualClock,
    registry: Registry,
    config: GatewayConfig,
    more: Iterable[PeriodicWorker | SessionKeeper],
) -> AsyncIterator[None]:
    """The workers of a gateway, as ``app`` runs them."""
    workers: list[PeriodicWorker | SessionKeeper] = [
        Expiry(registry, clock),
        Claims(registry, clock),
        Changes(registry, config.registry.poll_s),
        Snapshots(registry, config.registry.snapshot_s),
        *more,
    ]
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(worker.run()) for worker in workers]
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
