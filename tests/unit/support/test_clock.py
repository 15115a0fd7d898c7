"""The virtual-time loop keeps its promises, so that tests built on it can."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.support.clock import (
    WALL_START_MS,
    HungError,
    VirtualClock,
    VirtualLoop,
    run_virtual,
    virtual_time,
)


def test_clock_moves_only_when_told() -> None:
    clock = VirtualClock()
    assert clock.wall_ms() == WALL_START_MS
    before = clock.monotonic()
    clock.advance(1.5)
    assert clock.monotonic() == before + 1.5
    assert clock.wall_ms() == WALL_START_MS + 1500


def test_wall_clock_steps_without_monotonic_time() -> None:
    clock = VirtualClock()
    before = clock.monotonic()
    clock.step_wall(-3_600_000)
    assert clock.wall_ms() == WALL_START_MS - 3_600_000
    assert clock.monotonic() == before


def test_a_day_passes_in_order_and_without_waiting() -> None:
    clock = VirtualClock()
    seen: list[tuple[str, float]] = []

    async def main() -> str:
        loop = asyncio.get_running_loop()
        start = loop.time()
        loop.call_later(86_400, lambda: seen.append(("day", loop.time() - start)))
        loop.call_later(0.1, lambda: seen.append(("soon", loop.time() - start)))
        await asyncio.sleep(86_401)
        return "done"

    assert run_virtual(main(), clock) == "done"
    assert [name for name, _ in seen] == ["soon", "day"]
    assert [round(at, 6) for _, at in seen] == [0.1, 86_400]


@virtual_time
async def test_decorated_test_gets_its_clock_and_fixtures(clock: VirtualClock, tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    assert isinstance(loop, VirtualLoop)
    assert loop.clock is clock
    assert tmp_path.name
    before = clock.monotonic()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(60):
            await asyncio.get_running_loop().create_future()
    assert clock.monotonic() == pytest.approx(before + 60)


def test_waiting_for_ever_is_told_apart_from_waiting_long() -> None:
    async def main() -> None:
        for _ in range(1000):
            await asyncio.sleep(3600)

    with pytest.raises(HungError):
        run_virtual(main(), VirtualClock(), limit_s=86_400)


@virtual_time
async def test_sockets_work_beside_timers(clock: VirtualClock) -> None:
    loop = asyncio.get_running_loop()
    received: asyncio.Future[bytes] = loop.create_future()

    class Receiver(asyncio.DatagramProtocol):
        def datagram_received(self, data: bytes, addr: object) -> None:
            received.set_result(data)

    transport, _ = await loop.create_datagram_endpoint(Receiver, local_addr=("127.0.0.1", 0))
    transport.sendto(b"x", transport.get_extra_info("sockname"))
    assert await received == b"x"
    transport.close()
