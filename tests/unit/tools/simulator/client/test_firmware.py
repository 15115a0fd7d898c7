import pytest

from tools.simulator.client.firmware import (
    TRANSITIONS,
    FirmwareUpdate,
    Package,
    Result,
    Step,
    UpdateState,
    build_package,
    read_package,
)


def test_package_says_what_it_is():
    assert read_package(build_package("app", "2.0.0", b"x")) == Package("app", "2.0.0", True)
    assert read_package(build_package("app", "2.0.0", b"fails")) == Package("app", "2.0.0", False)


@pytest.mark.parametrize("state", UpdateState)
@pytest.mark.parametrize("step", Step)
def test_what_the_table_does_not_have_changes_nothing(state, step):
    update = FirmwareUpdate()
    update.state = state
    update.result = Result.UPDATE_FAILED
    verbs = {
        Step.BEGIN: update.begin,
        Step.COMPLETE: lambda: update.complete(build_package("a", "1", b"")),
        Step.RESET: update.reset,
        Step.EXECUTE: lambda: update.execute(0.0),
    }
    if step not in verbs or (state, step) in TRANSITIONS:
        return
    assert not verbs[step]()
    assert (update.state, update.result) == (state, Result.UPDATE_FAILED)


def test_every_state_is_reached_and_left():
    assert {before for before, _ in TRANSITIONS} == set(TRANSITIONS.values()) == set(UpdateState)


def test_download_fails_only_while_it_runs():
    update = FirmwareUpdate()
    assert not update.fail(Result.CONNECTION_LOST)
    update.begin()
    assert update.fail(Result.CONNECTION_LOST)
    assert (update.state, update.result) == (UpdateState.IDLE, Result.CONNECTION_LOST)
