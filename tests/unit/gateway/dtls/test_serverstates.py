"""`gateway.dtls.serverstates`: the table and nothing beside it."""

from __future__ import annotations

import pytest

from gateway.dtls.serverstates import ASKING, FIRST, MESSAGES, TRANSITIONS, Input, State


@pytest.mark.parametrize(
    ("state", "way"),
    [
        (State.EXCHANGE, (Input.CLIENT_KEY_EXCHANGE, Input.KEY)),
        (
            State.CERTIFICATE,
            (Input.CERTIFICATE, Input.CLIENT_KEY_EXCHANGE, Input.CERTIFICATE_VERIFY, Input.WELCOME),
        ),
        (State.RESUMPTION, (Input.RESUME,)),
    ],
)
def test_table_has_one_way_from_each_hello_to_the_session(state: State, way: tuple[Input, ...]) -> None:
    assert state in FIRST | {State.RESUMPTION}
    steps = []
    while state is not State.ESTABLISHED:
        ((step, state),) = [(step, after) for (before, step), after in TRANSITIONS.items() if before is state]
        steps.append(step)
    assert steps == [*way, Input.CHANGE_CIPHER_SPEC, Input.FINISHED]


def test_owner_is_asked_once_on_each_way() -> None:
    assert {(before, step) for before, step in TRANSITIONS if before in ASKING} == {
        (State.KEY, Input.KEY),
        (State.CREDENTIAL, Input.WELCOME),
        (State.RESUMPTION, Input.RESUME),
    }


def test_only_few_messages_count_each_in_its_epoch() -> None:
    assert MESSAGES == {
        (0, 11): Input.CERTIFICATE,
        (0, 15): Input.CERTIFICATE_VERIFY,
        (0, 16): Input.CLIENT_KEY_EXCHANGE,
        (1, 20): Input.FINISHED,
    }
