"""Carries one download: its datagrams, its timer, its end. Knows no sockets and no devices."""

from __future__ import annotations

from collections.abc import Callable

from tools.simulator.client.firmware import Result
from tools.simulator.download import Download
from tools.simulator.timers import Alarm, Scheduler


class Fetching:
    """Owner of one download; *on_done* hears once what came of it."""

    def __init__(
        self,
        download: Download,
        scheduler: Scheduler,
        send: Callable[[bytes], None],
        on_done: Callable[[bytes | Result], None],
    ) -> None:
        self._download = download
        self._scheduler = scheduler
        self._send = send
        self._on_done: Callable[[bytes | Result], None] | None = on_done
        self._alarm = Alarm(scheduler, self._wake)

    def start(self) -> None:
        """Ask for the first block."""
        self._download.start(self._scheduler.time())
        self._settle()

    def receive(self, datagram: bytes) -> None:
        """A datagram of the file server's."""
        self._download.receive_datagram(datagram, self._scheduler.time())
        self._settle()

    def _settle(self) -> None:
        for datagram in self._download.datagrams_to_send():
            self._send(datagram)
        outcome = self._download.outcome
        if outcome is not None and self._on_done is not None:
            on_done, self._on_done = self._on_done, None
            on_done(outcome)
        self._alarm.set(self._download.get_timer())

    def _wake(self) -> None:
        self._download.handle_timer(self._scheduler.time())
        self._settle()
