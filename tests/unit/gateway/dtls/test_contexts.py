"""Which holders keep their contexts."""

from __future__ import annotations

import gc

from gateway.dtls.contexts import RecentContexts


class Owner:
    released = 0

    def release(self) -> None:
        self.released += 1


def test_oldest_goes_when_there_are_too_many() -> None:
    recent = RecentContexts(3)
    owners = [Owner() for _ in range(5)]
    for owner in owners:
        recent.add(owner)
    assert [owner.released for owner in owners] == [1, 1, 0, 0, 0]
    assert len(recent) == 3


def test_released_owner_may_come_again() -> None:
    recent = RecentContexts(1)
    first, second = Owner(), Owner()
    recent.add(first)
    recent.add(second)
    recent.add(first)
    assert (first.released, second.released) == (1, 1)


def test_owner_that_is_no_more_is_passed_over() -> None:
    recent = RecentContexts(1)
    recent.add(Owner())
    gc.collect()
    kept = Owner()
    recent.add(kept)
    assert kept.released == 0
    assert len(recent) == 1
