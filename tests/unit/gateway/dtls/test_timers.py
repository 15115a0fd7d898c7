"""`gateway.dtls.timers`: one deadline per number, the nearest first."""

from __future__ import annotations

from gateway.dtls.timers import Deadlines


def test_nothing_set_is_never_due() -> None:
    deadlines = Deadlines()
    assert deadlines.next_at() is None
    assert list(deadlines.pop_due(1e9)) == []
    assert len(deadlines) == 0


def test_due_numbers_come_in_order_of_their_time_and_once() -> None:
    deadlines = Deadlines()
    deadlines.set(1, 30.0)
    deadlines.set(2, 10.0)
    deadlines.set(3, 20.0)
    assert deadlines.next_at() == 10.0
    assert list(deadlines.pop_due(20.0)) == [2, 3]
    assert deadlines.next_at() == 30.0
    assert list(deadlines.pop_due(20.0)) == []


def test_setting_again_moves_a_deadline_both_ways() -> None:
    deadlines = Deadlines()
    deadlines.set(1, 10.0)
    deadlines.set(1, 20.0)
    assert deadlines.next_at() == 20.0
    deadlines.set(1, 5.0)
    assert list(deadlines.pop_due(30.0)) == [1]


def test_cancelled_number_is_not_due() -> None:
    deadlines = Deadlines()
    deadlines.set(1, 10.0)
    deadlines.cancel(1)
    deadlines.cancel(2)
    assert deadlines.next_at() is None


def test_what_is_set_while_popping_counts() -> None:
    deadlines = Deadlines()
    deadlines.set(1, 10.0)
    popped = []
    for number in deadlines.pop_due(15.0):
        popped.append(number)
        if len(popped) == 1:
            deadlines.set(1, 12.0)
    assert popped == [1, 1]


def test_storm_of_cancelled_deadlines_leaves_nothing_behind() -> None:
    deadlines = Deadlines()
    deadlines.set(0, 1e9)
    for number in range(1, 10_000):
        deadlines.set(number, 100.0 + number)
        deadlines.cancel(number)
    assert len(deadlines._heap) < 100
    assert deadlines.next_at() == 1e9
