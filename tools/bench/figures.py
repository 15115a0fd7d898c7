"""The results of a run: values, their table for people, their JSON for scripts."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from tools.bench.padding import PaddingTimes


@dataclass(frozen=True, slots=True)
class Promise:
    """What the project promises of an operation; None: nothing."""

    cpu_us: float | None = None
    "As on the machine on which the promises were set (`docs/decisions/0010`)."

    times_echo: float | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """One operation: what it cost the server's process."""

    name: str
    cpu_us: float
    "Median over the rounds of run time of all threads divided by operations."

    rounds_us: tuple[float, ...]
    times_echo: float
    "Median over the rounds of its multiple of the echo that was measured right before and after it."

    promise: Promise = Promise()


@dataclass(frozen=True, slots=True)
class Results:
    """All of one run."""

    figures: tuple[Figure, ...]
    speedup: dict[str, float]
    "Operation → how many times less than stock aiocoap."

    memory_bytes_per_device: float | None
    memory_devices: int
    burst_sent: int
    burst_answered: int
    hostile_us: dict[str, float]
    "Kind of datagram → CPU each."

    certificate_session_bytes: float | None
    "Of one more session with a certificate, resumable, on top of its device."

    padding: PaddingTimes

    hostile_growth_bytes: int
    "What the random and forged datagrams left in the server's memory, all of them together."

    def as_json(self) -> dict[str, Any]:
        """Plain values, the host named."""
        return {"host": f"{platform.machine()}, Python {platform.python_version()}", **asdict(self)}


def figure(
    name: str, rounds_us: Sequence[float], echoes_us: Sequence[float], promise: Promise | None = None
) -> Figure:
    """The medians over the rounds, beside the echo of each round."""
    times_echo = median(cost / echo for cost, echo in zip(rounds_us, echoes_us, strict=True))
    rounded = tuple(round(cost, 2) for cost in rounds_us)
    return Figure(name, round(median(rounds_us), 2), rounded, round(times_echo, 2), promise or Promise())


def judge(value: float, promised: float | None) -> str:
    """What was promised, and whether *value* keeps it, as the table says it."""
    if promised is None:
        return ""
    return f"≤ {promised:g} " + ("kept" if value <= promised else "[red]missed[/red]")


def print_results(results: Results, console: Console) -> None:
    """A table and a few lines below it."""
    table = Table(title="CPU of the server process per operation")
    for heading in ("operation", "µs", "promised", "× echo", "promised"):
        table.add_column(heading, justify="left" if heading in {"operation", "promised"} else "right")
    for row in results.figures:
        table.add_row(
            row.name,
            f"{row.cpu_us:.1f}",
            judge(row.cpu_us, row.promise.cpu_us),
            f"{row.times_echo:.1f}",
            judge(row.times_echo, row.promise.times_echo),
        )
    console.print(table)
    for name, factor in results.speedup.items():
        console.print(f"{name}: {factor:.1f} times less than stock aiocoap")
    console.print(f"burst: {results.burst_answered} of {results.burst_sent} Registers answered")
    if results.memory_bytes_per_device is not None:
        console.print(
            f"memory: {results.memory_bytes_per_device:,.0f} bytes per registered secure device "
            f"(at {results.memory_devices:,} devices)"
        )
    if results.certificate_session_bytes is not None:
        console.print(
            f"memory: {results.certificate_session_bytes:,.0f} bytes per session with a certificate"
        )
    padding = results.padding
    console.print(
        f"CBC record with right and with wrong padding, {padding.count:,} each: "
        f"{padding.right_us:.2f} and {padding.wrong_us:.2f} µs, {padding.apart_us:.2f} apart"
    )
    for name, cost in results.hostile_us.items():
        console.print(f"{name}: {cost:.1f} µs each")
    console.print(f"memory left behind by random and forged ones: {results.hostile_growth_bytes:,} bytes")
