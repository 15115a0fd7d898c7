"""`gateway.workers.commands`: when a command is sent, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path as File

import pytest

from gateway.lwm2m.attributes import parse_attributes
from gateway.lwm2m.operations import Cancel, Delete, Execute, Observe, Operation, Read, Write, WriteAttributes
from gateway.lwm2m.path import parse_path
from gateway.lwm2m.records import Record
from gateway.lwm2m.values import Type
from gateway.messaging.outcomes import SessionGone, TimedOut, Unsent, Unusable, WasReset
from gateway.workers.turns import Unanswered
from registry.commands import Command, CommandState, NewCommand
from registry.downlinkstore import DownlinkStore
from registry.model import Reading
from registry.observations import ObservationState
from registry.outcomes import CommitFailure, CommitOutcome
from tests.support.downlink import NODE, Desk, FakeAsking, desk

SILENT = TimedOut(is_acknowledged=False)
SENSOR, ZONE = parse_path("/3303/0/5700"), parse_path("/3/0/15")
READ = Read((parse_path("/3/0/9"),))
OBSERVE = Observe((SENSOR,))
EXECUTE = Execute(parse_path("/3/0/4"))
WRITE = Write(ZONE, (Record(ZONE, "UTC", Type.STRING),))
UNREADABLE = NewCommand("read", ("/3",), b"\xff", True)


def state(at: Desk, command: Command) -> tuple[CommandState, str | None]:
    found = at.look(command)
    return found.state, found.result.error


async def observed(at: Desk, sequence: int = 1) -> FakeAsking:
    """The sensor is observed; the request that did it."""
    await at.ask(OBSERVE)
    asking = at.link.asked[-1]
    asking.answer("2.05", b"21.5", sequence=sequence)
    await at.settle()
    return asking


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
async def test_command_without_an_answer(
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
            patch.setattr(at.registry.downlink, "mark_sent", _failing(CommitFailure.STORAGE))
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


@pytest.mark.parametrize("failure", [CommitFailure.STORAGE, CommitFailure.OVERLOADED])
async def test_answer_that_the_disk_will_not_have_is_written_when_it_will(
    tmp_path: File, monkeypatch: pytest.MonkeyPatch, failure: CommitFailure
) -> None:
    async with desk(tmp_path) as at:
        command = await at.ask(EXECUTE)
        with monkeypatch.context() as patch:
            patch.setattr(at.registry.downlink, "end", _failing(failure))
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


# Observations


async def test_observation_is_established_by_the_answer(tmp_path: File) -> None:
    async with desk(tmp_path) as at:
        asking = await observed(at)
        (stored,) = at.observations
        assert (stored.token, stored.state) == (asking.token, ObservationState.ESTABLISHED)
        assert (asking.request.observe, stored.location) == (0, f"at-{NODE}")
        assert at.values == {"/3303/0/5700": 21.5}


async def test_observation_that_nobody_answers_is_none(tmp_path: File) -> None:
    async with desk(tmp_path) as at:
        command = await at.ask(OBSERVE)
        at.link.asked[0].end(SILENT)
        await at.settle()
        assert state(at, command) == (CommandState.FAILED, "timeout")
        assert at.observations == []


@pytest.mark.parametrize("code", ["4.04", "2.05"])
async def test_observation_without_consent_is_none(tmp_path: File, code: str) -> None:
    async with desk(tmp_path) as at:
        await at.ask(OBSERVE)
        at.link.asked[0].answer(code, b"21.5")
        await at.settle()
        assert at.observations == []
        assert len(at.worker.relations) == 0


async def test_observation_is_set_up_again_after_a_register_before_what_waits(tmp_path: File) -> None:
    async with desk(tmp_path) as at:
        first = await observed(at)
        await at.ask(READ)
        await at.register("anew")
        again = at.link.asked[-1]
        assert (again.token, again.request.path) == (first.token, ("3303", "0", "5700"))
        again.answer("2.05", b"30.5", sequence=9)
        await at.settle()
        assert at.values == {"/3303/0/5700": 30.5}
        assert at.link.asked[-1].request.path == ("3", "0", "9")
        assert at.observations[0].location == "anew"


async def test_refused_set_up_waits_and_the_commands_go_on(tmp_path: File) -> None:
    async with desk(tmp_path) as at:
        await observed(at)
        await at.register("anew")
        at.link.asked[-1].answer("4.04")
        await at.settle()
        assert at.observations[0].state is ObservationState.REFUSED
        count = len(at.link.asked)
        await at.ask(READ)
        assert len(at.link.asked) == count + 1
        at.link.asked[-1].answer("2.05", b"80")
        await at.tick(59)
        assert len(at.link.asked) == count + 1
        await at.tick(2)
        assert at.link.asked[-1].request.observe == 0


@pytest.mark.parametrize("binding", ["U", "UQ"])
async def test_set_up_without_an_answer_is_tried_again_when_the_device_can_hear_it(
    tmp_path: File, binding: str
) -> None:
    async with desk(tmp_path, binding=binding) as at:
        await observed(at)
        registration = await at.register("anew", binding=binding)
        count = len(at.link.asked)
        at.link.asked[-1].end(SILENT)
        await at.tick()
        assert len(at.link.asked) == count
        at.worker.hear(registration)
        await at.settle()
        assert len(at.link.asked) == count + (binding == "UQ"), "who sleeps has not refused"


async def test_device_that_reboots_amid_a_set_up_is_asked_at_once(tmp_path: File) -> None:
    async with desk(tmp_path) as at:
        await observed(at)
        await at.register("anew")
        first = at.link.asked[-1]
        await at.register("once more")
        assert first.is_cancelled
        assert at.link.asked[-1] is not first
        assert at.link.asked[-1].request.observe == 0


async def test_cancel_forgets_the_observation_whatever_the_device_says(tmp_path: File) -> None:
    for number, end in enumerate((("2.05", b"21.5"), ("4.04", b""), WasReset(), Unusable("option 9"))):
        async with desk(tmp_path / str(number)) as at:
            asking = await observed(at)
            await at.ask(Cancel((SENSOR,)))
            cancel = at.link.asked[-1]
            assert (cancel.token, cancel.request.observe) == (asking.token, 1)
            if isinstance(end, WasReset | Unusable):
                cancel.end(end)
            else:
                cancel.answer(*end)
            await at.settle()
            assert at.observations == []


async def test_cancel_that_nobody_heard_leaves_the_observation(tmp_path: File) -> None:
    async with desk(tmp_path) as at:
        await observed(at)
        await at.ask(Cancel((SENSOR,)))
        at.link.asked[-1].end(SILENT)
        await at.settle()
        assert at.observations[0].state is ObservationState.ESTABLISHED


async def test_written_attributes_hold_for_the_observation(tmp_path: File) -> None:
    async with desk(tmp_path) as at:
        await observed(at)
        await at.ask(WriteAttributes(SENSOR, parse_attributes(["pmax=60"])))
        at.link.asked[-1].answer("2.04")
        await at.settle()
        assert dict(at.observations[0].attributes) == {"pmax": 60}
        count = len(at.link.asked)
        await at.tick(121)
        assert len(at.link.asked) == count + 1, "silent for more than twice its pmax"


async def test_observation_for_which_there_is_no_request_is_left_alone(tmp_path: File) -> None:
    async with desk(tmp_path) as at:
        await at.ask(Observe((parse_path("/3303/0/5700"), parse_path("/3/0/9"))))
        at.link.asked[-1].answer("2.05", b'[{"n":"/3/0/9","v":80}]', 110, sequence=1)
        await at.settle()
        count = len(at.link.asked)
        await at.register("anew", lwm2m="1.0")
        assert at.observations[0].state is ObservationState.REFUSED, "1.0 has no composites"
        at.place.execute("UPDATE observation SET request = x'ff'")
        at.worker = at.make_worker()
        await at.worker.start()
        await at.register("once more")
        assert (at.observations, len(at.link.asked)) == ([], count)


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


def _failing(failure: CommitFailure):
    """In place of a method of the store: its last function hears that nothing was committed."""

    def fail(*arguments: object) -> None:
        done = next(each for each in arguments if callable(each))
        done(CommitOutcome(failure))

    return fail
