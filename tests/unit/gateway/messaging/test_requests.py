"""Requests of peers: answered once, repeated alike, held to the limits, never a 5.00."""

from __future__ import annotations

import asyncio
import gc

import pytest
from aiocoap import Message
from aiocoap.numbers.codes import Code

from gateway.messaging.pending import Pending
from gateway.messaging.remote import SessionRemote
from tests.support.clock import VirtualClock, virtual_time
from tests.support.coap import (
    BLOCK1,
    CHANGED,
    CON,
    CREATED,
    NO_RESPONSE,
    NON,
    OBSERVE,
    PROXY_SCHEME,
    PROXY_URI,
    REQUEST_TAG,
    SIZE1,
    UPDATE,
    URI_HOST,
    URI_QUERY,
    Bed,
    Peer,
    Script,
    Undecided,
    block,
    coap,
    path,
    read,
    summary,
)


def _peer(bed: Bed, kind: str) -> Peer:
    return bed.plain() if kind == "plain" else bed.secure()


both = pytest.mark.parametrize("kind", ["plain", "secure"])


@both
@virtual_time
async def test_confirmable_request_is_answered_in_its_acknowledgement(clock: VirtualClock, kind: str) -> None:
    bed = Bed(Script(CREATED))
    (answer,) = _peer(bed, kind).send(UPDATE)
    assert summary(answer) == ("ACK", "2.01", 0x1234, b"token678")
    assert read(answer).opt.location_path == ("rd", "abc")


@virtual_time
async def test_non_confirmable_request_is_answered_likewise(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    (answer,) = peer.send(coap(NON, "0.02", 7, b"t", path("rd/abc")))
    kind, code, _, token = summary(answer)
    assert (kind, code, token) == ("NON", "2.04", b"t")
    assert peer.send(coap(NON, "0.02", 7, b"t", path("rd/abc"))) == [], "a repetition is passed over"
    assert bed.layer.transmissions == 0


@virtual_time
async def test_handler_gets_what_was_sent(clock: VirtualClock) -> None:
    script = Script(CHANGED)
    bed = Bed(script)
    peer = bed.plain(port=4711)
    peer.send(coap(CON, "0.02", 1, b"t", [*path("rd"), (URI_QUERY, b"ep=a"), (12, b"\x28")], b"</1/0>"))
    (request,) = script.requests
    assert (request.code, request.uri_path, request.uri_query) == (Code.POST, ["rd"], ["ep=a"])
    assert (request.content_format, request.payload) == (40, b"</1/0>")
    assert (request.remote.address.port, request.remote.identity) == (4711, None)


@both
@virtual_time
async def test_F1_repeated_request_has_one_effect_and_one_answer(clock: VirtualClock, kind: str) -> None:
    for answer in (CHANGED, CREATED):
        script = Script(answer)
        peer = _peer(Bed(script), kind)
        (first,) = peer.send(UPDATE)
        clock.advance(60)
        (second,) = peer.send(UPDATE)
        assert first == second
        assert len(script.requests) == 1


@both
@virtual_time
async def test_same_message_id_with_other_bytes_is_another_request(clock: VirtualClock, kind: str) -> None:
    script = Script(CHANGED)
    peer = _peer(Bed(script), kind)
    peer.send(coap(CON, "0.02", 1, b"a", path("rd/abc")))
    peer.send(coap(CON, "0.02", 1, b"b", path("rd/abc")))
    assert len(script.requests) == 2


@both
@virtual_time
async def test_same_bytes_after_the_lifetime_are_another_request(clock: VirtualClock, kind: str) -> None:
    script = Script(CHANGED)
    peer = _peer(Bed(script), kind)
    peer.send(UPDATE)
    clock.advance(300)
    assert len(peer.send(UPDATE)) == 1
    assert len(script.requests) == 2


@virtual_time
async def test_same_bytes_from_another_peer_are_another_request(clock: VirtualClock) -> None:
    script = Script(CHANGED)
    bed = Bed(script)
    for peer in (bed.plain(1), bed.plain(2), bed.secure(1), bed.secure(2)):
        assert len(peer.send(UPDATE)) == 1
    assert len(script.requests) == 4


@both
@virtual_time
async def test_F1_repetitions_of_a_pending_request_are_absorbed(clock: VirtualClock, kind: str) -> None:
    pending = Pending()
    script = Script(lambda _: pending)
    bed = Bed(script)
    peer = _peer(bed, kind)
    assert peer.send(UPDATE) == []
    assert peer.send(UPDATE) == []
    assert bed.layer.open_exchanges == 1
    pending.complete(CREATED)
    (answer,) = peer.take()
    assert summary(answer) == ("ACK", "2.01", 0x1234, b"token678")
    assert peer.send(UPDATE) == [answer]
    assert len(script.requests) == 1
    assert bed.layer.open_exchanges == 0


@virtual_time
async def test_pending_completed_before_it_is_returned_is_answered_at_once(clock: VirtualClock) -> None:
    def dispatch(_: Message) -> Pending:
        pending = Pending()
        pending.complete(CHANGED)
        return pending

    assert summary(Bed(dispatch).plain().send(UPDATE)[0])[1] == "2.04"


@both
@virtual_time
async def test_slow_answer_follows_an_empty_acknowledgement(clock: VirtualClock, kind: str) -> None:
    pending = Pending()
    bed = Bed(Script(lambda _: pending))
    peer = _peer(bed, kind)
    peer.send(UPDATE)
    await asyncio.sleep(0.09)
    assert peer.take() == []
    await asyncio.sleep(0.13)
    assert [summary(each) for each in peer.take()] == [("ACK", "0.00", 0x1234, b"")]
    assert [summary(each) for each in peer.send(UPDATE)] == [("ACK", "0.00", 0x1234, b"")]
    pending.complete(CREATED)
    (answer,) = peer.take()
    answer_type, code, mid, token = summary(answer)
    assert (answer_type, code, token) == ("CON", "2.01", b"token678")
    await asyncio.sleep(3.5)
    assert peer.take() == [answer], "not acknowledged, so repeated"
    assert peer.send(coap(2, "0.00", mid)) == []
    await asyncio.sleep(100)
    assert peer.take() == []
    assert bed.layer.transmissions == 0


@virtual_time
async def test_slow_answer_to_a_non_confirmable_request_comes_alone(
    clock: VirtualClock,
) -> None:
    pending = Pending()
    peer = Bed(Script(lambda _: pending)).plain()
    peer.send(coap(NON, "0.02", 7, b"t", path("rd")))
    await asyncio.sleep(1)
    assert peer.take() == []
    pending.complete(CHANGED)
    assert summary(peer.take()[0])[:2] == ("NON", "2.04")


@virtual_time
async def test_one_timer_serves_all_slow_requests_and_stops(clock: VirtualClock) -> None:
    dispatch = Undecided()
    bed = Bed(dispatch)
    peers = [bed.plain(port) for port in range(50)]
    for peer in peers:
        peer.send(UPDATE)
    await asyncio.sleep(0.25)
    assert all(len(peer.take()) == 1 for peer in peers)
    for pending in dispatch.pending[:25]:
        pending.complete(CHANGED)
    assert bed.counters["separate"] == 50
    loop = asyncio.get_running_loop()
    scheduled = [handle for handle in loop._scheduled if not handle.cancelled()]
    assert len(scheduled) == 25, "the retransmissions of the 25 answers, and no sweep"
    await bed.layer.shutdown()


@virtual_time
async def test_answer_to_a_peer_that_left_is_dropped(clock: VirtualClock) -> None:
    pending = Pending()
    bed = Bed(Script(lambda _: pending))
    peer = bed.secure()
    peer.send(UPDATE)
    assert isinstance(peer.remote, SessionRemote)
    bed.layer.end_session(peer.remote, "closed by the peer")
    pending.complete(CHANGED)
    assert peer.take() == []
    assert bed.counters["dropped_responses"] == 1
    assert bed.layer.open_exchanges == 0


@virtual_time
async def test_request_that_never_gets_an_answer_is_given_up(clock: VirtualClock) -> None:
    pending = Pending()
    bed = Bed(Script(lambda request: pending if request.uri_path == ["rd"] else CHANGED))
    peer = bed.plain()
    peer.send(coap(CON, "0.02", 1, b"t", path("rd")))
    await asyncio.sleep(300)
    peer.send(UPDATE)
    assert (bed.layer.open_exchanges, bed.counters["expired"]) == (0, 1)
    peer.take()
    pending.complete(CHANGED)
    assert peer.take() == []


@virtual_time
async def test_younger_requests_are_not_given_up_with_an_old_one(clock: VirtualClock) -> None:
    bed = Bed(Undecided())
    bed.plain(1).send(UPDATE)
    await asyncio.sleep(200)
    bed.plain(2).send(UPDATE)
    await asyncio.sleep(100)
    bed.plain(3).send(UPDATE)
    assert (bed.layer.open_exchanges, bed.counters["expired"]) == (2, 1)
    await bed.layer.shutdown()


@virtual_time
async def test_too_many_open_requests_are_told_to_come_back(clock: VirtualClock) -> None:
    dispatch = Undecided()
    bed = Bed(dispatch, max_open_exchanges=2)
    assert [bed.plain(port).send(UPDATE) for port in (1, 2)] == [[], []]
    peer = bed.plain(3)
    (answer,) = peer.send(UPDATE)
    assert summary(answer) == ("ACK", "5.03", 0x1234, b"token678")
    assert read(answer).opt.max_age == 5
    (refused,) = peer.send(coap(CON, "0.02", 1, b"t", [*path("rd"), (NO_RESPONSE, b"")]))
    assert summary(refused)[1] == "5.03"
    assert bed.counters["rejected_busy"] == 2
    dispatch.pending[0].complete(CHANGED)
    assert peer.send(UPDATE) == [], "the same request is taken up when there is room"
    await bed.layer.shutdown()


# --- options


@pytest.mark.parametrize("number", [9, 1, 5, 65001])
@virtual_time
async def test_F4_unknown_critical_option_is_4_02_when_confirmable(clock: VirtualClock, number: int) -> None:
    script = Script(CHANGED)
    peer = Bed(script).plain()
    datagram = coap(CON, "0.02", 5, b"t", [*path("rd"), (number, b"x")])
    (answer,) = peer.send(datagram)
    assert summary(answer) == ("ACK", "4.02", 5, b"t")
    assert read(answer).payload.decode() == f"option {number}"
    assert peer.send(datagram) == [answer]
    assert script.requests == []


@virtual_time
async def test_F4_unknown_critical_option_is_silence_when_not_confirmable(clock: VirtualClock) -> None:
    script = Script(CHANGED)
    bed = Bed(script)
    assert bed.plain().send(coap(NON, "0.02", 5, b"t", [(65001, b"x")])) == []
    assert script.requests == []
    assert bed.counters["rejected_option"] == 1


@virtual_time
async def test_unknown_elective_option_is_ignored(clock: VirtualClock) -> None:
    (answer,) = Bed().plain().send(coap(CON, "0.02", 5, b"t", [*path("rd"), (65000, b"x")]))
    assert summary(answer)[1] == "2.04"


@pytest.mark.parametrize("option", [(PROXY_URI, b"coap://[2001:db8::1]/"), (PROXY_SCHEME, b"http")])
@virtual_time
async def test_F11_proxy_request_is_5_05(clock: VirtualClock, option: tuple[int, bytes]) -> None:
    script = Script(CHANGED)
    bed = Bed(script)
    (answer,) = bed.plain().send(coap(CON, "0.02", 5, b"t", [*path("rd"), option]))
    assert summary(answer)[1] == "5.05"
    assert read(answer).payload == b""
    assert script.requests == []
    assert bed.counters["rejected_proxy"] == 1


@pytest.mark.parametrize("method", ["0.08", "0.31"])
@virtual_time
async def test_unknown_method_is_4_05(clock: VirtualClock, method: str) -> None:
    script = Script(CHANGED)
    (answer,) = Bed(script).plain().send(coap(CON, method, 5, b"t", path("rd")))
    assert summary(answer)[1] == "4.05"
    assert script.requests == []


# --- blocks


@virtual_time
async def test_body_in_blocks_reaches_the_handler_whole(clock: VirtualClock) -> None:
    script = Script(CREATED)
    peer = Bed(script).plain()
    body = bytes(range(150))
    options = [*path("rd"), (URI_QUERY, b"ep=a"), (12, b"\x28")]
    answers = []
    for number in range(3):
        more = number < 2
        piece = body[64 * number : 64 * number + 64]
        block1 = [(BLOCK1, block(number, more, 2)), (SIZE1, b"\x96")]
        answers += peer.send(coap(CON, "0.02", number, b"t%d" % number, [*options, *block1], piece))
    assert [summary(each)[:2] for each in answers] == [("ACK", "2.31"), ("ACK", "2.31"), ("ACK", "2.01")]
    assert [tuple(read(each).opt.block1) for each in answers] == [(0, True, 2), (1, True, 2), (2, False, 2)]
    assert read(answers[2]).opt.location_path == ("rd", "abc")
    (request,) = script.requests
    assert request.payload == body
    assert (request.uri_query, request.content_format) == (["ep=a"], 40)


@virtual_time
async def test_F1_repeated_block_is_counted_once(clock: VirtualClock) -> None:
    script = Script(CHANGED)
    peer = Bed(script).plain()
    first = coap(CON, "0.02", 1, b"t", [*path("rd"), (BLOCK1, block(0, True, 0))], b"a" * 16)
    last = coap(CON, "0.02", 2, b"t", [*path("rd"), (BLOCK1, block(1, False, 0))], b"b")
    assert peer.send(first) == peer.send(first)
    assert peer.send(last) == peer.send(last)
    assert [request.payload for request in script.requests] == [b"a" * 16 + b"b"]


@pytest.mark.parametrize(
    ("option", "payload", "code"),
    [
        pytest.param(block(2, False, 0), b"x", "4.08", id="gap"),
        pytest.param(block(2**20 - 1, False, 6), b"x", "4.08", id="last-number"),
        pytest.param(block(0, True, 7), b"x" * 1024, "4.00", id="szx-7"),
        pytest.param(block(1, True, 0), b"x" * 17, "4.00", id="size-lie"),
    ],
)
@virtual_time
async def test_F5_bad_block_has_its_code(
    clock: VirtualClock, option: bytes, payload: bytes, code: str
) -> None:
    script = Script(CHANGED)
    bed = Bed(script)
    peer = bed.plain()
    peer.send(coap(CON, "0.02", 1, b"t", [*path("rd"), (BLOCK1, block(0, True, 0))], b"a" * 16))
    (answer,) = peer.send(coap(CON, "0.02", 2, b"t", [*path("rd"), (BLOCK1, option)], payload))
    assert summary(answer)[1] == code
    assert read(answer).opt.block1.more is False
    assert script.requests == []
    assert bed.counters["rejected_block"] == 1


@virtual_time
async def test_F5_body_beyond_the_limit_is_4_13_with_the_limit(clock: VirtualClock) -> None:
    peer = Bed(max_body_bytes=32).plain()
    options = [*path("rd"), (SIZE1, b"\x01")]
    codes = []
    for number in range(3):
        block1 = (BLOCK1, block(number, True, 0))
        (answer,) = peer.send(coap(CON, "0.02", number, b"t", [*options, block1], b"x" * 16))
        codes.append(summary(answer)[1])
    assert codes == ["2.31", "2.31", "4.13"]
    assert read(answer).opt.size1 == 32


@virtual_time
async def test_F6_blocks_of_two_clients_are_kept_apart(clock: VirtualClock) -> None:
    script = Script(CHANGED)
    bed = Bed(script)
    peers = [bed.plain(1), bed.plain(2), bed.secure(1), bed.secure(2)]
    for index, peer in enumerate(peers):
        peer.send(coap(CON, "0.02", 1, b"t", [*path("rd"), (BLOCK1, block(0, True, 0))], b"%d" % index * 16))
    for peer in peers:
        peer.send(coap(CON, "0.02", 2, b"t", [*path("rd"), (BLOCK1, block(1, False, 0))], b"!"))
    assert [request.payload for request in script.requests] == [b"%d" % each * 16 + b"!" for each in range(4)]


@virtual_time
async def test_F6_request_tag_keeps_two_transfers_apart(clock: VirtualClock) -> None:
    script = Script(CHANGED)
    peer = Bed(script).plain()
    for mid, tag in enumerate((b"a", b"b")):
        options = [*path("rd"), (REQUEST_TAG, tag), (BLOCK1, block(0, True, 0))]
        peer.send(coap(CON, "0.02", mid, b"t", options, tag * 16))
    options = [*path("rd"), (REQUEST_TAG, b"a"), (BLOCK1, block(1, False, 0))]
    peer.send(coap(CON, "0.02", 9, b"t", options, b"!"))
    assert [request.payload for request in script.requests] == [b"a" * 16 + b"!"]


@virtual_time
async def test_overdue_blocks_are_dropped_by_later_requests(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    peer.send(coap(CON, "0.02", 1, b"t", [*path("rd"), (BLOCK1, block(0, True, 0))], b"a" * 16))
    clock.advance(120)
    bed.plain(2).send(UPDATE)
    (answer,) = peer.send(coap(CON, "0.02", 2, b"t", [*path("rd"), (BLOCK1, block(1, False, 0))], b"b"))
    assert summary(answer)[1] == "4.08"


# --- resources


@virtual_time
async def test_request_the_handler_leaves_goes_to_the_resources(clock: VirtualClock) -> None:
    bed = Bed(Script(None))
    peer = bed.plain()
    options = [*path("x"), (URI_HOST, b"[bad"), (7, b"\x16\x33"), (OBSERVE, b"")]
    assert peer.send(coap(CON, "0.01", 5, b"t", options)) == []
    (request,) = bed.tokens.requests
    assert (request.opt.uri_host, request.opt.uri_port) == (None, None)
    answer = Message(code=Code.CONTENT, payload=b"x")
    answer.remote, answer.token = request.remote, request.token
    assert bed.layer.send_message(answer, lambda: None) is None
    assert [summary(each) for each in peer.take()] == [("ACK", "2.05", 5, b"t")]
    bed.layer.send_message(answer, lambda: None)
    assert peer.take() == [], "answered once"
    assert bed.counters["dropped_responses"] == 1


@virtual_time
async def test_new_request_with_the_token_of_an_open_one_replaces_it(clock: VirtualClock) -> None:
    bed = Bed(Script(None))
    peer = bed.plain()
    peer.send(coap(CON, "0.01", 5, b"t", path("x")))
    assert [summary(each) for each in peer.send(coap(CON, "0.01", 6, b"t", path("y")))] == [
        ("ACK", "0.00", 5, b"")
    ]
    bed.answer(Message(code=Code.CONTENT))
    assert [summary(each) for each in peer.take()] == [("ACK", "2.05", 6, b"t")]
    assert bed.layer.open_exchanges == 0


@virtual_time
async def test_resources_get_at_most_half_of_the_open_requests(clock: VirtualClock) -> None:
    bed = Bed(Script(None), max_open_exchanges=4)
    for port in (1, 2):
        bed.plain(port).send(UPDATE)
    (answer,) = bed.plain(3).send(UPDATE)
    assert summary(answer)[1] == "5.03"
    assert bed.layer.open_exchanges == 2
    await bed.layer.shutdown()


@virtual_time
async def test_session_that_ends_takes_its_open_requests_along(clock: VirtualClock) -> None:
    bed = Bed(Script(None))
    peer, other = bed.secure(1), bed.secure(2)
    for each in (peer, other):
        each.send(UPDATE)
    assert isinstance(peer.remote, SessionRemote)
    bed.layer.end_session(peer.remote, "closed by the peer")
    assert bed.layer.open_exchanges == 1
    assert [remote for _, remote in bed.tokens.errors] == [peer.remote]
    await asyncio.sleep(1)
    assert peer.take() == []
    await bed.layer.shutdown()


# --- our own errors, and what is kept


@pytest.mark.parametrize("message_type", [CON, NON])
@virtual_time
async def test_error_of_ours_is_5_00_without_a_word(clock: VirtualClock, message_type: int) -> None:
    def dispatch(_: Message) -> Message:
        raise KeyError("a bug of ours, with a secret in its text")

    bed = Bed(dispatch)
    peer = bed.plain()
    datagram = coap(message_type, "0.02", 5, b"t", path("rd"))
    (answer,) = peer.send(datagram)
    assert summary(answer)[1] == "5.00"
    assert len(answer) == 5
    assert bed.counters["failures"] == 1
    peer.send(datagram)
    assert bed.counters["failures"] == 1, "its repetition does not run into it again"


@virtual_time
async def test_error_of_ours_with_unusual_options_is_5_00_too(clock: VirtualClock) -> None:
    def dispatch(_: Message) -> Message:
        raise KeyError("a bug of ours")

    bed = Bed(dispatch)
    peer = bed.plain()
    datagram = coap(CON, "0.02", 5, b"t", [*path("rd"), (NO_RESPONSE, b"")])
    (answer,) = peer.send(datagram)
    assert summary(answer)[1] == "5.00"
    assert peer.send(datagram) == [answer]


@virtual_time
async def test_error_of_ours_in_the_resources_closes_the_exchange(clock: VirtualClock) -> None:
    bed = Bed(Script(None))

    def process_request(_: Message) -> None:
        raise KeyError("a bug of ours")

    bed.tokens.process_request = process_request
    (answer,) = bed.plain().send(UPDATE)
    assert summary(answer)[1] == "5.00"
    assert bed.layer.open_exchanges == 0


@virtual_time
async def test_thousand_answered_requests_leave_no_object_behind(clock: VirtualClock) -> None:
    peer = Bed(lambda _: CREATED).plain()
    peer.send(UPDATE)
    gc.collect()
    before = len(gc.get_objects())
    for mid in range(1000):
        peer.send(coap(CON, "0.02", mid, b"u", path("rd/abc")))
    gc.collect()
    assert len(gc.get_objects()) - before < 20


@virtual_time
async def test_malformed_requests_leave_nothing_behind(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    for mid in range(100):
        assert summary(peer.send(coap(CON, "0.02", mid, b"t") + b"\xff")[0]) == ("RST", "0.00", mid, b"")
    assert len(bed.layer._memory) == 0
    assert bed.counters == {"dropped_malformed": 100}


@virtual_time
async def test_closed_layer_answers_nothing_that_was_open(clock: VirtualClock) -> None:
    pending = Pending()
    bed = Bed(Script(lambda _: pending))
    peer = bed.plain()
    peer.send(UPDATE)
    await bed.layer.shutdown()
    await asyncio.sleep(1)
    pending.complete(CHANGED)
    assert peer.take() == []
