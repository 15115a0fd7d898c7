"""``tools/run --demo`` shows devices of both kinds registered (README)."""

from __future__ import annotations

import subprocess
import sys

from tests.support.sources import ROOT


def test_demo_shows_devices_of_both_kinds_registering() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.demo", "--duration", "8", "--count", "4"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    registered = [line for line in done.stdout.splitlines() if "  registered " in line]
    assert {line.split()[2] for line in registered} == {f"sim-00000{n}" for n in range(1, 5)}, done.stdout
    assert "nodegate device list" in done.stdout
    assert "Traceback" not in done.stderr
