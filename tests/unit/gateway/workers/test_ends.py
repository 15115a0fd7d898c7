"""`gateway.workers.ends`: ends that the disk will not have at once."""

from __future__ import annotations

from pathlib import Path as File

import pytest

from registry.commands import CommandState
from registry.model import Reading
from registry.outcomes import CommitFailure
from tests.support.downlink import EXECUTE, READ, desk, failing


@pytest.mark.parametrize("failure", [CommitFailure.STORAGE, CommitFailure.OVERLOADED])
async def test_answer_that_the_disk_will_not_have_is_written_when_it_will(
    tmp_path: File, monkeypatch: pytest.MonkeyPatch, failure: CommitFailure
) -> None:
    async with desk(tmp_path) as at:
        command = await at.ask(EXECUTE)
        with monkeypatch.context() as patch:
            patch.setattr(at.registry.downlink, "end", failing(failure))
            at.link.asked[0].answer("2.04")
            await at.settle()
            await at.tick()
        assert at.look(command).state is CommandState.SENT
        await at.tick()
        assert at.look(command).result.code == "2.04"
        assert len(at.link.asked) == 1


async def test_answer_that_no_row_can_hold_fails(tmp_path: File, monkeypatch: pytest.MonkeyPatch) -> None:
    async with desk(tmp_path) as at:
        command = await at.ask(READ)
        beyond = [Reading("/3/0/9", "80", 1 << 70)]
        monkeypatch.setattr("gateway.workers.commands.readings_of", lambda *_: beyond)
        at.link.asked[0].answer("2.05", b"80")
        await at.settle()
        found = at.look(command)
        assert (found.state, found.result.code, found.result.values) == (CommandState.FAILED, "2.05", None)
        assert found.result.error == "the answer holds a value that cannot be stored"
        assert at.values == {}
