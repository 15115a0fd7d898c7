"""Answers: in the form that was wished for, in blocks where long, little to an address not proven."""

from __future__ import annotations

import asyncio

import pytest
from aiocoap import Message
from aiocoap.numbers.codes import Code

from gateway.messaging.handling import Response, respond
from gateway.messaging.pending import Pending
from tests.support.clock import VirtualClock, virtual_time
from tests.support.coap import (
    BLOCK2,
    CHANGED,
    CON,
    ECHO,
    NO_RESPONSE,
    NON,
    UPDATE,
    Bed,
    Script,
    Undecided,
    block,
    coap,
    path,
    read,
    summary,
)

LONG = respond(Code.CONTENT, payload=b"x" * 200)
GET = coap(CON, "0.01", 1, b"t", path("core"))


@virtual_time
async def test_no_response_suppresses_its_class_only(clock: VirtualClock) -> None:
    script = Script(CHANGED)
    peer = Bed(script).plain()
    success = [*path("rd"), (NO_RESPONSE, b"\x02")]
    (acknowledgement,) = peer.send(coap(CON, "0.02", 1, b"t", success))
    assert summary(acknowledgement) == ("ACK", "0.00", 1, b"")
    assert peer.send(coap(CON, "0.02", 1, b"t", success)) == [acknowledgement]
    assert peer.send(coap(NON, "0.02", 2, b"t", success)) == []
    (answer,) = peer.send(coap(CON, "0.02", 3, b"t", [*path("rd"), (NO_RESPONSE, b"\x18")]))
    assert summary(answer)[1] == "2.04"
    assert len(script.requests) == 3


@virtual_time
async def test_answer_may_suppress_itself(clock: VirtualClock) -> None:
    bed = Bed(Script(None))
    peer = bed.plain()
    peer.send(UPDATE)
    bed.answer(Message(code=Code.CHANGED, no_response=2))
    assert [summary(each)[:2] for each in peer.take()] == [("ACK", "0.00")]


@virtual_time
async def test_suppressed_answer_after_its_acknowledgement_stays_acknowledged(clock: VirtualClock) -> None:
    pending = Pending()
    peer = Bed(Script(lambda _: pending)).plain()
    datagram = coap(CON, "0.02", 1, b"t", [*path("rd"), (NO_RESPONSE, b"\x02")])
    peer.send(datagram)
    await asyncio.sleep(1)
    (acknowledgement,) = peer.take()
    pending.complete(CHANGED)
    assert peer.take() == []
    assert peer.send(datagram) == [acknowledgement]


@virtual_time
async def test_long_answer_is_cut_and_its_blocks_belong_together(clock: VirtualClock) -> None:
    payload = bytes(number % 251 for number in range(2500))
    peer = Bed(Script(respond(Code.CONTENT, payload=payload, content_format=40))).secure()
    received, etags, number = b"", set(), 0
    while True:
        option = [(BLOCK2, block(number, False, 6))] if number else []
        (answer,) = peer.send(coap(CON, "0.01", number, b"t", [*path("big"), *option]))
        message = read(answer)
        received += message.payload
        etags.add(message.opt.etag)
        assert (message.opt.size2, message.opt.content_format) == (2500, 40)
        if not message.opt.block2.more:
            break
        number += 1
    assert received == payload
    assert len(etags) == 1


@virtual_time
async def test_answer_to_any_request_is_cut_when_it_is_long(clock: VirtualClock) -> None:
    peer = Bed(Script(respond(Code.CONTENT, payload=bytes(1025)))).secure()
    (answer,) = peer.send(GET)
    assert (len(read(answer).payload), tuple(read(answer).opt.block2)) == (1024, (0, True, 6))
    assert peer.send(GET) == [answer]


@virtual_time
async def test_peer_may_ask_for_small_blocks(clock: VirtualClock) -> None:
    peer = Bed(Script(Response(Code.CONTENT, b"\x42v1\xff" + b"x" * 40))).plain()
    (answer,) = peer.send(coap(CON, "0.01", 1, b"t", [*path("core"), (BLOCK2, block(1, False, 0))]))
    message = read(answer)
    assert (message.payload, tuple(message.opt.block2), message.opt.etag) == (b"x" * 16, (1, True, 0), b"v1")


@pytest.mark.parametrize("option", [block(9, False, 0), block(2**20 - 1, False, 6), block(0, False, 7)])
@virtual_time
async def test_block_of_an_answer_that_is_not_there_is_4_00(clock: VirtualClock, option: bytes) -> None:
    bed = Bed(Script(respond(Code.CONTENT, payload=b"x" * 40)))
    (answer,) = bed.plain().send(coap(CON, "0.01", 1, b"t", [*path("core"), (BLOCK2, option)]))
    assert summary(answer)[1] == "4.00"
    assert bed.counters["rejected_block"] == 1


@virtual_time
async def test_error_is_not_cut(clock: VirtualClock) -> None:
    peer = Bed(Script(respond(Code.NOT_FOUND))).plain()
    (answer,) = peer.send(coap(CON, "0.01", 1, b"t", [*path("no"), (BLOCK2, block(0, False, 0))]))
    assert summary(answer)[1] == "4.04"
    assert read(answer).opt.block2 is None


@virtual_time
async def test_shared_answer_is_left_as_it_was(clock: VirtualClock) -> None:
    shared = Message(code=Code.CONTENT, payload=b"x" * 40, no_response=0)
    before = shared.opt.encode()
    bed = Bed(Script(None))
    peer = bed.secure()
    peer.send(coap(CON, "0.01", 1, b"t", [*path("a"), (BLOCK2, block(0, False, 0))]))
    bed.answer(shared)
    assert (shared.opt.encode(), shared.payload, shared.mid) == (before, b"x" * 40, None)


@virtual_time
async def test_long_answer_to_an_unproven_address_waits_for_an_echo(clock: VirtualClock) -> None:
    script = Script(LONG)
    bed = Bed(script)
    peer = bed.plain()
    (challenge,) = peer.send(GET)
    assert summary(challenge)[:2] == ("ACK", "4.01")
    assert len(challenge) <= 3 * len(GET)
    value = read(challenge).opt.echo
    (answer,) = peer.send(coap(CON, "0.01", 2, b"t", [*path("core"), (ECHO, value)]))
    assert summary(answer)[1] == "2.05"
    assert read(answer).payload == b"x" * 200
    assert bed.counters["challenged"] == 1


@pytest.mark.parametrize("length", [0, 1, 2, 3])
@virtual_time
async def test_answer_of_three_times_its_request_needs_no_echo(clock: VirtualClock, length: int) -> None:
    header, marker = 5, 1
    limit = 3 * len(GET) - header - marker
    (answer,) = Bed(Script(respond(Code.CONTENT, payload=b"x" * (limit - length)))).plain().send(GET)
    assert summary(answer)[1] == "2.05"
    (challenge,) = Bed(Script(respond(Code.CONTENT, payload=b"x" * (limit + 1)))).plain().send(GET)
    assert summary(challenge)[1] == "4.01"


@virtual_time
async def test_pending_answer_is_held_to_the_same_limit(clock: VirtualClock) -> None:
    pending = Pending()
    peer = Bed(Script(lambda _: pending)).plain()
    peer.send(GET)
    pending.complete(LONG)
    assert summary(peer.take()[0])[1] == "4.01"


@virtual_time
async def test_echo_of_another_peer_is_worth_nothing(clock: VirtualClock) -> None:
    bed = Bed(Script(LONG))
    value = read(bed.plain(1).send(GET)[0]).opt.echo
    (answer,) = bed.plain(2).send(coap(CON, "0.01", 2, b"t", [*path("core"), (ECHO, value)]))
    assert summary(answer)[1] == "4.01"


@virtual_time
async def test_F14_each_echo_asks_for_one_request_and_a_fresh_one_ends_it(clock: VirtualClock) -> None:
    bed = Bed(Script(LONG))
    peer = bed.plain()
    value = b"stale"
    codes = []
    for mid in range(1, 4):
        (answer,) = peer.send(coap(CON, "0.01", mid, b"t", [*path("core"), (ECHO, value)]))
        codes.append(summary(answer)[1])
        value = read(answer).opt.echo or value
    assert codes == ["4.01", "2.05", "2.05"], "whoever returns the value it was given gets through"
    clock.advance(1000)
    (answer,) = peer.send(coap(CON, "0.01", 9, b"t", [*path("core"), (ECHO, value)]))
    assert summary(answer)[1] == "4.01", "an old value is answered by a new one, once per request"
    assert peer.take() == []


@virtual_time
async def test_error_text_too_long_for_the_request_is_left_out(clock: VirtualClock) -> None:
    bed = Bed(Script(respond(Code.NOT_FOUND, payload=b"nothing of that name " * 10)))
    (answer,) = bed.plain().send(GET)
    assert summary(answer)[1] == "4.04"
    assert read(answer).payload == b""
    (answer,) = bed.secure().send(GET)
    assert len(read(answer).payload) == 210


@virtual_time
async def test_proven_peer_needs_no_echo(clock: VirtualClock) -> None:
    bed = Bed(Script(LONG))
    (answer,) = bed.secure().send(GET)
    assert len(read(answer).payload) == 200
    (answer,) = bed.secure().send(coap(CON, "0.01", 2, b"t", [*path("core"), (ECHO, b"anything")]))
    assert len(read(answer).payload) == 200


@virtual_time
async def test_separate_answers_beyond_the_limit_are_dropped(clock: VirtualClock) -> None:
    dispatch = Undecided()
    bed = Bed(dispatch, max_transmissions=1)
    peers = [bed.plain(port) for port in (1, 2)]
    for peer in peers:
        peer.send(UPDATE)
    await asyncio.sleep(0.5)
    for pending in dispatch.pending:
        pending.complete(CHANGED)
    assert [len(peer.take()) for peer in peers] == [2, 1]
    assert bed.counters["dropped_responses"] == 1
    await bed.layer.shutdown()
