"""`gateway.workers.notifications`: whose they are, and what is kept of them."""

from __future__ import annotations

from pathlib import Path as File

import pytest

from gateway.lwm2m.answers import Response
from gateway.lwm2m.operations import Observe
from gateway.lwm2m.path import parse_path
from gateway.messaging.clientcodec import Reply
from gateway.messaging.link import Notification
from gateway.messaging.outcomes import TimedOut
from registry.observations import ObservationState
from tests.support.downlink import NODE, TEXT, FakeRemote, desk, observed

PATH = "/3303/0/5700"
ELSEWHERE, STRANGER = FakeRemote(None, "192.0.2.1:6000"), FakeRemote(None, "192.0.2.99:5683")


def value(payload: bytes, sequence: int | None = 2, code: str = "2.05") -> Notification:
    return Notification(Response(code, TEXT, payload, sequence is not None), sequence, None)


def first_block() -> Notification:
    return value(b"x" * 16)._replace(first_block=Reply(0x45, b"", payload=b"x" * 16))


async def test_value_is_kept_and_the_device_is_heard(tmp_path: File) -> None:
    async with desk(tmp_path, binding="UQ") as at:
        token = (await observed(at)).token
        await at.tick(94)
        await at.ask(Observe((parse_path("/3"),)))
        count = len(at.link.asked)
        assert at.notify(token, value(b"22.5"))
        await at.settle()
        assert at.values == {PATH: 22.5}
        assert len(at.link.asked) == count + 1, "it is awake"


async def test_unknown_token_is_nobodys(tmp_path: File) -> None:
    async with desk(tmp_path) as at:
        await observed(at)
        assert not at.notify(b"unknown", value(b"22.5"))
        await at.settle()
        assert at.values == {PATH: 21.5}


async def test_token_of_a_device_that_is_not_registered_is_nobodys(tmp_path: File) -> None:
    async with desk(tmp_path) as at:
        token = (await observed(at)).token
        at.place.clock.advance(400)
        at.registry.expire(at.place.clock.monotonic())
        await at.settle()
        assert not at.notify(token, value(b"22.5"))


async def test_token_in_the_mouth_of_another_is_nobodys(tmp_path: File) -> None:
    async with desk(tmp_path) as at:
        token = (await observed(at)).token
        assert not at.notify(token, value(b"22.5"), STRANGER)
        assert not at.notify(token, value(b"22.5"), FakeRemote(NODE, "192.0.2.1:5683"))


async def test_device_may_notify_in_another_session_of_its_own(tmp_path: File) -> None:
    async with desk(tmp_path, identity=NODE) as at:
        token = (await observed(at)).token
        assert at.notify(token, value(b"22.5", 2), FakeRemote(NODE, "192.0.2.50:1"))
        assert not at.notify(token, value(b"23.5", 3), FakeRemote("meter-8", "192.0.2.1:5683"))
        assert not at.notify(token, value(b"23.5", 3), FakeRemote(None, "192.0.2.1:5683"))
        await at.settle()
        assert at.values == {PATH: 22.5}


async def test_port_of_a_device_is_followed(tmp_path: File) -> None:
    async with desk(tmp_path) as at:
        token = (await observed(at)).token
        assert at.notify(token, value(b"22.5"), ELSEWHERE)
        await at.settle()
        registration = at.registry.find_registration(f"at-{NODE}")
        assert registration is not None
        assert registration.address == ELSEWHERE.address


async def test_older_notification_changes_nothing(tmp_path: File) -> None:
    async with desk(tmp_path) as at:
        token = (await observed(at)).token
        assert at.notify(token, value(b"23.5", 9))
        assert at.notify(token, value(b"22.5", 8))
        await at.settle()
        assert at.values == {PATH: 23.5}


@pytest.mark.parametrize(
    "notification", [value(b"", 3, "4.04"), value(b"22.5", None)], ids=["error", "without Observe"]
)
async def test_device_that_ends_an_observation_is_asked_again(
    tmp_path: File, notification: Notification
) -> None:
    async with desk(tmp_path) as at:
        token = (await observed(at)).token
        assert at.notify(token, notification)
        await at.settle()
        assert at.observations[0].state is ObservationState.WANTED
        assert at.link.asked[-1].token == token
        assert len(at.link.asked) == 2
        assert at.values == {PATH: 21.5}


@pytest.mark.parametrize("payload", [b"warm", b""])
async def test_what_cannot_be_read_changes_nothing(tmp_path: File, payload: bytes) -> None:
    async with desk(tmp_path) as at:
        token = (await observed(at)).token
        unknown = Notification(Response("2.05", 61_000, payload, True), 5, None)
        for notification in (value(payload, 4), unknown):
            assert at.notify(token, notification)
        await at.settle()
        assert at.values == {PATH: 21.5}
        assert at.observations[0].state is ObservationState.ESTABLISHED


async def test_request_of_another_version_of_ours_keeps_nothing(tmp_path: File) -> None:
    async with desk(tmp_path) as at:
        token = (await observed(at)).token
        at.place.execute("UPDATE observation SET request = x'ff'")
        at.worker = at.make_worker()
        await at.worker.start()
        assert at.notify(token, value(b"22.5"))
        await at.settle()
        assert at.values == {PATH: 21.5}


async def test_rest_of_a_long_one_is_fetched(tmp_path: File) -> None:
    async with desk(tmp_path) as at:
        token = (await observed(at)).token
        assert at.notify(token, first_block())
        (fetched,) = at.link.fetched
        assert (fetched.token, fetched.request.path) == (token, ("3303", "0", "5700"))
        assert at.values == {PATH: 21.5}
        fetched.answer("2.05", b"24.5")
        await at.settle()
        assert at.values == {PATH: 24.5}


async def test_device_that_does_not_give_the_rest_sleeps(tmp_path: File) -> None:
    async with desk(tmp_path, binding="UQ") as at:
        token = (await observed(at)).token
        at.notify(token, first_block())
        at.link.fetched[0].end(TimedOut(is_acknowledged=False))
        count = len(at.link.asked)
        await at.ask(Observe((parse_path("/3"),)))
        assert len(at.link.asked) == count
        assert at.values == {PATH: 21.5}


async def test_rest_is_not_asked_for_where_it_cannot_be(tmp_path: File) -> None:
    async with desk(tmp_path) as at:
        await at.ask(Observe((parse_path(PATH), parse_path("/3/0/9"))))
        at.link.asked[-1].answer("2.05", b'[{"n":"/3/0/9","v":80}]', 110, sequence=1)
        await at.register("anew", lwm2m="1.0")
        assert at.notify(at.observations[0].token, first_block()), "1.0 has no composites"
        assert at.link.fetched == []
