"""`tools.bench.sessions`: it runs, and measures what it says."""

from __future__ import annotations

from pathlib import Path

from tools.bench.sessions import measure


async def test_every_figure_is_given(tmp_path: Path) -> None:
    lines = await measure(tmp_path, sessions=30, seconds=1)
    assert lines[0].startswith("30 sessions restored in ")
    assert [line.split()[1] for line in lines[1:3]] == ["MB/s", "µs"]
    assert lines[3].startswith("stored at a clean stop in ")
