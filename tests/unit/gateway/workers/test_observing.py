"""`gateway.workers.observing`: what becomes of observations."""

from __future__ import annotations

from pathlib import Path as File

import pytest

from gateway.lwm2m.attributes import parse_attributes
from gateway.lwm2m.operations import Cancel, Observe, WriteAttributes
from gateway.lwm2m.path import parse_path
from gateway.messaging.outcomes import Unusable, WasReset
from registry.commands import CommandState
from registry.observations import ObservationState
from tests.support.downlink import NODE, OBSERVE, READ, SENSOR, SILENT, desk, observed, state


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
