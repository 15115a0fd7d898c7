"""`gateway.workers.turns`: what waits for a device, and when a command without an answer has failed."""

from __future__ import annotations

import pytest

from gateway.messaging.outcomes import SessionGone, TimedOut, Unsent, Unusable, WasReset
from gateway.workers.turns import RESET, TIMEOUT, UNKNOWN_OUTCOME, Line, Unanswered, find_failure
from registry.commands import Command, CommandState

SILENT, HAD_IT = TimedOut(is_acknowledged=False), TimedOut(is_acknowledged=True)
GONE_BEFORE, GONE_AFTER = SessionGone("closed", is_sent=False), SessionGone("closed", is_sent=True)
FULL, GARBLED = Unsent("too many requests"), Unusable("blocks that do not fit")
AGAIN = None


def command(id_: int, expires_at_ms: int = 1_000) -> Command:
    return Command(id_, 1, "d-1", "a", "read", ("/3",), b"", True, CommandState.QUEUED, 0, expires_at_ms)


@pytest.mark.parametrize(
    ("outcome", "awake", "asleep", "never_repeated"),
    [
        (SILENT, TIMEOUT, AGAIN, UNKNOWN_OUTCOME),
        (HAD_IT, TIMEOUT, AGAIN, UNKNOWN_OUTCOME),
        (GONE_AFTER, AGAIN, AGAIN, UNKNOWN_OUTCOME),
        (GONE_BEFORE, AGAIN, AGAIN, AGAIN),
        (FULL, AGAIN, AGAIN, AGAIN),
        (WasReset(), RESET, RESET, RESET),
        (GARBLED, GARBLED.reason, GARBLED.reason, GARBLED.reason),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, tuple) else None,
)
def test_end_without_an_answer(
    outcome: Unanswered, awake: str | None, asleep: str | None, never_repeated: str
) -> None:
    assert find_failure(outcome, is_repeatable=True, is_queue_mode=False) == awake
    assert find_failure(outcome, is_repeatable=True, is_queue_mode=True) == asleep
    for is_queue_mode in (False, True):
        assert find_failure(outcome, is_repeatable=False, is_queue_mode=is_queue_mode) == never_repeated


def test_dropped_command_leaves_the_others_in_their_order() -> None:
    line = Line()
    line.waiting.extend(map(command, (1, 2, 3)))
    line.attempt()
    line.drop(2)
    assert [(each.id, each.attempts) for each in line.waiting] == [(1, 1), (3, 0)]


def test_command_is_overdue_at_the_end_of_its_time() -> None:
    line = Line()
    line.waiting.extend([command(1, 1_000), command(2, 2_000)])
    assert line.overdue(999) == []
    assert [each.id for each in line.overdue(1_000)] == [1]
    assert [each.id for each in line.overdue(2_000)] == [1, 2]
