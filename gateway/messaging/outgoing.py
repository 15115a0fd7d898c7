"""Confirmable messages of ours: message ids, retransmission, one request at a time (RFC 7252 §4.2, §4.7).

Knows encoded messages, peers and the loop's timers. Knows no options, no tokens, no meaning.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable
from typing import Protocol

from gateway.messaging.counters import MessageCounters
from gateway.messaging.remote import Remote
from gateway.messaging.settings import MessagingSettings

MAX_RESPONSES_PER_PEER = 32
_MID_COUNT = 1 << 16


class TooManyTransmissions(Exception):
    """A limit to what may wait for acknowledgement is reached."""


class Owner(Protocol):
    """Who is told what becomes of a request; called in the loop's thread, once for each."""

    def acknowledged(self) -> None:
        """The peer has it; what it answers comes separately."""

    def reset(self) -> None:
        """The peer has no use for it."""

    def timed_out(self, is_sent: bool) -> None:
        """The peer did not acknowledge it, or, where not *is_sent*, one before it."""


class Transmission:
    """One confirmable message until it is acknowledged, reset, given up or cancelled."""

    __slots__ = (
        "attempts_left",
        "datagram",
        "mid",
        "owner",
        "remote",
        "timeout_s",
        "timer",
    )

    def __init__(
        self,
        remote: Remote,
        mid: int,
        datagram: bytes,
        *,
        timeout_s: float,
        attempts: int,
        owner: Owner | None,
    ) -> None:
        """*attempts*: how many retransmissions; *timeout_s*: the wait for the first, doubled each time.

        A request has an *owner*, an answer has none.
        """
        self.remote = remote
        self.mid = mid
        self.datagram = datagram
        self.timeout_s = timeout_s
        self.attempts_left = attempts
        self.owner = owner
        self.timer: asyncio.TimerHandle | None = None

    @property
    def is_sent(self) -> bool:
        """Whether it has left, or waits for the requests before it."""
        return self.timer is not None


class _Lane:
    """What is under way to one peer."""

    __slots__ = ("backlog", "request", "responses")

    def __init__(self) -> None:
        self.request: Transmission | None = None
        self.backlog: deque[Transmission] = deque()
        self.responses: dict[int, Transmission] = {}

    @property
    def is_idle(self) -> bool:
        return self.request is None and not self.responses

    def __len__(self) -> int:
        return (self.request is not None) + len(self.backlog) + len(self.responses)


class Outgoing:
    """All transmissions to all peers.

    Requests to a peer go one after the other (NSTART 1), each waiting for the acknowledgement of the one
    before. Answers do not wait in that row: a peer that asks is awake, whatever it left unacknowledged.
    """

    def __init__(
        self,
        settings: MessagingSettings,
        counters: MessageCounters,
        loop: asyncio.AbstractEventLoop,
        entropy: Callable[[int], bytes],
    ) -> None:
        self._settings = settings
        self._counters = counters
        self._loop = loop
        self._entropy = entropy
        self._lanes: dict[Remote, _Lane] = {}
        self._count = 0
        self._mids = _MessageIds(settings, entropy)

    def __len__(self) -> int:
        return self._count

    def next_mid(self, remote: Remote) -> int:
        """A message id that *remote* has not had from us for the last 65,535 messages."""
        return self._mids.take(remote, self._loop.time())

    def send(self, transmission: Transmission) -> None:
        """Send now, or after the requests before it.

        Raises:
            TooManyTransmissions: nothing was sent or kept.
        """
        lane = self._lanes.get(transmission.remote)
        if self._count >= self._settings.max_transmissions:
            raise TooManyTransmissions("too many messages are waiting for acknowledgement")
        if lane is None:
            lane = self._lanes[transmission.remote] = _Lane()
        if transmission.owner is None:
            if len(lane.responses) >= MAX_RESPONSES_PER_PEER:
                raise TooManyTransmissions("too many answers to this peer are waiting for acknowledgement")
            lane.responses[transmission.mid] = transmission
        elif lane.request is None:
            lane.request = transmission
        elif len(lane.backlog) >= self._settings.max_backlog:
            raise TooManyTransmissions("too many requests to this peer are waiting for acknowledgement")
        else:
            lane.backlog.append(transmission)
            self._count += 1
            return
        self._count += 1
        self._start(transmission)

    def send_response(self, remote: Remote, mid: int, datagram: bytes) -> None:
        """Send an answer until it is acknowledged; a peer that does not want it any more is let be.

        Raises:
            TooManyTransmissions: nothing was sent or kept.
        """
        settings = self._settings
        self.send(
            Transmission(
                remote,
                mid,
                datagram,
                timeout_s=self.spread(settings.ack_timeout_s, settings.ack_random_factor),
                attempts=settings.max_retransmit,
                owner=None,
            )
        )

    def spread(self, timeout_s: float, factor: float) -> float:
        """A random time between *timeout_s* and *factor* times that (RFC 7252 §4.2)."""
        return timeout_s * (1 + (factor - 1) * int.from_bytes(self._entropy(2), "big") / 0xFFFF)

    def settle(self, remote: Remote, mid: int) -> Transmission | None:
        """Take out what *remote* acknowledged or reset under *mid*; None when there is no such message."""
        lane = self._lanes.get(remote)
        if lane is None:
            return None
        if lane.request is not None and lane.request.mid == mid:
            transmission = lane.request
        elif mid in lane.responses:
            transmission = lane.responses[mid]
        else:
            return None
        self._remove(lane, transmission)
        return transmission

    def cancel(self, transmission: Transmission) -> None:
        """Send *transmission* no more. Harmless when it has ended."""
        lane = self._lanes.get(transmission.remote)
        if lane is None:
            return
        if transmission is lane.request or lane.responses.get(transmission.mid) is transmission:
            self._remove(lane, transmission)
        elif transmission in lane.backlog:
            lane.backlog.remove(transmission)
            self._count -= 1

    def drop(self, remote: Remote) -> None:
        """Forget all that is under way to *remote*, without telling anyone."""
        lane = self._lanes.pop(remote, None)
        if lane is None:
            return
        self._count -= len(lane)
        for transmission in (lane.request, *lane.responses.values()):
            if transmission is not None and transmission.timer is not None:
                transmission.timer.cancel()

    def close(self) -> None:
        """Forget everything."""
        for remote in list(self._lanes):
            self.drop(remote)

    def _start(self, transmission: Transmission) -> None:
        transmission.remote.transmit(transmission.datagram)
        transmission.timer = self._loop.call_later(transmission.timeout_s, self._repeat, transmission)

    def _repeat(self, transmission: Transmission) -> None:
        if transmission.attempts_left > 0:
            transmission.attempts_left -= 1
            transmission.timeout_s *= 2
            self._counters.retransmissions += 1
            self._start(transmission)
            return
        self._counters.timeouts += 1
        if transmission.owner is None:
            self.cancel(transmission)
            return
        backlog = self._drop_requests(transmission.remote)
        transmission.owner.timed_out(is_sent=True)
        for each in backlog:
            assert each.owner is not None
            each.owner.timed_out(is_sent=False)

    def _drop_requests(self, remote: Remote) -> Iterable[Transmission]:
        """Forget the request under way and those behind it, which are given back."""
        lane = self._lanes[remote]
        backlog, lane.backlog = lane.backlog, deque()
        self._count -= len(backlog) + 1
        lane.request = None
        if lane.is_idle:
            del self._lanes[remote]
        return backlog

    def _remove(self, lane: _Lane, transmission: Transmission) -> None:
        """Take out one that was sent, and let the next request go."""
        self._count -= 1
        if transmission.timer is not None:
            transmission.timer.cancel()
        if transmission is lane.request:
            lane.request = lane.backlog.popleft() if lane.backlog else None
            if lane.request is not None:
                self._start(lane.request)
        else:
            del lane.responses[transmission.mid]
        if lane.is_idle:
            self._lanes.pop(transmission.remote, None)


class _MessageIds:
    """A counter for each peer, without an object for any.

    Two generations of a table of ints: a peer unheard of for a whole one begins anew at random, which is
    no sooner than the lifetime of an exchange unless more than *max_remembered* peers are written to.
    """

    def __init__(self, settings: MessagingSettings, entropy: Callable[[int], bytes]) -> None:
        self._lifetime_s = settings.exchange_lifetime_s
        self._capacity = settings.max_remembered
        self._entropy = entropy
        self._young: dict[int, int] = {}
        self._old: dict[int, int] = {}
        self._turns_at = 0.0

    def take(self, remote: Remote, now: float) -> int:
        if now >= self._turns_at or len(self._young) >= self._capacity:
            self._old, self._young = self._young, {}
            self._turns_at = now + self._lifetime_s
        key = hash(remote)
        mid = self._young.get(key)
        if mid is None:
            mid = self._old.get(key)
        if mid is None:
            mid = int.from_bytes(self._entropy(2), "big")
        self._young[key] = (mid + 1) % _MID_COUNT
        return mid
