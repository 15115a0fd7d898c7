"""An event loop in virtual time: when nothing is ready, its clock jumps to the next timer.

Hours pass in milliseconds, and always the same way. For tests that pair parts in memory:

    @virtual_time
    async def test_lease_runs_out(clock: VirtualClock) -> None:
        ...
        await asyncio.sleep(86_400)

Sockets and threads work, but time does not wait for them: give executors that run inline.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import selectors
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

WALL_START_MS = 1_800_000_000_000
LIMIT_S = 30 * 86_400.0
"Virtual time after which a test that still waits has hung."

PATIENCE_S = 10.0
"Real time to wait for a thread or a socket when no timer is set."


async def until(is_reached: Callable[[], object], limit_s: float, glance_s: float = 0.05) -> None:
    """Let virtual time pass until it is so, looking every *glance_s*."""
    for _ in range(round(limit_s / glance_s)):
        if is_reached():
            return
        await asyncio.sleep(glance_s)
    raise AssertionError(f"not within {limit_s} s")


class VirtualClock:
    """`monotonic` seconds and `wall_ms`, moved by a `VirtualLoop` or by hand."""

    def __init__(self, monotonic_s: float = 1_000.0, wall_ms: int = WALL_START_MS) -> None:
        self._monotonic_s = monotonic_s
        self._wall_offset_ms = wall_ms - round(monotonic_s * 1000)

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return self._monotonic_s

    def wall_ms(self) -> int:
        """Milliseconds since the Unix epoch."""
        return round(self._monotonic_s * 1000) + self._wall_offset_ms

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        assert seconds >= 0, "monotonic time does not go back"
        self._monotonic_s += seconds

    def step_wall(self, by_ms: int) -> None:
        """Set the wall clock forward or back, as an administrator or NTP does."""
        self._wall_offset_ms += by_ms


class HungError(AssertionError):
    """Nothing is left that could make the test go on."""


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop that lives by a `VirtualClock`."""

    def __init__(self, clock: VirtualClock, limit_s: float = LIMIT_S) -> None:
        super().__init__(_VirtualSelector(clock, limit_s))
        self.clock = clock

    def time(self) -> float:
        return self.clock.monotonic()


def run_virtual(main: Coroutine[Any, Any, Any], clock: VirtualClock, limit_s: float = LIMIT_S) -> Any:
    """Run *main* to its end in virtual time and give its result."""
    with asyncio.Runner(loop_factory=lambda: VirtualLoop(clock, limit_s)) as runner:
        return runner.run(main)


def virtual_time(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Turn an async test with a parameter ``clock`` into one that runs in virtual time.

    Other parameters are fixtures as usual, except async ones, which would live in another loop.
    """
    signature = inspect.signature(test)

    @functools.wraps(test)
    def run(**fixtures: Any) -> None:
        clock = VirtualClock()
        run_virtual(_as_coroutine(test(clock=clock, **fixtures)), clock)

    kept = [parameter for name, parameter in signature.parameters.items() if name != "clock"]
    run.__signature__ = signature.replace(parameters=kept)
    return run


async def _as_coroutine(awaitable: Awaitable[None]) -> None:
    await awaitable


class _VirtualSelector(selectors.BaseSelector):
    """Asks the real selector what is ready; where that would wait, moves the clock instead."""

    def __init__(self, clock: VirtualClock, limit_s: float) -> None:
        self._real = selectors.DefaultSelector()
        self._clock = clock
        self._ends_at = clock.monotonic() + limit_s

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = self._real.select(0)
        if ready or (timeout is not None and timeout <= 0):
            return ready
        if timeout is None:
            ready = self._real.select(PATIENCE_S)
            if not ready:
                raise HungError("no timer is set, and nothing came from outside")
            return ready
        self._clock.advance(timeout)
        if self._clock.monotonic() > self._ends_at:
            raise HungError("the test waits for something that does not happen")
        return ready

    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def modify(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return self._real.modify(fileobj, events, data)

    def get_map(self) -> Any:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()
