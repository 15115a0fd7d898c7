import pytest

from registry import refusals
from registry.model import Refusal
from registry.refusals import KEPT_PER_NODE, RefusalLimiter, clean
from registry.sqlite import Database


@pytest.fixture
def connection(tmp_path):
    with Database.open(tmp_path / "n.db") as database, database.transaction() as connection:
        yield connection


def count_admitted(limiter, names, *, is_device, now=0.0):
    return sum(limiter.admit(name, is_device=is_device, now=now) for name in names)


def test_flood_of_strangers_is_recorded_at_one_a_second():
    limiter = RefusalLimiter(0.0)
    count_admitted(limiter, map(str, range(1_000)), is_device=False)
    admitted = sum(
        count_admitted(limiter, (f"{second}-{index}" for index in range(50)), is_device=False, now=second)
        for second in range(1, 101)
    )
    assert admitted == 100


def test_flood_of_strangers_leaves_nothing_in_memory():
    limiter = RefusalLimiter(0.0)
    count_admitted(limiter, map(str, range(50_000)), is_device=False)
    assert len(limiter._nodes) < 100


def test_one_node_does_not_take_the_place_of_others():
    limiter = RefusalLimiter(0.0)
    assert count_admitted(limiter, ["noisy"] * 1_000, is_device=True) == KEPT_PER_NODE
    assert limiter.admit("quiet", is_device=True, now=0.0)
    assert not limiter.admit("noisy", is_device=True, now=59.0)
    assert limiter.admit("noisy", is_device=True, now=60.0)


def test_strangers_do_not_take_the_place_of_devices():
    limiter = RefusalLimiter(0.0)
    count_admitted(limiter, map(str, range(1_000)), is_device=False)
    assert limiter.admit("device", is_device=True, now=0.0)


def test_devices_together_are_bounded_as_well():
    limiter = RefusalLimiter(0.0)
    first = count_admitted(limiter, map(str, range(5_000)), is_device=True)
    assert first == 1_000
    assert count_admitted(limiter, map(str, range(5_000)), is_device=True, now=10.0) == 20


def test_nodes_heard_of_longest_ago_are_forgotten(monkeypatch):
    monkeypatch.setattr(refusals, "_NODES_WATCHED", 2)
    limiter = RefusalLimiter(0.0)
    count_admitted(limiter, ["a", "b", "a", "c"], is_device=True)
    assert list(limiter._nodes) == ["a", "c"]


def test_texts_of_peers_are_cut_and_cleaned():
    assert clean("abc", 2) == "ab"
    assert clean("a\x1b[31m\n\ud800ä", 20) == "a\ufffd[31m\ufffd\ufffdä"


def test_last_ten_of_each_node_are_kept(connection):
    for at_ms in range(15):
        refusals.append(connection, "a", Refusal(at_ms, "192.0.2.1:1", "why"))
    refusals.append(connection, "b", Refusal(0, "192.0.2.2:2", "why not"))
    assert [refusal.at_ms for refusal in refusals.read(connection, "a")] == list(range(5, 15))
    assert refusals.read(connection, "b") == (Refusal(0, "192.0.2.2:2", "why not"),)
    refusals.forget(connection, "a")
    assert refusals.read(connection, "a") == ()


def test_pruning_takes_what_is_too_old_or_too_far_ahead(connection):
    for at_ms in (1, 50, 99):
        refusals.append(connection, "a", Refusal(at_ms, "x", "y"))
    assert refusals.prune(connection, 10, 90) == 2
    assert [refusal.at_ms for refusal in refusals.read(connection, "a")] == [50]
