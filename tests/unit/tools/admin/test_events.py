"""Reading events by a cursor, in pages, with and without waiting."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from registry.model import EventRow
from tools.admin import events


class Outbox:
    """The part of the administration that is read here, growing by what `wait` adds."""

    def __init__(self, count: int) -> None:
        self.rows = [self.make(number) for number in range(1, count + 1)]
        self.waited = 0

    @staticmethod
    def make(number: int) -> EventRow:
        return EventRow(number, 0, "refused", None, "a", {})

    def events(self, after: int = 0, types: Sequence[str] = (), limit: int = 1000) -> list[EventRow]:
        return [row for row in self.rows if row.id > after][:limit]

    def wait(self, seconds: float) -> None:
        self.waited += 1
        if self.waited == 3:
            raise KeyboardInterrupt
        self.rows.append(self.make(len(self.rows) + 1))


@pytest.fixture(autouse=True)
def _small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "PAGE_ROWS", 2)


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5])
def test_every_event_is_read_once(count: int) -> None:
    read = events.read(Outbox(count), 0, (), None)
    assert [row.id for row in read] == list(range(1, count + 1))


def test_reading_begins_behind_the_cursor() -> None:
    assert [row.id for row in events.read(Outbox(5), 3, (), None)] == [4, 5]


def test_following_waits_only_when_there_is_nothing_new() -> None:
    outbox = Outbox(3)
    with pytest.raises(KeyboardInterrupt):
        list(events.read(outbox, 0, (), outbox.wait))
    assert outbox.waited == 3
    assert len(outbox.rows) == 5


def test_following_tells_what_came_while_it_waited() -> None:
    outbox = Outbox(3)
    follow = events.read(outbox, 0, (), outbox.wait)
    assert [next(follow).id for _ in range(5)] == [1, 2, 3, 4, 5]
