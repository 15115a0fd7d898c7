"""`gateway.workers.commands`: when a command is sent, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path as File

import pytest

from gateway.lwm2m.operations import Cancel, Delete, Execute, Operation, Write
from gateway.lwm2m.path import parse_path
from gateway.lwm2m.records import Record
from gateway.lwm2m.values import Type
from gateway.messaging.outcomes import SessionGone, Unsent, Unusable, WasReset
from gateway.workers.turns import Unanswered
from registry.commands import CommandState, NewCommand
from registry.downlinkstore import DownlinkStore
from registry.outcomes import CommitFailure
from tests.support.downlink import (
    EXECUTE,
    NODE,
    OBSERVE,
    READ,
    SENSOR,
    SILENT,
    desk,
    failing,
    observed,
    state,
)

ZONE = parse_path("/3/0/15")
WRITE = Write(ZONE, (Record(ZONE, "UTC", Type.STRING),))
UNREADABLE = NewCommand("read", ("/3",), b"\xff", True)


# Order


async def test_command_is_marked_sent_before_it_leaves(tmp_path: File) -> None:
    async with desk(tmp_path) as at:
        command = await at.ask(EXECUTE)
        (asking,) = at.link.asked
        assert asking.state == "sent"
        asking.answer("2.04")
        await at.settle()
        assert state(at, command) == (CommandState.ANSWERED, None)
        assert at.look(command).attempts == 1


async def test_one_request_at_a_time_in_the_order_in_which_they_were_asked(tmp_path: File) -> None:
    async with desk(tmp_path) as at:
        for operation in (EXECUTE, READ, WRITE):
            await at.ask(operation)
        assert len(at.link.asked) == 1
        at.link.asked[0].end(SILENT)
        await at.settle()
        at.link.asked[1].answer("4.04")
        await at.settle()
        paths = [asking.request.path for asking in at.link.asked]
        assert paths == [("3", "0", "4"), ("3", "0", "9"), ("3", "0", "15")]


async def test_answer_comes_with_its_values(tmp_path: File) -> None:
    async with desk(tmp_path) as at:
        command = await at.ask(READ)
        at.link.asked[0].answer("2.05", b"80")
        await at.settle()
        assert at.look(command).result.values == '{"/3/0/9": 80}'
        assert at.values == {"/3/0/9": 80}


async def test_device_that_wants_another_format_is_asked_in_it(tmp_path: File) -> None:
    async with desk(tmp_path) as at:
        command = await at.ask(READ)
        while not at.look(command).has_ended:
            at.link.asked[-1].answer("4.06")
            await at.settle()
        accepted = [asking.request.accept for asking in at.link.asked]
        assert len(accepted) == len(set(accepted)) > 1
        assert at.look(command).attempts == 1


# What keeps a command waiting


async def test_device_without_a_registration_is_asked_when_it_has_one(tmp_path: File) -> None:
    async with desk(tmp_path, is_registered=False) as at:
        await at.ask(READ)
        await at.tick()
        assert at.link.asked == []
        await at.register()
        assert len(at.link.asked) == 1


async def test_device_without_a_session_is_asked_when_it_has_one(tmp_path: File) -> None:
    async with desk(tmp_path) as at:
        at.reach.gone.add("192.0.2.1:5683")
        command = await at.ask(READ)
        await at.tick()
        assert (at.link.asked, at.look(command).state) == ([], CommandState.QUEUED)
        at.reach.gone.clear()
        await at.tick()
        assert len(at.link.asked) == 1


async def test_sleeping_device_is_asked_within_its_window_only(tmp_path: File) -> None:
    async with desk(tmp_path, binding="UQ") as at:
        await at.tick(93)
        command = await at.ask(READ)
        assert at.link.asked == []
        await at.register("elsewhere", binding="UQ")
        assert len(at.link.asked) == 1
        at.link.asked[0].end(SILENT)
        await at.settle()
        assert state(at, command) == (CommandState.QUEUED, None)
        await at.tick()
        assert len(at.link.asked) == 1, "it left a request unanswered: it sleeps"


async def test_what_was_not_sent_leaves_the_window_open(tmp_path: File) -> None:
    async with desk(tmp_path, binding="UQ") as at:
        await at.ask(EXECUTE)
        at.link.asked[0].end(Unsent("too many requests are waiting for answers"))
        await at.settle()
        await at.tick()
        assert len(at.link.asked) == 2


async def test_answer_keeps_a_device_awake(tmp_path: File) -> None:
    async with desk(tmp_path, binding="UQ") as at:
        await at.ask(READ)
        await at.tick(80)
        at.link.asked[0].answer("2.05", b"80")
        await at.tick(80)
        await at.ask(READ)
        assert len(at.link.asked) == 2


async def test_command_expires_unless_it_is_on_its_way(tmp_path: File) -> None:
    async with desk(tmp_path) as at:
        sent, waiting = await at.ask(READ, ttl_s=60), await at.ask(READ, ttl_s=60)
        await at.tick(61)
        assert at.look(sent).state is CommandState.SENT
        assert state(at, waiting) == (CommandState.EXPIRED, "not sent within its time")


# What cannot be


@pytest.mark.parametrize(
    ("operation", "said"),
    [
        (Execute(parse_path("/3/0/0")), "/3/0/0 (Manufacturer) is not executable"),
        (Cancel((SENSOR,)), "nothing is observed there"),
    ],
)
async def test_what_the_device_cannot_have_is_not_sent(
    tmp_path: File, operation: Operation, said: str
) -> None:
    async with desk(tmp_path) as at:
        command = await at.ask(operation)
        behind = await at.ask(READ)
        assert state(at, command) == (CommandState.FAILED, said)
        assert at.look(behind).state is CommandState.SENT


async def test_request_of_another_version_of_ours_fails(tmp_path: File) -> None:
    async with desk(tmp_path) as at:
        command = await at.store(UNREADABLE)
        assert at.look(command).state is CommandState.FAILED
        assert at.link.asked == []


# Ends without an answer


@pytest.mark.parametrize(
    ("outcome", "repeatable", "never"),
    [
        (SILENT, (CommandState.FAILED, "timeout"), (CommandState.FAILED, "unknown outcome")),
        (WasReset(), (CommandState.FAILED, "reset"), (CommandState.FAILED, "reset")),
        (Unusable("option 9"), (CommandState.FAILED, "option 9"), (CommandState.FAILED, "option 9")),
        (
            SessionGone("closed", is_sent=True),
            (CommandState.QUEUED, None),
            (CommandState.FAILED, "unknown outcome"),
        ),
        (SessionGone("closed", is_sent=False), (CommandState.QUEUED, None), (CommandState.QUEUED, None)),
    ],
    ids=["silent", "reset", "unusable", "session gone", "no session"],
)
async def test_command_without_an_answer_fails_or_waits_again(
    tmp_path: File,
    outcome: Unanswered,
    repeatable: tuple[CommandState, str | None],
    never: tuple[CommandState, str | None],
) -> None:
    for operation, expected in ((READ, repeatable), (EXECUTE, never)):
        async with desk(tmp_path / operation.name) as at:
            command = await at.ask(operation)
            at.link.asked[0].end(outcome)
            await at.settle()
            assert state(at, command) == expected
            await at.tick()
            assert len(at.link.asked) == (2 if expected[0] is CommandState.QUEUED else 1)


@pytest.mark.parametrize(
    "values", [{"location": "anew"}, {"address": "192.0.2.1:6000"}], ids=["anew", "moved"]
)
async def test_device_that_is_somewhere_else_is_asked_there(tmp_path: File, values: dict[str, str]) -> None:
    async with desk(tmp_path) as at:
        read = await at.ask(READ)
        await at.register(**{"location": "at-meter-7", **values})
        first, second = at.link.asked
        assert first.is_cancelled
        assert second.remote.address == values.get("address", "192.0.2.1:5683")
        second.answer("2.05", b"80")
        await at.settle()
        assert (at.look(read).state, at.look(read).attempts) == (CommandState.ANSWERED, 2)


async def test_device_that_registers_anew_has_not_been_asked_twice_to_execute(tmp_path: File) -> None:
    async with desk(tmp_path) as at:
        command = await at.ask(EXECUTE)
        await at.register("anew")
        assert len(at.link.asked) == 1
        assert state(at, command) == (CommandState.FAILED, "unknown outcome")


async def test_update_amid_a_request_changes_nothing(tmp_path: File) -> None:
    async with desk(tmp_path) as at:
        await at.ask(READ)
        registration = at.registry.find_registration(f"at-{NODE}")
        assert registration is not None
        at.worker.hear(registration)
        await at.settle()
        assert not at.link.asked[0].is_cancelled


async def test_repeated_delete_that_finds_nothing_is_done(tmp_path: File) -> None:
    async with desk(tmp_path) as at:
        command = await at.ask(Delete(parse_path("/16/1")))
        at.link.asked[0].end(SessionGone("closed", is_sent=True))
        await at.tick()
        at.link.asked[1].answer("4.04")
        await at.settle()
        assert state(at, command) == (CommandState.ANSWERED, None)
        assert at.look(command).result.code == "2.02"


# Commits that fail


async def test_command_that_cannot_be_marked_waits_for_the_disk(
    tmp_path: File, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with desk(tmp_path) as at:
        with monkeypatch.context() as patch:
            patch.setattr(at.registry.downlink, "mark_sent", failing(CommitFailure.STORAGE))
            command = await at.ask(EXECUTE)
        assert (at.link.asked, at.look(command).state) == ([], CommandState.QUEUED)
        await at.tick()
        assert len(at.link.asked) == 1


async def test_command_that_was_taken_back_makes_room_for_the_next(tmp_path: File) -> None:
    async with desk(tmp_path, is_registered=False) as at:
        first, second = await at.ask(EXECUTE), await at.ask(READ)
        with at.place.administration() as administration:
            administration.cancel_command(first.id)
        await at.register()
        assert [asking.request.path for asking in at.link.asked] == [("3", "0", "9")]
        assert at.look(second).state is CommandState.SENT


# What happens while a command is being marked


@pytest.fixture
def marking(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Callable[[], None]]]:
    """Marks that wait for the test."""
    held: list[Callable[[], None]] = []
    mark = DownlinkStore.mark_sent
    monkeypatch.setattr(DownlinkStore, "mark_sent", lambda *arguments: held.append(lambda: mark(*arguments)))
    yield held
    held.clear()


@pytest.mark.parametrize(
    "registration", [{"location": "anew"}, {"address": "192.0.2.1:6000"}], ids=["anew", "moved"]
)
async def test_device_that_is_somewhere_else_by_then_is_asked_there(
    tmp_path: File, marking: list[Callable[[], None]], registration: dict[str, str]
) -> None:
    async with desk(tmp_path) as at:
        command = await at.ask(READ)
        await at.register(**{"location": f"at-{NODE}", **registration})
        while marking:
            marking.pop()()
            await at.settle()
        (asking,) = at.link.asked
        assert asking.remote.address == registration.get("address", "192.0.2.1:5683")
        assert at.look(command).state is CommandState.SENT


async def test_device_that_has_no_session_by_then_waits(
    tmp_path: File, marking: list[Callable[[], None]]
) -> None:
    async with desk(tmp_path) as at:
        command = await at.ask(EXECUTE)
        at.reach.gone.add("192.0.2.1:5683")
        marking.pop()()
        await at.settle()
        assert (at.link.asked, at.look(command).state) == ([], CommandState.QUEUED)


async def test_device_that_is_frozen_by_then_is_not_asked(
    tmp_path: File, marking: list[Callable[[], None]]
) -> None:
    async with desk(tmp_path) as at:
        command = await at.ask(EXECUTE)
        with at.place.administration() as administration:
            administration.freeze(NODE)
        await at.registry.poll_changes()
        marking.pop()()
        await at.settle()
        assert (at.link.asked, at.look(command).state) == ([], CommandState.CANCELLED)


# A former run


async def test_what_a_former_run_had_sent_is_repeated_or_over(tmp_path: File) -> None:
    async with desk(tmp_path) as at:
        never, behind = await at.ask(EXECUTE), await at.ask(READ)
        at.link.asked.clear()
        at.worker = at.make_worker()
        await at.worker.start()
        await at.settle()
        assert state(at, never) == (CommandState.FAILED, "unknown outcome")
        assert [asking.request.path for asking in at.link.asked] == [("3", "0", "9")]
        at.worker = at.make_worker()
        await at.worker.start()
        await at.settle()
        assert len(at.link.asked) == 2
        assert at.look(behind).attempts == 2


async def test_observation_that_a_former_run_had_asked_for_goes_with_its_command(tmp_path: File) -> None:
    async with desk(tmp_path) as at:
        await at.ask(OBSERVE)
        at.worker = at.make_worker()
        await at.worker.start()
        await at.settle()
        first, again = at.link.asked
        assert again.token == first.token
        again.answer("4.04")
        await at.settle()
        assert at.observations == []


# Revocation


@pytest.mark.parametrize("revoke", ["freeze", "delete"])
async def test_device_that_lost_its_credential_is_asked_no_more(tmp_path: File, revoke: str) -> None:
    async with desk(tmp_path) as at:
        await observed(at)
        await at.ask(READ)
        asking = at.link.asked[-1]
        with at.place.administration() as administration:
            getattr(administration, revoke)(NODE)
        await at.registry.poll_changes()
        await at.tick()
        assert asking.is_cancelled
        assert len(at.worker.relations) == 0
        assert at.link.asked[-1] is asking


async def test_registration_that_expires_leaves_what_waits(tmp_path: File) -> None:
    async with desk(tmp_path) as at:
        await observed(at)
        at.place.clock.advance(400)
        at.registry.expire(at.place.clock.monotonic())
        await at.settle()
        command = await at.ask(READ)
        assert len(at.worker.relations) == 1
        await at.register("anew")
        at.link.asked[-1].answer("2.05", b"21.5", sequence=3)
        await at.settle()
        assert at.look(command).state is CommandState.SENT
