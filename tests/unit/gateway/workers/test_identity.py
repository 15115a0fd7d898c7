"""The gateway's own certificate while it runs: looked at daily, read again when asked."""

from __future__ import annotations

import asyncio
import contextlib
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.credentials.identity import ServerIdentity
from gateway.credentials.shown import to_pem
from gateway.dtls.credential import Credential
from gateway.workers.identity import DAY_S, CertificateDates, Reload
from tests.support.certificates import DAY_S as CERTIFICATE_DAY_S
from tests.support.certificates import NOW_S, authority, write_pair
from tests.support.clock import VirtualClock
from tests.support.registry import Place

CA = authority()
LASTING = CA.issue("gateway", not_after_s=100 * CERTIFICATE_DAY_S)
RUNNING_OUT = CA.issue("gateway", not_after_s=10 * CERTIFICATE_DAY_S)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, VirtualClock(wall_ms=round(NOW_S * 1000)))


async def test_certificate_that_runs_out_is_warned_of_when_it_is_read_and_daily(
    place: Place, tmp_path: Path
) -> None:
    pair = write_pair(tmp_path, RUNNING_OUT)
    async with place.registry() as registry:
        with capture_logs() as logs:
            identity = ServerIdentity(registry, place.clock, *pair)
            await identity.load()
            await CertificateDates(identity).work()
            place.clock.advance(11 * DAY_S)
            await CertificateDates(identity).work()
        assert [entry["event"] for entry in logs] == [
            "the server certificate expires in 10 days",
            "the server certificate expires in 10 days",
            "the server certificate has expired: devices will refuse it",
        ]


async def test_files_are_read_again_and_files_that_are_bad_change_nothing(
    place: Place, tmp_path: Path
) -> None:
    pair = write_pair(tmp_path, RUNNING_OUT)
    used: list[Credential] = []
    async with place.registry() as registry:
        identity = ServerIdentity(registry, place.clock, *pair)
        await identity.load()
        write_pair(tmp_path, LASTING)
        await Reload(identity, used.append).work()
        assert [credential.chain for credential in used] == [(LASTING.der,)]
        assert place.shown_chain() == to_pem([LASTING.der])
        pair[1].unlink()
        with capture_logs() as logs:
            await Reload(identity, used.append).work()
        assert len(used) == 1
        assert [entry["log_level"] for entry in logs] == ["error"]
        assert str(pair[1]) in logs[0]["reason"]


async def test_each_request_is_served(place: Place, tmp_path: Path) -> None:
    pair = write_pair(tmp_path, LASTING)
    used: asyncio.Queue[Credential] = asyncio.Queue()
    async with place.registry() as registry:
        identity = ServerIdentity(registry, place.clock, *pair)
        reload = Reload(identity, used.put_nowait)
        task = asyncio.get_running_loop().create_task(reload.run())
        for _ in range(2):
            reload.request()
            assert (await asyncio.wait_for(used.get(), 20)).chain == (LASTING.der,)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
