import asyncio
from concurrent.futures import Executor, Future

import pytest

from registry.writer import GroupWriter
from tests.support.clock import VirtualClock, virtual_time
from tests.support.registry import InlineExecutor, let_loop_run


class HeldExecutor(Executor):
    """Does the work when told to."""

    def __init__(self):
        self.jobs = []

    def submit(self, fn, /, *args):
        future = Future()
        self.jobs.append((future, fn, args))
        return future

    def work(self):
        future, fn, args = self.jobs.pop(0)
        future.set_result(fn(*args))


class Scene:
    def __init__(self, executor=None, *, window_s=0.02, rows=3):
        self.groups = []
        self.concluded = []
        self.executor = executor or InlineExecutor()
        self.writer = GroupWriter(
            self.executor, self.commit, self.conclude, failed="failed", window_s=window_s, rows=rows
        )

    def commit(self, group):
        self.groups.append(list(group))
        return [f"{item} done" for item in group]

    def conclude(self, item, outcome):
        self.concluded.append((item, outcome))


@virtual_time
async def test_items_wait_for_others_no_longer_than_the_window(clock: VirtualClock):
    scene = Scene()
    start = clock.monotonic()
    scene.writer.submit("a")
    await asyncio.sleep(0.01)
    scene.writer.submit("b")
    assert scene.groups == []
    await asyncio.sleep(0.0101)
    assert scene.groups == [["a", "b"]]
    assert clock.monotonic() - start < 0.021
    assert scene.concluded == [("a", "a done"), ("b", "b done")]


async def test_full_group_does_not_wait():
    scene = Scene(window_s=3600.0)
    for item in "abcd":
        scene.writer.submit(item)
    await let_loop_run()
    assert scene.groups == [["a", "b", "c"]]
    assert scene.writer.pending == 1
    await scene.writer.flush()
    assert scene.groups == [["a", "b", "c"], ["d"]]


async def test_one_group_at_a_time_and_the_next_forms_meanwhile():
    scene = Scene(HeldExecutor(), window_s=3600.0)
    for item in "abcdefg":
        scene.writer.submit(item)
    await let_loop_run()
    assert len(scene.executor.jobs) == 1
    assert scene.writer.pending == 7
    scene.executor.work()
    await let_loop_run()
    assert scene.groups == [["a", "b", "c"]]
    assert len(scene.executor.jobs) == 1
    scene.executor.work()
    await let_loop_run()
    assert scene.groups[1] == ["d", "e", "f"]
    assert scene.executor.jobs == []
    assert scene.writer.pending == 1


@virtual_time
async def test_item_that_came_during_a_commit_gets_a_window_of_its_own(clock: VirtualClock):
    scene = Scene(HeldExecutor(), rows=1)
    scene.writer.submit("a")
    scene.writer._rows = 3
    scene.writer.submit("b")
    await let_loop_run()
    scene.executor.work()
    await let_loop_run()
    assert scene.executor.jobs == []
    await asyncio.sleep(0.0201)
    scene.executor.work()
    await let_loop_run()
    assert scene.groups == [["a"], ["b"]]


async def test_flush_waits_for_what_is_submitted_meanwhile_too():
    scene = Scene(window_s=3600.0)
    original = scene.conclude

    def conclude(item, outcome):
        original(item, outcome)
        if item == "a":
            scene.writer.submit("z")

    scene.writer._conclude = conclude
    scene.writer.submit("a")
    await scene.writer.flush()
    assert [item for item, _ in scene.concluded] == ["a", "z"]
    await scene.writer.flush()


async def test_fault_of_one_listener_does_not_keep_the_others_from_hearing():
    faults = []
    asyncio.get_running_loop().set_exception_handler(
        lambda loop, context: faults.append(context["exception"])
    )
    scene = Scene()
    original = scene.conclude

    def conclude(item, outcome):
        if item == "b":
            raise ValueError("b's own")
        original(item, outcome)

    scene.writer._conclude = conclude
    for item in "abc":
        scene.writer.submit(item)
    await let_loop_run()
    assert [item for item, _ in scene.concluded] == ["a", "c"]
    assert [str(fault) for fault in faults] == ["b's own"]


async def test_commit_that_raises_fails_its_group_and_is_reported():
    faults = []
    asyncio.get_running_loop().set_exception_handler(
        lambda loop, context: faults.append(context["exception"])
    )
    scene = Scene(window_s=0.0)
    good = scene.writer._commit

    def bad(group):
        raise ZeroDivisionError

    scene.writer._commit = bad
    scene.writer.submit("a")
    await scene.writer.flush()
    assert scene.concluded == [("a", "failed")]
    assert [type(fault) for fault in faults] == [ZeroDivisionError]
    scene.writer._commit = good
    scene.writer.submit("b")
    await scene.writer.flush()
    assert scene.concluded[1:] == [("b", "b done")]


@pytest.mark.parametrize("count", [1, 2, 10])
async def test_pending_counts_what_is_queued_and_on_its_way(count):
    scene = Scene(HeldExecutor(), window_s=0.0)
    for item in range(count):
        scene.writer.submit(item)
    assert scene.writer.pending == count
    while scene.writer.pending:
        await let_loop_run()
        if scene.executor.jobs:
            scene.executor.work()
    assert [item for item, _ in scene.concluded] == list(range(count))
