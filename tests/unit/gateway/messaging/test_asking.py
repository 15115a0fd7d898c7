"""`gateway.messaging.asking`: what a request says of itself, and that it ends once."""

from __future__ import annotations

from typing import Any, cast

import pytest

from gateway.lwm2m.requests import Request
from gateway.messaging.asking import Asking
from gateway.messaging.outcomes import Outcome, TimedOut, Unsent, WasReset
from gateway.messaging.remote import Remote


class FakeAsker:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.told: list[object] = []

    def cancel(self, asking: Asking) -> None:
        self.told.append("cancelled")

    def await_answer(self, asking: Asking) -> None:
        self.told.append("acknowledged")

    def finish(self, asking: Asking, outcome: Outcome) -> None:
        self.told.append(outcome)


@pytest.fixture
def asker() -> FakeAsker:
    return FakeAsker()


def make_asking(asker: FakeAsker, outcomes: list[Outcome] | None = None, **state: Any) -> Asking:
    on_outcome = [].append if outcomes is None else outcomes.append
    asking = Asking(asker, cast("Remote", None), cast("Request", None), on_outcome, None)
    for name, value in state.items():
        setattr(asking, name, value)
    return asking


@pytest.mark.parametrize("state", [{"is_part_sent": True}, {"is_acknowledged": True}])
def test_request_is_sent_once_any_of_it_was(asker: FakeAsker, state: dict[str, bool]) -> None:
    assert not make_asking(asker).is_sent
    assert make_asking(asker, **state).is_sent


def test_what_becomes_of_its_message_is_told_on(asker: FakeAsker) -> None:
    asking = make_asking(asker)
    asking.acknowledged()
    asking.reset()
    asking.cancel()
    assert asker.told == ["acknowledged", WasReset(), "cancelled"]


@pytest.mark.parametrize(
    ("is_sent", "is_part_sent", "kind"),
    [(True, False, TimedOut), (False, True, TimedOut), (False, False, Unsent)],
)
def test_silence_is_a_timeout_only_where_something_has_left(
    asker: FakeAsker, is_sent: bool, is_part_sent: bool, kind: type[Outcome]
) -> None:
    make_asking(asker, is_part_sent=is_part_sent).timed_out(is_sent)
    assert [type(outcome) for outcome in asker.told] == [kind]


def test_one_outcome_is_told(asker: FakeAsker) -> None:
    outcomes: list[Outcome] = []
    asking = make_asking(asker, outcomes)
    asking.conclude(WasReset())
    asking.conclude(Unsent("again"))
    assert outcomes == [WasReset()]
