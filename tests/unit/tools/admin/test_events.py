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


def test_line_for_people_has_words_instead_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    objects = [{"path": "/1/0", "version": None}, {"path": "/3/0", "version": "1.2"}]
    at = "1970-01-01T00:00:00.000Z"
    data = {
        "location": "/rd/x",
        "lifetime": 60,
        "objects": objects,
        "address": "[::1]:9",
        "registered_at": at,
    }
    row = EventRow(7, 0, "registered", "d-x", "meter-1", data)
    events._print_line(row)
    assert capsys.readouterr().out == (
        "1970-01-01T00:00:00.000Z  registered            meter-1"
        "  lifetime 60  objects /1/0 /3/0  address [::1]:9\n"
    )


def test_line_for_people_has_a_dash_for_want_of_a_node_id(
    capsys: pytest.CaptureFixture[str],
) -> None:
    events._print_line(EventRow(7, 0, "refused", None, "", {"reason": "no node ID"}))
    assert capsys.readouterr().out.split("refused")[1].split() == ["-", "reason", "no", "node", "ID"]


def test_line_for_people_shows_what_a_peer_sent_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    events._print_line(EventRow(7, 0, "refused", None, "\x1b[2J", {"reason": "a\nb"}))
    line = capsys.readouterr().out
    assert "\x1b" not in line
    assert line.count("\n") == 1
