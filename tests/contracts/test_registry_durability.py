"""What was answered survives: the sync precedes the answer, and the writer's settings say so too."""

import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.support.registry import Outcomes, Place, make_registration, register

ROOT = Path(__file__).parents[2]

PROGRAM = """
    import asyncio, os, sys
    from pathlib import Path
    from registry.model import Security
    from registry.store import Registry
    from tests.support.registry import AT_ONCE, Place, make_registration

    async def main() -> None:
        place = Place(Path(sys.argv[1]))
        device = place.create("n", Security.PSK)
        registry = await Registry.open(place.database(), settings=AT_ONCE, clock=place.clock)
        # The second one: the first after a checkpoint begins the log anew, which is synced in any mode.
        for number in (1, 2):
            answered = asyncio.Event()

            def answer(outcome) -> None:
                os.write(2, b"%s %d" % (b"answered" if outcome.is_committed else b"failed", number))
                answered.set()

            os.write(2, b"submitted %d" % number)
            registry.register(make_registration(device, str(number)), answer)
            await answered.wait()
        await registry.close()

    asyncio.run(main())
"""


def can_trace() -> bool:
    strace = shutil.which("strace")
    if strace is None:
        return False
    return subprocess.run([strace, "-o", "/dev/null", "true"], capture_output=True).returncode == 0


async def test_the_writer_syncs_every_commit(tmp_path):
    async with Place(tmp_path).registry() as registry:
        assert registry._database.query("PRAGMA synchronous") == [(2,)]
        assert registry._database.query("PRAGMA journal_mode") == [("wal",)]
        assert registry._database.query("PRAGMA wal_autocheckpoint") == [(0,)]


def test_the_command_line_syncs_every_commit(tmp_path):
    with Place(tmp_path).database() as database:
        assert database.query("PRAGMA synchronous") == [(2,)]


@pytest.mark.skipif(not can_trace(), reason="strace is not installed, or may not trace here")
def test_the_log_is_on_the_disk_before_the_device_is_answered(tmp_path):
    trace = tmp_path / "trace"
    subprocess.run(
        [
            *("strace", "-f", "-y", "-o", str(trace), "-e", "trace=write,fdatasync,fsync"),
            *(sys.executable, "-c", textwrap.dedent(PROGRAM), str(tmp_path / "place")),
        ],
        cwd=ROOT,
        check=True,
        capture_output=True,
        timeout=60,
    )
    calls = trace.read_text().splitlines()
    submitted, answered = (
        next(index for index, call in enumerate(calls) if f'"{word}"' in call)
        for word in ("submitted 2", "answered 2")
    )
    between = calls[submitted:answered]
    synced = [call for call in between if re.search(r"f(data)?sync\(\d+<.*nodegate\.db-wal>", call)]
    assert synced, "\n".join(between)
    assert "= 0" in synced[-1] or any("sync resumed>" in call and "= 0" in call for call in between)


async def test_what_was_not_answered_leaves_no_half(tmp_path):
    place = Place(tmp_path)
    device = place.create("n", timeout_s=60)
    async with place.registry() as registry:
        outcomes = Outcomes()
        registry.register(make_registration(device), outcomes.append)
        crashed = place.after_power_cut()
        await registry.flush()
        assert outcomes.are_committed == [True]
    assert crashed.rows("SELECT connected_at_ms FROM device") == [(None,)]
    assert crashed.rows("SELECT * FROM registration") == []
    assert crashed.rows("SELECT type FROM event") == [("device_created",)]


async def test_every_registration_on_the_disk_has_its_event_and_its_first_connection(tmp_path):
    place = Place(tmp_path)
    place.create_many(20)
    async with place.registry() as registry:
        for index in range(20):
            await register(registry, f"node-{index}")
            crashed = place.after_power_cut()
            counts = crashed.rows(
                "SELECT (SELECT count(*) FROM registration),"
                " (SELECT count(*) FROM event WHERE type = 'registered'),"
                " (SELECT count(*) FROM device WHERE connected_at_ms IS NOT NULL)"
            )
            assert counts == [(index + 1,) * 3]
            shutil.rmtree(crashed.path.parent)
