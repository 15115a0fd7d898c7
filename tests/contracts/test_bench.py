"""``nodegate bench`` runs to its end on a small load and checks every answer. No figure is judged here."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.support.sources import ROOT


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the benchmark reads /proc")
def test_bench_measures_every_operation_and_checks_every_answer() -> None:
    flags = ("--rounds", "1", "--count", "500", "--memory-devices", "500", "--hostile", "1000", "--json")
    done = subprocess.run(
        [sys.executable, "-m", "tools.admin.main", "bench", *flags],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    assert [figure["name"] for figure in answer["figures"]] == [
        "drained Python echo",
        "Register over coap",
        "Update over coap",
        "Send of ten values",
        "command, stored and done",
        "PSK handshake",
        "Register over coaps",
        "Update over coaps",
        "ECDHE-ECDSA handshake, both with certificates",
        "the same, the device's chain not seen before",
        "request to a device, 10,000 at once",
        "notification",
        "stock aiocoap, Register",
        "stock aiocoap, Update",
    ]
    assert all(figure["cpu_us"] > 0 for figure in answer["figures"])
    assert answer["burst_answered"] == answer["burst_sent"] == 500
    assert len(answer["hostile_us"]) == 4
    assert answer["certificate_session_bytes"] is not None
    assert answer["padding"]["count"] == 1000
    assert answer["padding"]["right_us"] > 0
