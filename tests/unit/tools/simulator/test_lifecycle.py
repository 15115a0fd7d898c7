import pytest

from tools.simulator.lifecycle import TRANSITIONS, State, Trigger


def test_every_state_but_the_first_can_be_reached_and_final_ones_are_not_left():
    assert set(TRANSITIONS.values()) == set(State) - {State.STARTING}
    for (state, _), target in TRANSITIONS.items():
        assert not state.is_final or target is state


@pytest.mark.parametrize("state", [state for state in State if state is not State.FAILED])
def test_every_state_can_be_stopped(state):
    assert (state, Trigger.STOP) in TRANSITIONS
