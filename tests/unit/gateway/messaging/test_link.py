"""What is asked of devices: one outcome each, from where the question went, within limits."""

from __future__ import annotations

import asyncio

import pytest

from gateway.lwm2m.answers import Response
from gateway.lwm2m.requests import Method, Request
from gateway.messaging.link import MAX_LATE, Notification
from gateway.messaging.outcomes import Answered, SessionGone, TimedOut, Unsent, Unusable
from tests.support.clock import VirtualClock, virtual_time
from tests.support.coap import (
    ACK,
    BLOCK1,
    BLOCK2,
    CANCELLATION,
    CON,
    CONTENT_FORMAT,
    NON,
    OBSERVATION,
    OBSERVE,
    RST,
    Bed,
    Peer,
    block,
    coap,
    notify,
    read,
    summary,
)

VALUE = [(CONTENT_FORMAT, b"\x70")]


def _answer(peer: Peer, code: str = "2.05", payload: bytes = b"x") -> None:
    """Answer the latest request in its acknowledgement."""
    request = read(peer.take()[-1])
    peer.give(coap(ACK, code, request.mid, request.token, VALUE, payload))


@virtual_time
async def test_request_is_confirmable_and_its_piggybacked_answer_ends_it(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    asked = bed.ask(peer, Request(Method.GET, ("3", "0"), ("pmin=1",), accept=112))
    message = read(peer.received[0])
    assert (str(message.mtype), message.code.dotted, len(message.token)) == ("CON", "0.01", 8)
    assert (message.opt.uri_path, message.opt.uri_query, message.opt.accept) == (("3", "0"), ("pmin=1",), 112)
    assert asked.asking.is_sent
    _answer(peer)
    assert asked.outcome == Answered(Response("2.05", 112, b"x"))
    await asyncio.sleep(200)
    assert peer.take() == []
    assert (bed.layer.transmissions, len(bed.layer.link)) == (0, 0)


@virtual_time
async def test_outcome_of_one_request_may_lead_to_the_next(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    later = []
    bed.layer.link.request(peer.remote, OBSERVATION, lambda _: later.append(bed.ask(peer)))
    _answer(peer)
    _answer(peer, "4.04")
    assert later[0].outcome.response.code == "4.04"


@virtual_time
async def test_tokens_are_drawn_anew_for_each_request(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    tokens = set()
    for _ in range(20):
        bed.ask(peer)
        tokens.add(read(peer.received[0]).token)
        _answer(peer)
    assert len(tokens) == 20
    assert all(len(token) == 8 for token in tokens)


@virtual_time
async def test_requests_to_a_device_wait_for_each_other_not_for_other_devices(clock: VirtualClock) -> None:
    bed = Bed()
    one, other = bed.plain(1), bed.plain(2)
    first, second, third = bed.ask(one), bed.ask(one), bed.ask(other)
    assert (len(one.received), len(other.received)) == (1, 1)
    assert (first.asking.is_sent, second.asking.is_sent) == (True, False)
    _answer(one)
    assert len(one.received) == 1
    _answer(other)
    _answer(one)
    assert [len(each.outcomes) for each in (first, second, third)] == [1, 1, 1]


@virtual_time
async def test_silence_is_a_timeout_after_the_retransmissions(clock: VirtualClock) -> None:
    bed = Bed(downlink={"ack_timeout_s": 10.0, "max_retransmit": 2}, ack_random_factor=1.0)
    peer = bed.plain()
    first, second = bed.ask(peer), bed.ask(peer)
    await asyncio.sleep(69)
    assert first.outcomes == []
    await asyncio.sleep(2)
    assert first.outcome == TimedOut(is_acknowledged=False)
    assert second.outcome == Unsent("the device left an earlier request unanswered")
    assert len(set(peer.take())) == 1
    assert (bed.layer.transmissions, len(bed.layer.link)) == (0, 0)


@virtual_time
async def test_acknowledged_request_waits_for_its_separate_answer_and_not_for_ever(
    clock: VirtualClock,
) -> None:
    bed = Bed()
    peer = bed.plain()
    asked = bed.ask(peer)
    peer.give(coap(ACK, "0.00", read(peer.take()[0]).mid))
    assert asked.asking.is_sent
    await asyncio.sleep(59)
    assert asked.outcomes == []
    assert peer.take() == [], "not repeated"
    await asyncio.sleep(2)
    assert asked.outcome == TimedOut(is_acknowledged=True)
    assert len(bed.layer.link) == 0


@virtual_time
async def test_next_request_leaves_when_the_one_before_is_acknowledged(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    first, second = bed.ask(peer), bed.ask(peer)
    request = read(peer.take()[0])
    peer.give(coap(ACK, "0.00", request.mid))
    _answer(peer)
    assert (first.outcomes, len(second.outcomes)) == ([], 1)
    peer.give(coap(NON, "2.04", 900, request.token))
    assert first.outcome == Answered(Response("2.04"))


@virtual_time
async def test_answer_that_overtakes_the_acknowledgement_ends_the_repetitions(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    asked = bed.ask(peer)
    request = read(peer.take()[0])
    assert [summary(each)[0] for each in peer.send(coap(CON, "2.05", 900, request.token))] == ["ACK"]
    assert len(asked.outcomes) == 1
    peer.give(coap(ACK, "0.00", request.mid))
    await asyncio.sleep(100)
    assert peer.take() == []


@virtual_time
async def test_late_answer_is_acknowledged_and_dropped(clock: VirtualClock) -> None:
    bed = Bed()
    peer, stranger = bed.plain(), bed.plain(2)
    tokens = []
    timed_out = bed.ask(peer)
    tokens.append(read(peer.take()[0]).token)
    await asyncio.sleep(100)
    assert timed_out.outcome == TimedOut(is_acknowledged=False)
    cancelled = bed.ask(peer)
    tokens.append(read(peer.take()[-1]).token)
    cancelled.asking.cancel()
    for mid, token in enumerate(tokens):
        assert [summary(each)[0] for each in stranger.send(coap(CON, "2.05", mid, token))] == ["RST"]
        assert [summary(each)[0] for each in peer.send(coap(CON, "2.05", mid, token))] == ["ACK"]
        assert [summary(each)[0] for each in peer.send(notify(CON, 50 + mid, token, 1))] == ["RST"]
    assert cancelled.outcomes == []
    assert len(timed_out.outcomes) == 1


@virtual_time
async def test_late_answers_are_remembered_within_a_limit(clock: VirtualClock) -> None:
    bed = Bed()
    for port in range(MAX_LATE + 1):
        bed.ask(bed.plain(port)).asking.cancel()
    assert len(bed.layer.link._late) == MAX_LATE


@virtual_time
async def test_cancelled_request_lets_the_next_one_go_and_is_harmless_afterwards(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    first, second = bed.ask(peer), bed.ask(peer)
    peer.take()
    first.asking.cancel()
    _answer(peer)
    second.asking.cancel()
    first.asking.cancel()
    await asyncio.sleep(200)
    assert (first.outcomes, len(second.outcomes)) == ([], 1)


# --- whose answer it is


@virtual_time
async def test_answer_from_elsewhere_is_rejected(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.secure(1)
    asked = bed.ask(peer)
    request = read(peer.received[0])
    strangers = [bed.plain(), bed.plain(5684, "192.0.2.9"), bed.secure(2), bed.secure(3, b"urn:imei:2")]
    for stranger in strangers:
        stranger.give(coap(ACK, "2.05", request.mid, request.token))
        stranger.give(coap(ACK, "0.00", request.mid))
        stranger.give(coap(RST, "0.00", request.mid))
        forged = coap(CON, "2.05", 900, request.token)
        assert [summary(each)[0] for each in stranger.send(forged)] == ["RST"]
    assert (asked.outcomes, bed.layer.transmissions) == ([], 1)
    _answer(peer)
    assert len(asked.outcomes) == 1


@virtual_time
async def test_acknowledgement_of_another_message_with_our_token_is_no_answer(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    asked = bed.ask(peer)
    request = read(peer.received[0])
    peer.give(coap(ACK, "2.05", request.mid + 1 & 0xFFFF, request.token))
    peer.give(coap(ACK, "2.05", request.mid, b"another"))
    assert asked.outcomes == []
    assert bed.layer.transmissions == 1
    await bed.layer.shutdown()


@virtual_time
async def test_answer_to_a_request_that_has_not_left_is_none(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    bed.ask(peer)
    waiting = bed.ask(peer, CANCELLATION, token=b"observed")
    mid = waiting.asking.transmission.mid
    peer.give(coap(ACK, "2.05", mid, b"observed"))
    peer.give(coap(NON, "4.04", 7, b"observed"))
    assert waiting.outcomes == []
    await bed.layer.shutdown()


# --- observations


@virtual_time
async def test_observation_has_the_token_it_was_given(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    asked = bed.ask(peer, OBSERVATION, token=b"observed")
    request = read(peer.take()[0])
    assert (request.token, request.opt.observe) == (b"observed", 0)
    peer.give(notify(ACK, request.mid, b"observed", 9))
    assert asked.outcome == Answered(Response("2.05", None, b"x", has_observe=True), 9)


@pytest.mark.parametrize("request_", [OBSERVATION, CANCELLATION])
@virtual_time
async def test_notification_that_crosses_a_request_is_not_its_answer(
    clock: VirtualClock, request_: Request
) -> None:
    bed = Bed()
    peer = bed.plain()
    seen: list[Notification] = []
    bed.layer.link.on_notification = lambda _remote, _token, notification: not seen.append(notification)
    asked = bed.ask(peer, request_, token=b"observed")
    request = read(peer.take()[0])
    assert [summary(each)[0] for each in peer.send(notify(CON, 900, b"observed", 1))] == ["ACK"]
    assert (asked.outcomes, len(seen)) == ([], 1)
    peer.give(coap(ACK, "2.05", request.mid, b"observed", payload=b"last"))
    assert asked.outcome == Answered(Response("2.05", None, b"last"))
    assert len(seen) == 1


@virtual_time
async def test_separate_answer_to_an_observation_may_carry_the_option(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    asked = bed.ask(peer, OBSERVATION, token=b"observed")
    peer.give(coap(ACK, "0.00", read(peer.take()[0]).mid))
    assert [summary(each)[0] for each in peer.send(notify(CON, 900, b"observed", 3))] == ["ACK"]
    assert asked.outcome.sequence == 3


@virtual_time
async def test_two_requests_concerning_one_observation_do_not_meet(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    bed.ask(peer, OBSERVATION, token=b"observed")
    second = bed.ask(peer, CANCELLATION, token=b"observed")
    assert second.outcomes == [], "never told before the call has returned"
    await asyncio.sleep(0)
    assert second.outcome == Unsent("another request concerning this observation waits for its answer")
    assert not second.asking.is_sent
    await bed.layer.shutdown()


@virtual_time
async def test_rest_of_a_long_notification_is_fetched_without_observing_again(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    seen: list[Notification] = []
    bed.layer.link.on_notification = lambda _remote, _token, notification: not seen.append(notification)

    def first_block(mid: int) -> bytes:
        options = [(OBSERVE, b"\x07"), (4, b"tag"), (BLOCK2, block(0, True, 2)), *VALUE]
        return coap(NON, "2.05", mid, b"observed", options, bytes(64))

    peer.give(first_block(1))
    (notification,) = seen
    outcomes: list[object] = []
    asking = bed.layer.link.fetch_rest(peer.remote, OBSERVATION, b"observed", notification, outcomes.append)
    request = read(peer.take()[0])
    assert request.token != b"observed"
    assert (request.opt.observe, tuple(request.opt.block2)) == (None, (1, False, 2))
    assert [summary(each)[0] for each in peer.send(first_block(2))] == []
    assert len(seen) == 1, "while its rest is fetched, other long ones are passed over"
    options = [(4, b"tag"), (BLOCK2, block(1, False, 2)), *VALUE]
    peer.give(coap(ACK, "2.05", request.mid, request.token, options, b"end"))
    assert outcomes == [Answered(Response("2.05", 112, bytes(64) + b"end", has_observe=True), 7)]
    assert asking.is_sent
    peer.give(first_block(3))
    assert len(seen) == 2


@virtual_time
async def test_rest_that_cannot_be_asked_for_is_said_so(clock: VirtualClock) -> None:
    bed = Bed(downlink={"max_requests": 1})
    peer = bed.plain()
    seen: list[Notification] = []
    bed.layer.link.on_notification = lambda _remote, _token, notification: not seen.append(notification)
    for mid, piece in ((1, bytes(64)), (2, b"short")):
        options = [(OBSERVE, b"\x07"), (BLOCK2, block(0, True, 2))]
        peer.give(coap(NON, "2.05", mid, b"observed", options, piece))
    bed.ask(peer)
    outcomes: list[object] = []
    for notification in seen:
        bed.layer.link.fetch_rest(peer.remote, OBSERVATION, b"observed", notification, outcomes.append)
    await asyncio.sleep(0)
    assert outcomes == [
        Unsent("too many requests are waiting for answers"),
        Unusable("block 0 is not of the size it tells"),
    ]
    await bed.layer.shutdown()


# --- blocks


class _Blockwise:
    """A device that takes a body, and answers with one, block by block."""

    def __init__(self, bed: Bed, peer: Peer, answer: bytes = b"", szx: int = 6) -> None:
        self.peer = peer
        self.body = b""
        self.answer = answer
        self.szx = szx
        self.tokens: list[bytes] = []

    def run(self) -> None:
        """Answer until nothing more is asked."""
        while datagrams := self.peer.take():
            (datagram,) = datagrams
            request = read(datagram)
            self.tokens.append(request.token)
            code, options, payload = self._reply(request)
            self.peer.give(coap(ACK, code, request.mid, request.token, options, payload))

    def _reply(self, request) -> tuple[str, list[tuple[int, bytes]], bytes]:
        options: list[tuple[int, bytes]] = []
        if request.opt.block1:
            number, more, _ = request.opt.block1
            if number == 0:
                assert request.opt.size1 is not None
                self.body = b""
            self.body += request.payload
            options.append((BLOCK1, block(number, more, self.szx)))
            if more:
                return "2.31", options, b""
        number = request.opt.block2.block_number if request.opt.block2 else 0
        size = 1 << self.szx + 4
        piece = self.answer[number * size : (number + 1) * size]
        more = (number + 1) * size < len(self.answer)
        if more or number:
            options.append((BLOCK2, block(number, more, self.szx)))
        return "2.05" if self.answer else "2.04", options, piece


@virtual_time
async def test_long_body_and_long_answer_go_in_blocks_under_a_token_each(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    body, answer = bytes(range(256)) * 20, bytes(range(255)) * 20
    device = _Blockwise(bed, peer, answer, szx=4)
    asked = bed.ask(peer, Request(Method.FETCH, (), content_format=112, payload=body))
    device.run()
    assert device.body == body
    assert asked.outcome == Answered(Response("2.05", None, answer))
    assert len(set(device.tokens)) == len(device.tokens)
    assert (bed.layer.transmissions, len(bed.layer.link), bed.layer.link._bodies_bytes) == (0, 0, 0)


@virtual_time
async def test_firmware_package_of_a_megabyte_is_written(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    package = bytes(1 << 20)
    device = _Blockwise(bed, peer)
    asked = bed.ask(peer, Request(Method.PUT, ("5", "0", "0"), content_format=42, payload=package))
    device.run()
    assert device.body == package
    assert asked.outcome == Answered(Response("2.04"))
    assert len(device.tokens) == 1024


@virtual_time
async def test_each_block_has_its_own_time(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    asked = bed.ask(peer, Request(Method.PUT, ("5", "0", "0"), payload=bytes(3000)))
    for number in range(3):
        await asyncio.sleep(40)
        request = read(peer.take()[-1])
        options = [(BLOCK1, block(number, number < 2, 6))]
        peer.give(coap(ACK, "2.31" if number < 2 else "2.04", request.mid, request.token, options))
    assert asked.outcome == Answered(Response("2.04"))


@virtual_time
async def test_device_that_falls_silent_amid_a_transfer_times_out(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    asked = bed.ask(peer, Request(Method.PUT, ("5", "0", "0"), payload=bytes(3000)))
    request = read(peer.take()[0])
    peer.give(coap(ACK, "2.31", request.mid, request.token, [(BLOCK1, block(0, True, 6))]))
    await asyncio.sleep(100)
    assert asked.outcome == TimedOut(is_acknowledged=False)


@virtual_time
async def test_small_body_that_is_too_large_goes_in_smaller_blocks(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    asked = bed.ask(peer, Request(Method.PUT, ("5", "0", "0"), payload=bytes(600)))
    request = read(peer.take()[0])
    assert request.opt.block1 is None
    peer.give(coap(ACK, "4.13", request.mid, request.token, [(BLOCK1, block(0, True, 4))]))
    request = read(peer.take()[0])
    assert (tuple(request.opt.block1), len(request.payload)) == ((0, True, 4), 256)
    peer.give(coap(ACK, "4.13", request.mid, request.token, [(BLOCK1, block(0, True, 4))]))
    assert asked.outcome == Answered(Response("4.13"))


@virtual_time
async def test_observation_by_a_long_request_keeps_its_token_and_the_rest_of_its_answer_does_not(
    clock: VirtualClock,
) -> None:
    bed = Bed()
    peer = bed.plain()
    bed.layer.link.on_notification = lambda *_: True
    device = _Blockwise(bed, peer, bytes(3000))
    request = Request(Method.FETCH, (), content_format=112, payload=bytes(3000), observe=0)
    asked = bed.ask(peer, request, token=b"observed")
    device.run()
    assert device.tokens[:3] == [b"observed"] * 3
    assert b"observed" not in device.tokens[3:]
    assert len(device.tokens) == 5
    assert asked.outcome.response.payload == bytes(3000)


@virtual_time
async def test_answer_that_makes_no_sense_is_unusable(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    asked = bed.ask(peer)
    request = read(peer.take()[0])
    peer.give(coap(ACK, "2.05", request.mid, request.token, [(BLOCK2, block(0, True, 6))], b"short"))
    assert asked.outcome == Unusable("block 0 is not of the size it tells")


@virtual_time
async def test_long_answers_share_a_limit(clock: VirtualClock) -> None:
    bed = Bed(downlink={"max_answers_bytes": 100})
    asked = []
    for port in (1, 2):
        peer = bed.plain(port)
        asked.append(bed.ask(peer))
        request = read(peer.take()[0])
        options = [(BLOCK2, block(0, True, 2))]
        peer.give(coap(ACK, "2.05", request.mid, request.token, options, bytes(64)))
    assert asked[1].outcome == Unusable("too many long answers are being fetched")
    assert bed.layer.link._bodies_bytes == 64
    asked[0].asking.cancel()
    assert bed.layer.link._bodies_bytes == 0


# --- limits


@virtual_time
async def test_requests_are_limited_in_all_and_for_each_device(clock: VirtualClock) -> None:
    bed = Bed(downlink={"max_requests": 3, "max_requests_per_peer": 2})
    one, other = bed.plain(1), bed.plain(2)
    asked = [bed.ask(peer) for peer in (one, one, one, other, other)]
    await asyncio.sleep(0)
    assert [each.outcomes for each in asked] == [
        [],
        [],
        [Unsent("too many requests to this device are waiting for answers")],
        [],
        [Unsent("too many requests are waiting for answers")],
    ]
    await bed.layer.shutdown()


@virtual_time
async def test_limit_of_transmissions_holds_for_requests_too(clock: VirtualClock) -> None:
    bed = Bed(max_transmissions=1)
    bed.ask(bed.plain(1))
    refused = bed.ask(bed.plain(2))
    await asyncio.sleep(0)
    assert refused.outcome == Unsent("too many messages are waiting for acknowledgement")
    assert len(bed.layer.link) == 1
    await bed.layer.shutdown()


@virtual_time
async def test_limit_reached_between_two_blocks_ends_the_transfer(clock: VirtualClock) -> None:
    bed = Bed(max_transmissions=1)
    peer = bed.plain(1)
    asked = bed.ask(peer, Request(Method.PUT, ("5", "0", "0"), payload=bytes(3000)))
    request = read(peer.take()[0])
    peer.give(coap(ACK, "0.00", request.mid))
    bed.ask(bed.plain(2))
    peer.give(coap(NON, "2.31", 7, request.token, [(BLOCK1, block(0, True, 6))]))
    await asyncio.sleep(0)
    assert asked.outcome == Unusable("too many messages are waiting for acknowledgement")
    await bed.layer.shutdown()


@virtual_time
async def test_session_that_is_over_is_not_asked(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.secure()
    remote = peer.remote
    asked = bed.ask(peer)
    peer.give(coap(ACK, "0.00", read(peer.take()[0]).mid))
    bed.layer.end_session(remote, "closed by the peer")
    assert asked.outcome == SessionGone("closed by the peer", is_sent=True)
    await asyncio.sleep(100)
    assert len(asked.outcomes) == 1


@virtual_time
async def test_reset_of_an_acknowledged_request_is_nothing(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    asked = bed.ask(peer)
    request = read(peer.take()[0])
    peer.give(coap(ACK, "0.00", request.mid))
    peer.give(coap(RST, "0.00", request.mid))
    assert asked.outcomes == []
    peer.give(coap(NON, "2.05", 1, request.token))
    assert asked.outcome == Answered(Response("2.05"))
