"""Our confirmable messages: repeated until acknowledged, one request at a time, never too many."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from gateway.address import Address
from gateway.messaging.counters import MessageCounters
from gateway.messaging.outgoing import (
    MAX_RESPONSES_PER_PEER,
    Outgoing,
    TooManyTransmissions,
    Transmission,
)
from gateway.messaging.remote import PlainRemote
from gateway.messaging.settings import MessagingSettings
from tests.support.clock import VirtualClock, virtual_time
from tests.support.coap import Entropy


class _Owner:
    """Keeps what it is told of one request."""

    def __init__(self, wire: _Wire, mid: int) -> None:
        self.wire = wire
        self.mid = mid

    def acknowledged(self) -> None:
        raise AssertionError("whoever settles a request tells its owner")

    def reset(self) -> None:
        raise AssertionError("whoever settles a request tells its owner")

    def timed_out(self, is_sent: bool) -> None:
        (self.wire.timeouts if is_sent else self.wire.unsent).append(self.mid)


class _Wire:
    """Peers that only listen, and what becomes of the messages to them."""

    def __init__(self, **settings: float) -> None:
        self.sent: list[tuple[int, bytes]] = []
        self.timeouts: list[int] = []
        self.unsent: list[int] = []
        self.counters = MessageCounters()
        self.outgoing = Outgoing(
            replace(MessagingSettings(), **settings),
            self.counters,
            asyncio.get_running_loop(),
            Entropy(),
        )

    def remote(self, port: int = 1) -> PlainRemote:
        return PlainRemote(
            Address("192.0.2.1", port), lambda data, address: self.sent.append((address.port, data))
        )

    def request(self, mid: int, port: int = 1, *, attempts: int = 4) -> Transmission:
        transmission = Transmission(
            self.remote(port),
            mid,
            b"request %d" % mid,
            timeout_s=2.0,
            attempts=attempts,
            owner=_Owner(self, mid),
        )
        self.outgoing.send(transmission)
        return transmission

    def take(self) -> list[tuple[int, bytes]]:
        sent, self.sent = self.sent, []
        return sent


@virtual_time
async def test_request_is_repeated_with_doubled_waits_then_given_up(clock: VirtualClock) -> None:
    wire = _Wire()
    begin = clock.monotonic()
    wire.request(7)
    times = [0.0]
    while not wire.timeouts:
        count = len(wire.sent)
        await asyncio.sleep(0.5)
        if len(wire.sent) > count:
            times.append(clock.monotonic() - begin)
    assert times == [0, 2, 6, 14, 30]
    assert clock.monotonic() - begin == 62
    assert wire.sent == [(1, b"request 7")] * 5
    assert wire.timeouts == [7]
    assert len(wire.outgoing) == 0
    assert (wire.counters.retransmissions, wire.counters.timeouts) == (4, 1)


@virtual_time
async def test_acknowledged_request_is_not_repeated(clock: VirtualClock) -> None:
    wire = _Wire()
    wire.request(7)
    settled = wire.outgoing.settle(wire.remote(), 7)
    assert settled is not None
    assert settled.is_sent
    await asyncio.sleep(100)
    assert wire.take() == [(1, b"request 7")]
    assert len(wire.outgoing) == 0
    assert wire.outgoing.settle(wire.remote(), 7) is None


@virtual_time
async def test_acknowledgement_of_another_peer_or_message_settles_nothing(clock: VirtualClock) -> None:
    wire = _Wire()
    wire.request(7)
    assert wire.outgoing.settle(wire.remote(2), 7) is None
    assert wire.outgoing.settle(wire.remote(1), 8) is None
    assert len(wire.outgoing) == 1
    wire.outgoing.close()


@virtual_time
async def test_requests_to_a_peer_go_one_after_the_other(clock: VirtualClock) -> None:
    wire = _Wire()
    for mid in (1, 2, 3):
        wire.request(mid)
    wire.request(9, port=2)
    assert wire.take() == [(1, b"request 1"), (2, b"request 9")]
    assert len(wire.outgoing) == 4
    assert wire.outgoing.settle(wire.remote(), 2) is None, "not sent yet"
    wire.outgoing.settle(wire.remote(), 1)
    assert wire.take() == [(1, b"request 2")]
    wire.outgoing.settle(wire.remote(), 2)
    wire.outgoing.settle(wire.remote(), 3)
    assert wire.take() == [(1, b"request 3")]
    wire.outgoing.close()
    assert len(wire.outgoing) == 0


@virtual_time
async def test_backlog_of_a_silent_peer_goes_with_its_request(clock: VirtualClock) -> None:
    wire = _Wire()
    for mid in (1, 2, 3):
        wire.request(mid, attempts=0)
    await asyncio.sleep(3)
    assert wire.take() == [(1, b"request 1")]
    assert (wire.timeouts, wire.unsent) == ([1], [2, 3])
    assert len(wire.outgoing) == 0


@virtual_time
async def test_answers_do_not_wait_behind_a_request(clock: VirtualClock) -> None:
    wire = _Wire()
    wire.request(1)
    wire.outgoing.send_response(wire.remote(), 50, b"answer 50")
    wire.outgoing.send_response(wire.remote(), 51, b"answer 51")
    assert wire.take() == [(1, b"request 1"), (1, b"answer 50"), (1, b"answer 51")]
    assert wire.outgoing.settle(wire.remote(), 51) is not None
    assert wire.outgoing.settle(wire.remote(), 1) is not None
    assert len(wire.outgoing) == 1
    await asyncio.sleep(200)
    assert [data for _, data in wire.take()] == [b"answer 50"] * 4
    assert len(wire.outgoing) == 0
    assert wire.timeouts == [], "an answer nobody acknowledges says nothing about our requests"


@virtual_time
async def test_request_given_up_leaves_answers_under_way(clock: VirtualClock) -> None:
    wire = _Wire()
    wire.request(1, attempts=0)
    wire.outgoing.send_response(wire.remote(), 50, b"answer")
    await asyncio.sleep(3.5)
    assert wire.timeouts == [1]
    assert wire.outgoing.settle(wire.remote(), 50) is not None


@virtual_time
async def test_cancelled_request_lets_the_next_one_go(clock: VirtualClock) -> None:
    wire = _Wire()
    first, second, _third = (wire.request(mid) for mid in (1, 2, 3))
    wire.take()
    wire.outgoing.cancel(second)
    wire.outgoing.cancel(first)
    assert wire.take() == [(1, b"request 3")]
    wire.outgoing.cancel(first)
    assert len(wire.outgoing) == 1
    wire.outgoing.settle(wire.remote(), 3)
    wire.outgoing.cancel(first)
    assert len(wire.outgoing) == 0


@virtual_time
async def test_dropped_peer_is_sent_nothing_more(clock: VirtualClock) -> None:
    wire = _Wire()
    for mid in (1, 2):
        wire.request(mid)
    wire.outgoing.send_response(wire.remote(), 50, b"answer")
    wire.take()
    wire.outgoing.drop(wire.remote())
    wire.outgoing.drop(wire.remote())
    await asyncio.sleep(200)
    assert wire.take() == []
    assert wire.timeouts == []
    assert len(wire.outgoing) == 0


@virtual_time
async def test_backlog_is_limited(clock: VirtualClock) -> None:
    wire = _Wire(max_backlog=2)
    for mid in (1, 2, 3):
        wire.request(mid)
    with pytest.raises(TooManyTransmissions):
        wire.request(4)
    assert len(wire.outgoing) == 3
    wire.outgoing.close()


@virtual_time
async def test_all_transmissions_together_are_limited(clock: VirtualClock) -> None:
    wire = _Wire(max_transmissions=2)
    wire.request(1, port=1)
    wire.request(1, port=2)
    with pytest.raises(TooManyTransmissions):
        wire.request(1, port=3)
    wire.outgoing.settle(wire.remote(1), 1)
    wire.request(1, port=3)
    wire.outgoing.close()


@virtual_time
async def test_answers_to_one_peer_are_limited(clock: VirtualClock) -> None:
    wire = _Wire()
    for mid in range(MAX_RESPONSES_PER_PEER):
        wire.outgoing.send_response(wire.remote(), mid, b"answer")
    with pytest.raises(TooManyTransmissions):
        wire.outgoing.send_response(wire.remote(), 999, b"answer")
    wire.outgoing.close()


@virtual_time
async def test_message_ids_of_a_peer_count_on_whatever_others_get(clock: VirtualClock) -> None:
    wire = _Wire()
    first = wire.outgoing.next_mid(wire.remote(1))
    for _ in range(10):
        wire.outgoing.next_mid(wire.remote(2))
    assert wire.outgoing.next_mid(wire.remote(1)) == (first + 1) % 65536
    clock.advance(200)
    wire.outgoing.next_mid(wire.remote(2))
    clock.advance(200)
    assert wire.outgoing.next_mid(wire.remote(1)) == (first + 2) % 65536, "within two lifetimes"


@virtual_time
async def test_message_ids_are_not_kept_for_more_peers_than_the_limit(clock: VirtualClock) -> None:
    wire = _Wire(max_remembered=10)
    for port in range(1000):
        assert 0 <= wire.outgoing.next_mid(wire.remote(port)) < 65536
    mids = wire.outgoing._mids
    assert len(mids._young) + len(mids._old) <= 20


@virtual_time
async def test_first_wait_is_spread_at_random_within_the_factor(clock: VirtualClock) -> None:
    wire = _Wire()
    waits = [wire.outgoing.spread(2.0, 1.5) for _ in range(50)]
    assert all(2.0 <= wait <= 3.0 for wait in waits)
    assert len(set(waits)) > 40
