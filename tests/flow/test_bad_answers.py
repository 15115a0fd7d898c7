"""What devices should not say: whoever asked hears of it, and it leaves no trace where it means nothing."""

from __future__ import annotations

from pathlib import Path as File

import pytest

from gateway.lwm2m.operations import Cancel
from registry.commands import CommandState
from registry.model import Security
from tests.support.clock import VirtualClock, virtual_time
from tests.support.coap import OBSERVE, Options
from tests.support.commanding import METER, SENSOR, ask, ended, observe, read, values
from tests.support.gateway import Scene, gateway_in_memory
from tests.support.handmade import HandMade, content_format

FLOAT_TLV = bytes.fromhex("e8164408 4035800000000000".replace(" ", ""))
SEQUENCE = [(OBSERVE, b"\x01")]
LINK, TEXT, TLV, SENML_JSON, NOBODYS = 40, 0, 11542, 110, 61_000


async def begin(scene: Scene) -> HandMade:
    scene.administration.create(METER, Security.NONE)
    await scene.registry.poll_changes()
    return await HandMade.registered(scene)


@pytest.mark.parametrize(
    ("code", "payload", "error"),
    [
        ("4.04", b"no such instance", "no such instance"),
        ("4.01", b"", "Unauthorized"),
        ("5.00", b"sensor broken \xff", "sensor broken \N{REPLACEMENT CHARACTER}"),
        ("5.01", b"", "Not Implemented"),
    ],
)
@virtual_time
async def test_refusal_of_a_device_reaches_the_caller_as_it_is(
    clock: VirtualClock, tmp_path: File, code: str, payload: bytes, error: str
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        device = await begin(scene)
        command = ask(scene, read("/3303/0/5700"))
        device.answer(await device.asked(), code, payload=payload)
        end = await ended(scene, command)
        assert (end.state, end.result.code, end.result.error) == (CommandState.ANSWERED, code, error)


@virtual_time
async def test_answer_in_another_known_format_is_read_by_its_own(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        device = await begin(scene)
        command = ask(scene, read("/3303/0/5700"))
        request = await device.asked()
        assert request.opt.accept != TLV
        device.answer(request, "2.05", content_format(TLV), FLOAT_TLV)
        end = await ended(scene, command)
        assert (end.result.format, end.result.values) == ("tlv", '{"/3303/0/5700": 21.5}')


@pytest.mark.parametrize(
    ("options", "payload", "error"),
    [
        (content_format(NOBODYS), b"21.5", "61000"),
        (content_format(LINK), b"</3303/0/5700>", "link"),
        (content_format(SENML_JSON), b"[{", "JSON"),
        (content_format(SENML_JSON), b'[{"n":"/3303/0/5700","vs":"warm"}]', "/3303/0/5700"),
        (content_format(SENML_JSON), b'[{"n":"/4/0/0","v":1}]', "/4/0/0"),
        (content_format(TEXT), b"warm", "/3303/0/5700"),
    ],
    ids=["unknown format", "format of links", "cut short", "no Float", "of another path", "text"],
)
@virtual_time
async def test_answer_that_cannot_be_read_fails_and_leaves_nothing(
    clock: VirtualClock, tmp_path: File, options: Options, payload: bytes, error: str
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        device = await begin(scene)
        command, behind = ask(scene, read("/3303/0/5700")), ask(scene, read("/3303/0/5701"))
        device.answer(await device.asked(), "2.05", options, payload)
        end = await ended(scene, command)
        assert (end.state, end.result.code) == (CommandState.FAILED, "2.05")
        assert error in (end.result.error or "")
        assert values(scene) == {}
        device.answer(await device.asked(), "2.05", content_format(TEXT), b"Cel")
        assert (await ended(scene, behind)).state is CommandState.ANSWERED


@virtual_time
async def test_reset_is_the_end_of_a_command(clock: VirtualClock, tmp_path: File) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        device = await begin(scene)
        command = ask(scene, read("/3303/0/5700"))
        device.reset(await device.asked())
        end = await ended(scene, command)
        assert (end.state, end.result.code, end.result.error) == (CommandState.FAILED, None, "reset")


@virtual_time
async def test_content_without_an_observation_fails_the_observe_and_keeps_the_value(
    clock: VirtualClock, tmp_path: File
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        device = await begin(scene)
        command = ask(scene, observe("/3303/0/5700"))
        device.answer(await device.asked(), "2.05", content_format(TEXT), b"21.5")
        end = await ended(scene, command)
        assert (end.state, end.result.values) == (CommandState.FAILED, '{"/3303/0/5700": 21.5}')
        assert scene.administration.observations(METER) == []


@pytest.mark.parametrize("is_known_before", [False, True], ids=["never", "no more"])
@virtual_time
async def test_notification_that_nobody_observes_is_reset_and_leaves_nothing(
    clock: VirtualClock, tmp_path: File, is_known_before: bool
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        device = await begin(scene)
        token = b"nobody's"
        if is_known_before:
            token = await observed(scene, device)
            cancel = ask(scene, Cancel((SENSOR,)))
            device.reset(await device.asked())
            assert (await ended(scene, cancel)).result.error == "reset"
        before = values(scene)
        options = [*SEQUENCE, *content_format(TEXT)]
        heard = await device.say("2.05", options, token, b"99")
        assert str(heard.mtype) == "RST"
        assert values(scene) == before


@virtual_time
async def test_notification_that_cannot_be_read_is_acknowledged_and_changes_nothing(
    clock: VirtualClock, tmp_path: File
) -> None:
    async with gateway_in_memory(clock, tmp_path) as scene:
        device = await begin(scene)
        token = await observed(scene, device)
        for number, payload in ((NOBODYS, b"99"), (SENML_JSON, b"[{")):
            options = [(OBSERVE, b"\x05"), *content_format(number)]
            heard = await device.say("2.05", options, token, payload)
            assert (str(heard.mtype), heard.code.dotted) == ("ACK", "0.00")
        assert values(scene) == {"/3303/0/5700": 21.5}
        assert len(scene.administration.observations(METER)) == 1


async def observed(scene: Scene, device: HandMade) -> bytes:
    """An observation of the sensor; its token."""
    command = ask(scene, observe("/3303/0/5700"))
    request = await device.asked()
    device.answer(request, "2.05", [*SEQUENCE, *content_format(TEXT)], b"21.5")
    assert (await ended(scene, command)).state is CommandState.ANSWERED
    return bytes(request.token)
