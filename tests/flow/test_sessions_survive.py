"""Sessions that outlive the process: one crash after another, and files that must not be believed."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3

import pytest
from structlog.testing import capture_logs

from gateway.persistence.keeper import SWEEP_S, UPKEEP_S
from registry.administration import Administration
from registry.model import Security
from registry.sqlite import Database
from tests.support.clock import virtual_time
from tests.support.gateway import gateway_in_memory
from tools.simulator.events import Registered, Updated


def sessions_file(folder):
    return folder / "registry.db.sessions"


@virtual_time
async def test_device_goes_on_through_one_crash_after_another(clock, tmp_path):
    async with gateway_in_memory(clock, tmp_path, is_crashing=True) as scene:
        player = await scene.play("meter-7", Security.PSK, lifetime_s=300).registered()
    for run in range(5):
        seen = player.count(Updated)
        async with gateway_in_memory(
            clock, tmp_path, seed=run, network=scene.network, is_crashing=bool(run % 2)
        ) as scene:
            await scene.until(lambda seen=seen: player.count(Updated) > seen)
            assert scene.gateway.endpoint.counters.handshakes_begun == 0
    assert player.count(Registered) == 1


@virtual_time
async def test_device_that_moved_is_known_by_its_connection_id_after_a_crash(clock, tmp_path):
    async with gateway_in_memory(clock, tmp_path, is_crashing=True) as scene:
        player = await scene.play("meter-7", Security.PSK, lifetime_s=300).registered()
        await asyncio.sleep(1)
    player.connection.rebind()
    async with gateway_in_memory(clock, tmp_path, network=scene.network) as scene:
        await scene.until(lambda: player.count(Updated))
        assert player.count(Registered) == 1
        assert scene.gateway.endpoint.counters.sessions_moved == 1


@virtual_time
async def test_two_nons_at_most_are_lost_by_a_crash(clock, tmp_path):
    """Records that nobody repeats: what the file does not know to be new is not taken."""
    async with gateway_in_memory(clock, tmp_path, is_crashing=True) as scene:
        player = await scene.play("meter-7", Security.PSK, lifetime_s=300).registered()
        await asyncio.sleep(1)
    async with gateway_in_memory(clock, tmp_path, network=scene.network) as scene:
        before = scene.gateway.endpoint.counters.replayed_records
        player.update()
        await scene.until(lambda: player.count(Updated))
        assert scene.gateway.endpoint.counters.replayed_records - before <= 2


@virtual_time
async def test_session_that_ended_leaves_nothing_in_the_file(clock, tmp_path):
    async with gateway_in_memory(clock, tmp_path, is_crashing=True) as scene:
        await scene.play("meter-7", Security.PSK, lifetime_s=300).registered()
        await asyncio.sleep(60)
        assert b"meter-7" in sessions_file(tmp_path).read_bytes()
        scene.administration.freeze("meter-7")
        await asyncio.sleep(60)
        for path in tmp_path.glob("registry.db.sessions*"):
            assert b"meter-7" not in path.read_bytes()


# --- sessions that are over and can be resumed


@pytest.mark.parametrize("is_crashing", [False, True], ids=["stop", "crash"])
@pytest.mark.parametrize("is_frozen", [False, True], ids=["welcome", "frozen"])
@virtual_time
async def test_session_that_its_device_closed_can_be_resumed_by_the_next_start(
    clock, tmp_path, is_crashing, is_frozen
):
    async with gateway_in_memory(clock, tmp_path, is_crashing=is_crashing) as scene:
        player = await scene.play("meter-7", Security.PSK, lifetime_s=300).registered()
        player.driver.stop()
        await scene.until(lambda: scene.gateway.endpoint.session_count == 0)
        await asyncio.sleep(1)
    if is_frozen:
        with Administration(Database.open(tmp_path / "registry.db"), clock=clock) as administration:
            administration.freeze("meter-7")
    async with gateway_in_memory(clock, tmp_path) as scene:
        assert scene.gateway.endpoint.session_count == 0
        assert scene.gateway.endpoint.resumable_count == (not is_frozen)
    assert (b"meter-7" in sessions_file(tmp_path).read_bytes()) is not is_frozen


@virtual_time
async def test_closed_session_leaves_the_file_with_its_time(clock, tmp_path):
    settings = {"dtls": {"resumption_s": 5000}}
    async with gateway_in_memory(clock, tmp_path, settings=settings, is_crashing=True) as scene:
        player = await scene.play("meter-7", Security.PSK, lifetime_s=300).registered()
        player.driver.stop()
        await asyncio.sleep(4000)
        assert b"meter-7" in sessions_file(tmp_path).read_bytes()
        await asyncio.sleep(1000 + SWEEP_S + 2 * UPKEEP_S)
        for path in tmp_path.glob("registry.db.sessions*"):
            assert b"meter-7" not in path.read_bytes()


# --- files that must not be believed


def missing(folder, older):
    sessions_file(folder).unlink()


def of_an_earlier_run(folder, older):
    shutil.copy(older / "registry.db.sessions", sessions_file(folder))


def of_another_database(folder, older):
    sessions_file(folder).write_bytes((older / "foreign.sessions").read_bytes())


def damaged(folder, older):
    sessions_file(folder).write_bytes(b"not a database at all" * 1000)


def truncated(folder, older):
    data = sessions_file(folder).read_bytes()
    sessions_file(folder).write_bytes(data[: len(data) // 2])


def restored_backup_of_the_database(folder, older):
    for path in folder.glob("registry.db*"):
        if ".sessions" not in path.name:
            path.unlink()
    shutil.copy(older / "registry.db", folder / "registry.db")
    shutil.copy(older / "registry.db.key", folder / "registry.db.key")


DISBELIEVED = {
    missing: "there is none",
    of_an_earlier_run: "it is of an earlier run",
    of_another_database: "it belongs to another database",
    damaged: "it is damaged or in use",
    truncated: "it is damaged or in use",
    restored_backup_of_the_database: "it is of a later run than the database",
}


@pytest.mark.parametrize("spoil", DISBELIEVED, ids=lambda spoil: spoil.__name__)
@virtual_time
async def test_no_session_comes_from_a_file_that_is_not_the_right_one(clock, tmp_path, spoil):
    folder, older, foreign = tmp_path / "now", tmp_path / "older", tmp_path / "foreign"
    for path in (folder, foreign):
        path.mkdir()
    async with gateway_in_memory(clock, foreign):
        pass
    async with gateway_in_memory(clock, folder) as scene:
        player = await scene.play("meter-7", Security.PSK, lifetime_s=300).registered()
        await asyncio.sleep(1)
    shutil.copytree(folder, older)
    shutil.copy(sessions_file(foreign), older / "foreign.sessions")
    async with gateway_in_memory(clock, folder, network=scene.network) as scene:
        assert scene.gateway.endpoint.session_count == 1
    spoil(folder, older)
    with capture_logs() as logs:
        async with gateway_in_memory(clock, folder, network=scene.network) as scene:
            assert scene.gateway.endpoint.session_count == 0
            await scene.until(lambda: player.count(Registered) == 2)
    told = [entry for entry in logs if "devices handshake anew" in entry["event"]]
    assert [entry["reason"] for entry in told] == [f"{sessions_file(folder)}: {DISBELIEVED[spoil]}"]


@virtual_time
async def test_file_whose_journal_cannot_be_read_is_replaced_at_once(clock, tmp_path):
    async with gateway_in_memory(clock, tmp_path) as scene:
        player = await scene.play("meter-7", Security.PSK, lifetime_s=300).registered()
    with sqlite3.connect(sessions_file(tmp_path)) as connection:
        connection.execute("INSERT INTO journal (entries) VALUES (x'ff')")
    connection.close()
    async with gateway_in_memory(clock, tmp_path, network=scene.network, is_crashing=True) as scene:
        assert scene.gateway.endpoint.session_count == 0
        await scene.until(lambda: player.count(Registered) == 2)
        await asyncio.sleep(2 * UPKEEP_S)
    async with gateway_in_memory(clock, tmp_path, network=scene.network) as scene:
        assert scene.gateway.endpoint.session_count == 1


@virtual_time
async def test_without_persistence_sessions_end_and_the_file_goes(clock, tmp_path):
    async with gateway_in_memory(clock, tmp_path, settings={"dtls": {"persist_sessions": False}}) as scene:
        await scene.play("meter-7", Security.PSK, lifetime_s=300).registered()
        assert not sessions_file(tmp_path).exists()
        assert scene.gateway.endpoint.counters.records_held == 0


# --- a file that cannot be written


@virtual_time
async def test_sessions_go_on_in_memory_when_the_file_cannot_be_written(clock, tmp_path):
    async with gateway_in_memory(clock, tmp_path, is_crashing=True) as scene:
        player = await scene.play("meter-7", Security.PSK, lifetime_s=300).registered()
        keeper = scene.gateway.keeper
        keeper._file._connection.execute("PRAGMA query_only = ON")
        player.update()
        await asyncio.sleep(2)
        assert not keeper.is_keeping
        assert not sessions_file(tmp_path).exists()
        player.update()
        await scene.until(lambda: player.count(Updated) == 2)
        await asyncio.sleep(60)
        assert keeper.is_keeping
    async with gateway_in_memory(clock, tmp_path, network=scene.network) as scene:
        assert scene.gateway.endpoint.session_count == 1
        await scene.until(lambda: player.count(Updated) >= 3)
        assert player.count(Registered) == 1


@virtual_time
async def test_file_deleted_by_hand_is_made_again(clock, tmp_path):
    async with gateway_in_memory(clock, tmp_path, is_crashing=True) as scene:
        player = await scene.play("meter-7", Security.PSK, lifetime_s=300).registered()
        sessions_file(tmp_path).unlink()
        await asyncio.sleep(100)
        assert scene.gateway.keeper.is_keeping
    async with gateway_in_memory(clock, tmp_path, network=scene.network) as scene:
        assert scene.gateway.endpoint.session_count == 1
        await scene.until(lambda: player.count(Updated) >= 2)
        assert player.count(Registered) == 1
