"""One UDP socket per device on the event loop, through the impaired paths of the fleet.

Knows sockets and readers. Knows no CoAP, no devices and no registry.
"""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import Callable
from typing import Any

from tools.simulator.errors import SimulatorError
from tools.simulator.network import Path
from tools.simulator.timers import Scheduler

_DRAINED_AT_ONCE = 16
_LARGEST_DATAGRAM_BYTES = 65_535
_SPARE_FILES = 64


def raise_file_limit(sockets: int) -> None:
    """Make room for that many open sockets.

    Raises:
        SimulatorError: the hard limit of this process is lower.
    """
    needed = sockets + _SPARE_FILES
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < needed:
        if hard != resource.RLIM_INFINITY and hard < needed:
            raise SimulatorError(
                f"{sockets} devices need {needed} open files, this process may have {hard}: "
                f"raise the limit (ulimit -Hn {needed}) or simulate fewer"
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


class DeviceSocket:
    """A connected, non-blocking UDP socket whose local port `rebind` replaces."""

    __slots__ = (
        "_address",
        "_downlink",
        "_family",
        "_loop",
        "_on_datagram",
        "_on_unreachable",
        "_scheduler",
        "_socket",
        "_uplink",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        scheduler: Scheduler,
        target: tuple[socket.AddressFamily, Any],
        paths: tuple[Path, Path],
        on_datagram: Callable[[bytes], None],
        on_unreachable: Callable[[], None],
    ) -> None:
        self._loop = loop
        self._scheduler = scheduler
        self._family, self._address = target
        self._uplink, self._downlink = paths
        self._on_datagram = on_datagram
        self._on_unreachable = on_unreachable
        self._socket: socket.socket | None = None

    def open(self) -> None:
        """Take a local port.

        Raises:
            SimulatorError: none is to be had.
        """
        opened = socket.socket(self._family, socket.SOCK_DGRAM)
        try:
            opened.setblocking(False)
            opened.connect(self._address)
        except OSError as error:
            opened.close()
            raise SimulatorError(f"no socket to {self._address[0]}: {error.strerror}") from error
        self._socket = opened
        self._loop.add_reader(opened, self._drain, opened)

    def close(self) -> None:
        """Give the port back. A second time does nothing."""
        if self._socket is not None:
            self._loop.remove_reader(self._socket)
            self._socket.close()
            self._socket = None

    def rebind(self) -> None:
        """Go on from another local port, as behind a NAT that forgot its mapping."""
        if self._socket is not None:
            old = self._socket
            self.open()
            self._loop.remove_reader(old)
            old.close()

    def send(self, datagram: bytes) -> None:
        """Send *datagram*, or lose, double or delay it as the uplink decides."""
        self._pass(self._uplink, self._send_now, datagram)

    def _pass(self, path: Path, deliver: Callable[[bytes], None], datagram: bytes) -> None:
        for delay_s in path.plan():
            if delay_s == 0:
                deliver(datagram)
            else:
                self._scheduler.call_at(self._scheduler.time() + delay_s, deliver, datagram)

    def _send_now(self, datagram: bytes) -> None:
        if self._socket is None:
            return
        try:
            self._socket.send(datagram)
        except BlockingIOError:
            pass  # The send buffer is full: the datagram is lost, as it would be on the way.
        except OSError:
            self._scheduler.call_at(self._scheduler.time(), self._on_unreachable)

    def _drain(self, reading: socket.socket) -> None:
        for _ in range(_DRAINED_AT_ONCE):
            if reading is not self._socket:
                return  # Closed or rebound by what the last datagram led to.
            try:
                datagram = reading.recv(_LARGEST_DATAGRAM_BYTES)
            except BlockingIOError:
                return
            except OSError:
                self._on_unreachable()
                return
            self._pass(self._downlink, self._receive_now, datagram)

    def _receive_now(self, datagram: bytes) -> None:
        if self._socket is not None:
            self._on_datagram(datagram)
