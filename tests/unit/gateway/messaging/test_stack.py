"""The assembled stack: entrances for both transports, one message layer, one context."""

from __future__ import annotations

from aiocoap.numbers.codes import Code

from gateway.address import Address
from gateway.messaging.handling import Request, Response
from gateway.messaging.outcomes import Outcome, SessionGone
from gateway.messaging.stack import CoapStack
from tests.support.clock import VirtualClock, virtual_time
from tests.support.coap import CON, READ, EmptySite, Entropy, FakeSession, coap, path, summary

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
    outcomes: list[Outcome] = []
    stack.link.request(seen[0].remote, READ, outcomes.append)
    stack.end_session(session, "closed by the peer")
    assert outcomes == [SessionGone("closed by the peer", is_sent=True)]
    stack.end_session(FakeSession(2), "never sent anything")
    await stack.close()


@virtual_time
async def test_device_is_found_again_by_its_identity_or_its_address(clock: VirtualClock) -> None:
    stack, seen = _stack()
    session = FakeSession()
    stack.receive_plain(UPDATE, HOME)
    stack.receive_secure(session, UPDATE)
    plain, secure = (request.remote for request in seen)
    assert stack.find_remote(None, str(HOME)) == plain
    elsewhere = HOME._replace(host="192.0.2.2", local=b"eth1")
    stack.receive_plain(UPDATE, elsewhere)
    found = stack.find_remote(None, str(elsewhere))
    assert found is not None
    assert found.address == elsewhere, "the answer to a request must come where it was asked"
    assert stack.find_remote("urn:imei:1", "192.0.2.9:5684") is None, "before the transports are there"
    stack.routes.find_session = lambda identity: session if identity == b"urn:imei:1" else None
    assert stack.find_remote("urn:imei:1", "192.0.2.9:5684") is secure
    assert stack.find_remote("urn:imei:2", "192.0.2.9:5684") is None
    await stack.close()
