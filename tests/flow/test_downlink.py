"""Requests to devices over bad networks: one outcome each, whole bodies, nothing done twice."""

from __future__ import annotations

import asyncio

import pytest

from gateway.address import Address
from gateway.lwm2m.requests import Method, Request
from gateway.messaging.handling import Response
from gateway.messaging.link import Notification
from gateway.messaging.outcomes import Answered, Outcome, TimedOut, Unusable
from gateway.messaging.remote import Remote
from gateway.messaging.stack import CoapStack
from tests.support.answering import AnsweringDevice
from tests.support.clock import VirtualClock, until, virtual_time
from tests.support.coap import EmptySite, Entropy
from tools.simulator.network import CLEAN, Connection, Impairment, Network

LOSSY = Impairment(loss=0.3, delay_s=0.02, jitter_s=0.03)
DOUBLING = Impairment(duplicate=0.5, delay_s=0.02, jitter_s=0.05)
SHUFFLING = Impairment(reorder=0.4, duplicate=0.2, delay_s=0.02, jitter_s=0.02)
BAD = Impairment(loss=0.15, reorder=0.3, duplicate=0.3, delay_s=0.02, jitter_s=0.05)

GATEWAY = Address("198.51.100.1", 5683)
LONG = bytes(number % 251 for number in range(5000))
READ_LONG = Request(Method.GET, ("long",), accept=112)
OBSERVE_LONG = Request(Method.GET, ("long",), observe=0)
HOURS_S = 10_000.0

IMPAIRMENTS = pytest.mark.parametrize(
    "impairment", [LOSSY, DOUBLING, SHUFFLING, BAD], ids=["lossy", "doubling", "shuffling", "bad"]
)


class _Scene:
    """The messages of a gateway, a network, and devices that answer."""

    def __init__(self, impairment: Impairment = CLEAN, seed: int = 1) -> None:
        self.network = Network(asyncio.get_running_loop(), seed=seed, uplink=impairment, downlink=impairment)
        self.stack = CoapStack(EmptySite(), lambda _: Response(0x44), entropy=Entropy())
        self.stack.routes.plain = self.network.carry_down
        self.network.listen(GATEWAY, self.stack.receive_plain)

    def device(self, **settings: float | None) -> tuple[AnsweringDevice, Remote]:
        connection: Connection

        def send(datagram: bytes) -> None:
            connection.send(datagram)

        device = AnsweringDevice(send, **settings)
        device.resources = {("short",): b"value", ("long",): LONG}
        connection = self.network.connect(GATEWAY, device.receive)
        remote = self.stack.find_remote(None, str(connection.outside))
        assert remote is not None
        return device, remote

    def ask(self, remote: Remote, request: Request, token: bytes | None = None) -> list[Outcome]:
        outcomes: list[Outcome] = []
        self.stack.link.request(remote, request, outcomes.append, token=token)
        return outcomes

    async def close(self, *devices: AnsweringDevice) -> None:
        assert self.stack.layer.transmissions == len(self.stack.link) == 0
        for device in devices:
            device.stop()
        await self.stack.close()


@pytest.mark.parametrize("separate_s", [None, 0.5, 20.0], ids=["piggybacked", "separate", "late"])
@pytest.mark.parametrize("seed", [1, 2])
@IMPAIRMENTS
@virtual_time
async def test_every_request_has_one_outcome_and_every_answer_is_whole(
    clock: VirtualClock, impairment: Impairment, seed: int, separate_s: float | None
) -> None:
    scene = _Scene(impairment, seed)
    devices = [scene.device(szx=szx, separate_s=separate_s) for szx in (6, 4, 5)]
    asked = []
    for number, (_, remote) in enumerate(devices):
        arguments = b"%d" % number
        package = LONG + arguments
        asked += [
            (scene.ask(remote, Request(Method.GET, ("short",))), b"value"),
            (scene.ask(remote, READ_LONG), LONG),
            (scene.ask(remote, Request(Method.PUT, ("5", "0", "0"), payload=package)), b""),
            (scene.ask(remote, Request(Method.POST, ("3", "0", "4"), payload=arguments)), b""),
            (scene.ask(remote, Request(Method.GET, ("none",))), b""),
        ]
    await until(lambda: all(outcomes for outcomes, _ in asked), HOURS_S)
    await asyncio.sleep(300)
    answered = 0
    for outcomes, payload in asked:
        (outcome,) = outcomes
        if isinstance(outcome, Answered):
            answered += 1
            assert outcome.response.payload == payload
        else:
            assert isinstance(outcome, TimedOut)
    assert answered >= 0.8 * len(asked), "a transfer may fail at 30 % loss, seldom"
    for number, (device, _) in enumerate(devices):
        assert device.executed in ([b"%d" % number], []), "never twice"
        assert device.resources.get(("5", "0", "0")) in (LONG + b"%d" % number, None), "whole or not at all"
    await scene.close(*(device for device, _ in devices))


@IMPAIRMENTS
@virtual_time
async def test_notifications_of_a_long_value_are_fetched_to_the_end(
    clock: VirtualClock, impairment: Impairment
) -> None:
    scene = _Scene(impairment, 3)
    device, remote = scene.device(szx=5)
    fetched: list[bytes] = []

    def keep(outcome: Outcome) -> None:
        # A part that got lost for good is a value less, never a wrong one.
        if isinstance(outcome, Answered):
            fetched.append(outcome.response.payload)

    def note(source: Remote, token: bytes, notification: Notification) -> bool:
        assert (source, token) == (remote, b"observed")
        scene.stack.link.fetch_rest(source, OBSERVE_LONG, token, notification, keep)
        return True

    scene.stack.link.on_notification = note
    outcomes = scene.ask(remote, OBSERVE_LONG, b"observed")
    await until(lambda: outcomes, HOURS_S)
    assert device.observed == {b"observed": ("long",)}
    values = [b"%d" % number * 3000 for number in range(8)]
    for value in values:
        device.resources["long",] = value
        device.notify(b"observed")
        await asyncio.sleep(100)
    assert len(fetched) >= 5
    assert set(fetched) <= set(values)
    assert fetched == [value for value in values if value in fetched]
    await scene.close(device)


@virtual_time
async def test_value_that_changes_while_it_is_fetched_is_never_mixed(clock: VirtualClock) -> None:
    scene = _Scene()
    device, remote = scene.device(szx=2)
    loop = asyncio.get_running_loop()
    values = [bytes([number]) * 3000 for number in range(3)]
    for number, value in enumerate(values):
        loop.call_later(0.3 * number, device.resources.__setitem__, ("long",), value)
    slow = Impairment(delay_s=0.02)
    scene.network.uplink._impairment = slow
    outcomes = scene.ask(remote, READ_LONG)
    await until(lambda: outcomes, HOURS_S)
    (outcome,) = outcomes
    assert isinstance(outcome, Answered | Unusable)
    if isinstance(outcome, Answered):
        assert outcome.response.payload in values
    await scene.close(device)


@virtual_time
async def test_silent_device_does_not_hold_up_the_others(clock: VirtualClock) -> None:
    scene = _Scene()
    _, dead = scene.device()
    scene.network._connections[dead.address].is_silent = True
    _, alive = scene.device()
    lost, got = scene.ask(dead, READ_LONG), scene.ask(alive, READ_LONG)
    await asyncio.sleep(1)
    assert (lost, len(got)) == ([], 1)
    await asyncio.sleep(100)
    assert lost == [TimedOut(is_acknowledged=False)]
    await scene.close()
