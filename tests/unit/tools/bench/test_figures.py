"""Figures are medians beside the echo, and a promise is kept or it is not."""

from __future__ import annotations

import json

import pytest
from rich.console import Console

from tools.bench.figures import Promise, Results, figure, judge, print_results
from tools.bench.padding import PaddingTimes


def test_figure_is_the_median_and_that_of_its_multiples_of_the_echo_of_each_round() -> None:
    row = figure("Update", [30.0, 10.0, 20.0], echoes_us=[10.0, 2.0, 5.0])
    assert (row.cpu_us, row.times_echo, row.promise) == (20.0, 4.0, Promise())
    assert row.rounds_us == (30.0, 10.0, 20.0)


@pytest.mark.parametrize(
    ("promised", "said"), [(3.9, "≤ 3.9 [red]missed[/red]"), (4.0, "≤ 4 kept"), (None, "")]
)
def test_promise_is_kept_up_to_its_limit(promised: float | None, said: str) -> None:
    assert judge(4.0, promised) == said


def results() -> Results:
    return Results(
        figures=(figure("echo", [5.0], [5.0]), figure("Update", [30.0], [5.0], Promise(40.0, 5.0))),
        speedup={"Update": 8.0},
        memory_bytes_per_device=3000.0,
        memory_devices=10,
        burst_sent=4,
        burst_answered=3,
        hostile_us={"noise": 1.0},
        certificate_session_bytes=2_500.0,
        padding=PaddingTimes(100_000, 7.5, 7.25),
        hostile_growth_bytes=0,
    )


def test_json_holds_everything_and_names_the_host() -> None:
    value = json.loads(json.dumps(results().as_json()))
    assert value["figures"][1]["times_echo"] == 6.0
    assert value["figures"][1]["promise"] == {"cpu_us": 40.0, "times_echo": 5.0}
    assert value["burst_answered"] == 3
    assert "Python" in value["host"]


def test_table_says_which_promise_was_kept_and_which_missed() -> None:
    console = Console(record=True, width=100, file=None, quiet=False)
    with console.capture() as captured:
        print_results(results(), console)
    text = captured.get()
    assert "≤ 40 kept" in text
    assert "≤ 5 missed" in text
    assert "3 of 4 Registers answered" in text
    assert "8.0 times less than stock aiocoap" in text
    assert "100,000 each: 7.50 and 7.25 µs, 0.25 apart" in text
    assert "2,500 bytes per session with a certificate" in text
