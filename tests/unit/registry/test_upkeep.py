import asyncio

import pytest

from registry import upkeep
from registry.errors import StorageUnavailable
from registry.sqlite import Database
from tests.support.registry import let_loop_run, register


async def test_checkpoints_run_between_groups(place, monkeypatch):
    monkeypatch.setattr(upkeep, "CHANGES_PER_CHECKPOINT", 2)
    checkpoints = []
    real = Database.checkpoint
    monkeypatch.setattr(Database, "checkpoint", lambda self, **kw: checkpoints.append(1) or real(self, **kw))
    place.create("n")
    async with place.registry() as registry:
        checkpoints.clear()
        for index in range(4):
            await register(registry, "n", str(index))
        await let_loop_run()
        assert len(checkpoints) == 2


@pytest.mark.parametrize(
    ("error", "is_told"), [(StorageUnavailable("disk gone"), True), (ValueError("bug"), False)]
)
async def test_failed_checkpoint_is_told_and_the_commit_stands(place, monkeypatch, error, is_told):
    monkeypatch.setattr(upkeep, "CHANGES_PER_CHECKPOINT", 1)
    place.create("n")
    bugs, faults = [], []
    asyncio.get_running_loop().set_exception_handler(lambda loop, context: bugs.append(context["exception"]))

    def fail(self, **kw):
        raise error

    registry = await place.open()
    registry.on_fault(faults.append)
    monkeypatch.setattr(Database, "checkpoint", fail)
    await register(registry, "n")
    await let_loop_run()
    monkeypatch.undo()
    assert faults == (["disk gone"] if is_told else [])
    assert bugs == ([] if is_told else [error])
    await registry.close()


async def test_snapshot_that_fails_is_made_up_for_by_the_next(place):
    place.create("n")
    async with place.registry() as registry:
        registration = await register(registry, "n")
        place.clock.advance(10)
        registry.renew(registration, "192.0.2.77:7")
        registry._database.connection.execute("PRAGMA busy_timeout = 1")
        before = place.rows("SELECT expiries FROM lease_page")
        with (
            place.database() as other,
            other.transaction(),
            pytest.raises(StorageUnavailable, match="locked"),
        ):
            await registry.snapshot()
        assert place.rows("SELECT expiries FROM lease_page") == before
        await registry.snapshot()
        assert place.rows("SELECT expiries FROM lease_page") != before
        assert place.rows("SELECT address FROM registration") == [("192.0.2.77:7",)]


async def test_old_history_and_orphans_are_pruned_in_chunks(place):
    place.create_many(1_100)
    async with place.registry() as registry:
        registry.refuse("x", "192.0.2.1:1", "unknown")
        await registry.flush()
        await registry.prune_events()
        assert place.rows("SELECT count(*) FROM event") == [(1_101,)]
        place.clock.advance(604_801)
        place.execute(
            "INSERT INTO registration VALUES (4711, 'l', NULL, 'a', '1.0', 'U', 1, 1, 0, 0, NULL, NULL, NULL)"
        )
        await registry.prune_events()
        assert place.rows("SELECT type FROM event") == [("refused",)]
        assert place.rows("SELECT * FROM registration") == []
        assert place.rows("SELECT * FROM refusal") == []
