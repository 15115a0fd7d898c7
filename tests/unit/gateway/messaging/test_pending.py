"""Answers that come later: delivered once, whichever comes first."""

from __future__ import annotations

import pytest
from aiocoap import Message
from aiocoap.numbers.codes import Code

from gateway.messaging.pending import Pending

ANSWER = Message(code=Code.CHANGED)


def test_answer_is_delivered_when_it_is_there() -> None:
    delivered: list[Message] = []
    pending = Pending().bind(delivered.append)
    assert delivered == []
    pending.complete(ANSWER)
    assert delivered == [ANSWER]


def test_answer_that_is_there_already_is_delivered_at_once() -> None:
    delivered: list[Message] = []
    pending = Pending()
    pending.complete(ANSWER)
    pending.bind(delivered.append)
    assert delivered == [ANSWER]


def test_request_is_answered_once() -> None:
    pending = Pending()
    pending.complete(ANSWER)
    with pytest.raises(RuntimeError):
        pending.complete(ANSWER)
