"""What a person sees of a simulation: a live line while it runs, a table at its end."""

from __future__ import annotations

from collections import Counter

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tools.simulator.report import Report, summarize

_REASONS_SHOWN = 3


class LiveLine:
    """One line on standard error, redrawn by `update`; nothing where that is no terminal."""

    def __init__(self, report: Report, console: Console) -> None:
        self._report = report
        self._live: Live | None = None
        if console.is_terminal:
            self._live = Live(Text(""), console=console, auto_refresh=False, transient=True)

    def __enter__(self) -> LiveLine:
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._live is not None:
            self._live.stop()

    def update(self, elapsed_s: float) -> None:
        """Redraw the line."""
        if self._live is not None:
            self._live.update(Text(describe_progress(self._report, elapsed_s)), refresh=True)


def describe_progress(report: Report, elapsed_s: float) -> str:
    """The line: what stands, per scheme."""
    parts = [
        f"{scheme} {tally.registered}/{tally.devices} registered"
        + (f", {tally.started - tally.registered - tally.failed} connecting" if tally.started else "")
        + (f", {tally.updates} updates" if tally.updates else "")
        + (f", {tally.failed} gave up" if tally.failed else "")
        for scheme, tally in sorted(report.tallies.items())
    ]
    return f"{elapsed_s:5.0f} s  " + "  ·  ".join(parts)


def describe_failure(report: Report) -> str:
    """One line for standard error: how many did not register, and the commonest reasons."""
    reasons = Counter(str(failure) for failure in report.failures)
    shown = ", ".join(f"{count} × {reason}" for reason, count in reasons.most_common(_REASONS_SHOWN))
    rest = len(reasons) - _REASONS_SHOWN
    devices = sum(tally.devices for tally in report.tallies.values())
    return f"{len(report.failures)} of {devices} devices are not registered: {shown}" + (
        f" and {rest} other reasons" if rest > 0 else ""
    )


def build_table(report: Report, duration_s: float) -> Table:
    """The final table: a row for each scheme and kind of time."""
    table = Table(title=f"Simulated for {duration_s:.1f} s")
    for heading in ("", "devices", "registered", "gave up", "updates", "deregistered", "attempts failed"):
        table.add_column(heading, justify="left" if heading == "" else "right")
    for scheme, tally in sorted(report.tallies.items()):
        table.add_row(
            scheme,
            *(
                str(figure)
                for figure in (
                    tally.devices,
                    tally.registered,
                    tally.failed,
                    tally.updates,
                    tally.deregistered,
                    tally.failed_attempts,
                )
            ),
        )
    return table


def build_times(report: Report) -> Table:
    """How long things took."""
    table = Table(title="Times in ms")
    for heading in ("", "count", "min", "median", "95 %", "max"):
        table.add_column(heading, justify="left" if heading == "" else "right")
    for scheme, tally in sorted(report.tallies.items()):
        for name, times in (
            ("handshake", tally.handshake_s),
            ("Register", tally.register_s),
            ("Update", tally.update_s),
            ("start to registered", tally.total_s),
        ):
            summary = summarize(times)
            if summary is not None:
                table.add_row(f"{scheme} {name}", *(str(figure) for figure in summary.values()))
    return table
