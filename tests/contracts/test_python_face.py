"""`nodegate.Gateway` in somebody else's program, and the pytest plugin in somebody else's project."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

import pytest
import structlog

import nodegate
from gateway.workers.expiry import Expiry
from registry.administration import Administration
from registry.errors import AlreadyExists
from registry.sqlite import Database
from tests.support.sources import ROOT

SECRET = bytes(range(16))
PLAYED_S = "600"


@asynccontextmanager
async def played(folder: Path, server: str, node_id: str, security: str, *flags: str) -> AsyncIterator[None]:
    """A simulated device in a process of its own, until the context is left."""
    secret = SECRET.hex() if security == "psk" else ""
    devices = folder / "devices.csv"
    devices.write_text(f"node_id,security,secret\n{node_id},{security},{secret}\n")
    words = ("simulate", "--server", server, "--devices", str(devices), "--duration", PLAYED_S, *flags)
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tools.admin.main", *words, cwd=ROOT, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.kill()
        await process.wait()


@pytest.mark.parametrize("security", ["none", "psk"])
async def test_device_is_created_awaited_and_managed(tmp_path: Path, security: str) -> None:
    async with nodegate.Gateway() as gateway:
        given = SECRET if security == "psk" else None
        assert await gateway.create("meter-7", security, given) == given
        server = gateway.coaps_uri if security == "psk" else gateway.coap_uri
        async with played(tmp_path, server, "meter-7", security):
            device = await gateway.device("meter-7")
            assert await device.read("/3/0/0") == "Nodegate"
            instance = await device.read("/3/0")
            assert isinstance(instance, dict)
            assert instance["/3/0/0"] == "Nodegate"
            await device.write("/3/0/15", "Europe/Vienna")
            assert await device.read("/3/0/15") == "Europe/Vienna"
            await device.write("/3/0", {14: "+02:00"}, partial=True)
            assert await device.read("/3/0/15") == "Europe/Vienna"
            assert "/3/0/4" in await device.discover("/3/0")
            with pytest.raises(nodegate.DeviceError) as refused:
                await device.read("/9/0")
            assert refused.value.code == "4.04"


async def test_observation_gives_first_value_then_changes_and_is_cancelled(tmp_path: Path) -> None:
    async with nodegate.Gateway() as gateway:
        await gateway.create("meter-7")
        async with played(tmp_path, gateway.coap_uri, "meter-7", "none"):
            device = await gateway.device("meter-7")
            seen = []
            async with asyncio.timeout(30), aclosing(device.observe("/3/0/15")) as values:
                async for value in values:
                    seen.append(value)
                    if len(seen) == 3:
                        break
                    await device.write("/3/0/15", f"Zone/{len(seen)}")
            assert seen[1:] == ["Zone/1", "Zone/2"]


async def test_loop_that_is_left_by_break_cancels(tmp_path: Path) -> None:
    async with nodegate.Gateway(tmp_path / "kept.db") as gateway:
        await gateway.create("meter-7")
        async with played(tmp_path, gateway.coap_uri, "meter-7", "none"):
            device = await gateway.device("meter-7")
            async for _ in device.observe("/3/0/15"):
                break
            with Administration(Database.open(tmp_path / "kept.db")) as administration:
                async with asyncio.timeout(30):
                    while administration.observations("meter-7"):  # noqa: ASYNC110
                        await asyncio.sleep(0.02)


async def test_who_may_come_is_kept_in_the_named_registry(tmp_path: Path) -> None:
    async with nodegate.Gateway(tmp_path / "kept.db") as gateway:
        secret = await gateway.create("meter-7", "psk")
        assert secret is not None
        assert len(secret) == 16
    async with nodegate.Gateway(f"sqlite:///{tmp_path / 'kept.db'}") as gateway:
        with pytest.raises(AlreadyExists):
            await gateway.create("meter-7", "psk")


async def test_device_that_does_not_come_is_waited_for_no_longer_than_said() -> None:
    async with nodegate.Gateway() as gateway:
        await gateway.create("meter-7")
        with pytest.raises(TimeoutError):
            await gateway.device("meter-7", timeout=0.05)


async def test_what_cannot_be_asked_is_a_value_error(tmp_path: Path) -> None:
    async with nodegate.Gateway() as gateway:
        await gateway.create("meter-7")
        async with played(tmp_path, gateway.coap_uri, "meter-7", "none"):
            device = await gateway.device("meter-7")
            with pytest.raises(ValueError, match="path"):
                await device.read("3/0")
            with pytest.raises(ValueError, match="/3/0/13"):
                await device.write("/3/0/13", "no time")


@pytest.mark.parametrize("settings", [{"nonsense": 1}, {"server.nonsense": 1}, {"dtls.mtu_bytes": 1}])
def test_setting_that_cannot_be_is_a_value_error(settings: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"nonsense|mtu_bytes"):
        nodegate.Gateway(settings=settings)


def test_gateway_that_does_not_run_says_so() -> None:
    with pytest.raises(RuntimeError, match="async with"):
        _ = nodegate.Gateway().coap_uri


async def test_gateway_that_ran_says_so() -> None:
    async with nodegate.Gateway() as gateway:
        pass
    with pytest.raises(RuntimeError, match="async with"):
        await gateway.create("meter-7")


async def fail(_: Expiry) -> None:
    raise ArithmeticError("broken")


async def test_part_that_fails_ends_the_block_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Expiry, "work", fail)
    with pytest.raises(ExceptionGroup) as told:
        async with nodegate.Gateway():
            await asyncio.Event().wait()
    assert told.group_contains(ArithmeticError, match="broken")


async def test_gateway_whose_part_failed_leaves_its_sessions_to_the_next(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    structlog.reset_defaults()
    caplog.set_level(logging.INFO, "gateway.sessions")
    with monkeypatch.context() as broken:
        broken.setattr(Expiry, "work", fail)
        with pytest.raises(ExceptionGroup):
            async with nodegate.Gateway(tmp_path / "fleet.db"):
                await asyncio.Event().wait()
    caplog.clear()
    async with nodegate.Gateway(tmp_path / "fleet.db"):
        assert "sessions restored" in caplog.text
    assert "handshake anew" not in caplog.text


@pytest.mark.parametrize("mode", ["strict", "auto"])
def test_foreign_project_with_tests_and_tools_of_its_own_has_the_fixture(tmp_path: Path, mode: str) -> None:
    for name in ("tests", "tools"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("")
    (tmp_path / "tests" / "test_firmware.py").write_text(
        "import pytest\n"
        "import tests, tools\n\n"
        "@pytest.mark.asyncio\n"
        "async def test_it(lwm2m_gateway):\n"
        "    assert await lwm2m_gateway.create('meter-7') is None\n"
        "    assert lwm2m_gateway.coap_uri.startswith('coap://127.0.0.1:')\n"
    )
    answer = _pytest(tmp_path, "-o", f"asyncio_mode={mode}")
    assert answer.returncode == 0, answer.stdout + answer.stderr
    assert "1 passed" in answer.stdout


def test_fixture_without_pytest_asyncio_says_what_is_missing(tmp_path: Path) -> None:
    (tmp_path / "missing.py").write_text("import sys\nsys.modules['pytest_asyncio'] = None\n")
    (tmp_path / "test_firmware.py").write_text("def test_it(lwm2m_gateway):\n    pass\n")
    answer = _pytest(tmp_path, "-p", "missing", "-p", "no:asyncio")
    assert answer.returncode == 1, answer.stdout + answer.stderr
    assert "lwm2m_gateway needs pytest-asyncio: pip install 'nodegate[pytest]'" in answer.stdout


def test_shadowed_package_gives_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "gateway.py").write_text("")
    answer = subprocess.run(
        [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); import nodegate"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    last = answer.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: nodegate needs its own package 'gateway'")


def _pytest(folder: Path, *flags: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *flags],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
