"""The assembled stack: entrances for both transports, one message layer, one context."""

from __future__ import annotations

import asyncio

import pytest
from aiocoap import Message
from aiocoap.error import NetworkError, NoRequestInterface
from aiocoap.numbers.codes import Code

from gateway.address import Address
from gateway.messaging.handling import Request, Response
from gateway.messaging.stack import CoapStack
from tests.support.clock import VirtualClock, virtual_time
from tests.support.coap import CON, EmptySite, Entropy, FakeSession, coap, path, summary

HOME = Address("192.0.2.1", 5683)
UPDATE = coap(CON, "0.02", 1, b"t", path("rd/abc"))


def _stack() -> tuple[CoapStack, list[Request]]:
    seen: list[Request] = []

    def dispatch(request: Request) -> Response:
        seen.append(request)
        return Response(Code.CHANGED)

    return CoapStack(EmptySite(), dispatch, entropy=Entropy()), seen


@virtual_time
async def test_plain_and_secure_peers_are_answered_the_way_they_came(clock: VirtualClock) -> None:
    stack, seen = _stack()
    plain: list[tuple[bytes, Address]] = []
    secure: list[tuple[object, bytes]] = []
    stack.receive_plain(UPDATE, HOME)
    assert len(seen) == 1, "before the transports are there, answers go nowhere"
    stack.routes.plain = lambda data, address: plain.append((data, address))
    stack.routes.secure = lambda session, data: secure.append((session, data))
    stack.receive_plain(UPDATE[:-1] + b"d", HOME)
    session = FakeSession()
    stack.receive_secure(session, UPDATE)
    assert [(summary(data)[1], address) for data, address in plain] == [("2.04", HOME)]
    assert [(whose, summary(data)[1]) for whose, data in secure] == [(session, "2.04")]
    assert [request.remote.identity for request in seen] == [None, None, "urn:imei:1"]
    await stack.close()


@virtual_time
async def test_request_to_a_session_fails_when_it_ends(clock: VirtualClock) -> None:
    stack, seen = _stack()
    session = FakeSession()
    stack.receive_secure(session, UPDATE)
    request = Message(code=Code.GET, uri_path=("3",))
    request.remote = seen[0].remote
    response = stack.context.request(request, handle_blockwise=False).response
    await asyncio.sleep(1)
    stack.end_session(session, "closed by the peer")
    with pytest.raises(NetworkError):
        await response
    stack.end_session(FakeSession(2), "never sent anything")
    await stack.close()


@virtual_time
async def test_gateway_calls_nobody_by_name(clock: VirtualClock) -> None:
    stack, _ = _stack()
    with pytest.raises(NoRequestInterface):
        await stack.context.request(Message(code=Code.GET, uri="coap://192.0.2.1/3")).response
    await stack.close()
