"""Answers that come later: delivered once, whichever comes first."""

from __future__ import annotations

import pytest
from aiocoap.numbers.codes import Code

from gateway.messaging.handling import Response
from gateway.messaging.pending import Answer, Pending

ANSWER = Response(Code.CHANGED)


def test_answer_is_delivered_when_it_is_there() -> None:
    delivered: list[tuple[Pending, Answer]] = []
    pending = Pending().bind(lambda *told: delivered.append(told))
    assert delivered == []
    pending.complete(ANSWER)
    assert delivered == [(pending, ANSWER)]


def test_answer_that_is_there_already_is_delivered_at_once() -> None:
    delivered: list[tuple[Pending, Answer]] = []
    pending = Pending()
    pending.complete(ANSWER)
    pending.bind(lambda *told: delivered.append(told))
    assert delivered == [(pending, ANSWER)]


def test_request_is_answered_once() -> None:
    pending = Pending()
    pending.complete(ANSWER)
    with pytest.raises(RuntimeError):
        pending.complete(ANSWER)
