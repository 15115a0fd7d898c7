"""`gateway.dtls.serverstates`: the table and nothing beside it."""

from __future__ import annotations

from gateway.dtls.serverstates import MESSAGES, TRANSITIONS, Input, State


def test_table_has_one_way_from_the_hello_to_the_session() -> None:
    state, steps = State.EXCHANGE, []
    while state is not State.ESTABLISHED:
        ((step, state),) = [(step, after) for (before, step), after in TRANSITIONS.items() if before is state]
        steps.append(step)
    assert steps == list(Input)


def test_only_two_messages_count_each_in_its_epoch() -> None:
    assert MESSAGES == {(0, 16): Input.CLIENT_KEY_EXCHANGE, (1, 20): Input.FINISHED}
