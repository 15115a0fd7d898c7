"""Moves one sans-IO device: datagrams in and out, its timer, its events. Knows no sockets."""

from __future__ import annotations

from collections.abc import Callable

from gateway.address import Address
from tools.simulator.device import Device
from tools.simulator.events import DeviceEvent
from tools.simulator.network import Connection, Network
from tools.simulator.timers import Alarm, Scheduler


class Driver:
    """Owner of one device. `send` takes datagrams for its server, `on_event` what happens to it."""

    __slots__ = ("_alarm", "_on_event", "_scheduler", "_send", "device")

    def __init__(
        self,
        device: Device,
        scheduler: Scheduler,
        send: Callable[[bytes], None],
        on_event: Callable[[Device, DeviceEvent], None],
    ) -> None:
        self.device = device
        self._scheduler = scheduler
        self._send = send
        self._on_event = on_event
        self._alarm = Alarm(scheduler, self._wake)

    def start(self) -> None:
        """Start the device."""
        self.device.start(self._scheduler.time())
        self.settle()

    def stop(self) -> None:
        """Stop the device; with its De-register answered it is gone."""
        self.device.stop(self._scheduler.time())
        self.settle()

    def receive(self, datagram: bytes) -> None:
        """A datagram from the server."""
        self.device.receive_datagram(datagram, self._scheduler.time())
        self.settle()

    def receive_unreachable(self) -> None:
        """The network reported that nothing listens at the server's port."""
        self.device.receive_unreachable(self._scheduler.time())
        self.settle()

    def settle(self) -> None:
        """Send what the device wants sent, tell its events, keep its timer. After every touch."""
        for datagram in self.device.datagrams_to_send():
            self._send(datagram)
        while (event := self.device.next_event()) is not None:
            self._on_event(self.device, event)
        self._alarm.set(self.device.get_timer())

    def _wake(self) -> None:
        self.device.handle_timer(self._scheduler.time())
        self.settle()


def attach(
    device: Device,
    network: Network,
    server: Address,
    scheduler: Scheduler,
    on_event: Callable[[Device, DeviceEvent], None],
    host: str = "192.0.2.1",
) -> tuple[Driver, Connection]:
    """Put *device* into an in-memory network, behind *host*, talking to *server*."""
    connection = network.connect(server, lambda datagram: driver.receive(datagram), host)
    driver = Driver(device, scheduler, connection.send, on_event)
    return driver, connection
