"""Types and ids of messages (RFC 7252 §4): what is reset, what is dropped, what belongs to what."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from aiocoap import Message
from aiocoap.error import ConRetransmitsExceeded, NetworkError
from aiocoap.numbers.codes import Code
from aiocoap.numbers.constants import Reliable, TransportTuning, Unreliable

from gateway.messaging.exchange import TooManyRequests
from gateway.messaging.remote import SessionRemote
from tests.support.clock import VirtualClock, virtual_time
from tests.support.coap import (
    ACK,
    CON,
    NON,
    OBSERVE,
    RST,
    Bed,
    Peer,
    coap,
    path,
    read,
    summary,
)


def _ask(
    bed: Bed,
    peer: Peer,
    token: bytes = b"ours",
    *,
    tuning: TransportTuning | None = None,
    on_reset: Callable[[], object] = lambda: None,
) -> tuple[Callable[[], None] | None, int]:
    """Send a GET of ours; what cancels it, and its message id."""
    request = Message(code=Code.GET, uri_path=("3", "0"), transport_tuning=tuning)
    request.token = token
    request.remote = peer.remote
    cancel = bed.layer.send_message(request, on_reset)
    assert request.mid is not None
    return cancel, request.mid


# --- what is no message


@pytest.mark.parametrize("datagram", ["", "40", "400100", "00010001", "c0010001aabb"])
@virtual_time
async def test_what_is_no_coap_of_version_1_is_ignored(clock: VirtualClock, datagram: str) -> None:
    bed = Bed()
    assert bed.plain().send(bytes.fromhex(datagram)) == []
    assert bed.counters == {"dropped_malformed": 1}


@pytest.mark.parametrize("token_length", range(9, 16))
@virtual_time
async def test_F2_token_length_of_9_to_15_is_reset_if_confirmable(
    clock: VirtualClock, token_length: int
) -> None:
    bed = Bed()
    for message_type, answers in ((CON, 1), (NON, 0), (ACK, 0), (RST, 0)):
        datagram = bytes([0x40 | message_type << 4 | token_length, 2, 0, 7]) + bytes(token_length)
        replies = bed.plain().send(datagram)
        assert [summary(each) for each in replies] == [("RST", "0.00", 7, b"")] * answers


@pytest.mark.parametrize("tail", [b"\xf0", b"\x1f", b"\xb9x", b"\xff"])
@virtual_time
async def test_F3_format_error_is_reset_if_confirmable_and_else_dropped(
    clock: VirtualClock, tail: bytes
) -> None:
    bed = Bed()
    for code in ("0.02", "2.05"):
        assert [summary(each) for each in bed.plain().send(coap(CON, code, 7, b"t") + tail)] == [
            ("RST", "0.00", 7, b"")
        ]
        assert bed.plain().send(coap(NON, code, 7, b"t") + tail) == []
        assert bed.plain().send(coap(ACK, code, 7, b"t") + tail) == []
    assert bed.counters["dropped_malformed"] == 6


@pytest.mark.parametrize("code", ["1.00", "6.01", "7.01"])
@virtual_time
async def test_reserved_code_class_is_reset_if_confirmable(clock: VirtualClock, code: str) -> None:
    assert [summary(each)[0] for each in Bed().plain().send(coap(CON, code, 7))] == ["RST"]
    assert Bed().plain().send(coap(NON, code, 7)) == []


@virtual_time
async def test_F10_ping_is_answered_by_a_reset(clock: VirtualClock) -> None:
    bed = Bed()
    assert [summary(each) for each in bed.plain().send(coap(CON, "0.00", 0xABCD))] == [
        ("RST", "0.00", 0xABCD, b"")
    ]
    assert bed.counters == {"pings": 1}


# --- our requests


@virtual_time
async def test_our_request_is_confirmable_and_its_piggybacked_answer_ends_it(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    bed.tokens.wanted.add(b"ours")
    _ask(bed, peer)
    (request,) = peer.take()
    message = read(request)
    assert (str(message.mtype), message.code, message.opt.uri_path) == ("CON", Code.GET, ("3", "0"))
    assert peer.send(coap(ACK, "2.05", message.mid, b"ours", payload=b"x")) == []
    (response,) = bed.tokens.responses
    assert (response.payload, response.remote) == (b"x", peer.remote)
    await asyncio.sleep(200)
    assert peer.take() == []
    assert bed.layer.transmissions == 0


@virtual_time
async def test_F9_reset_with_payload_is_dropped(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    resets: list[int] = []
    _, mid = _ask(bed, peer, on_reset=lambda: resets.append(1))
    peer.take()
    for datagram in (
        coap(RST, "0.00", mid) + b"\xffx",
        coap(RST, "2.05", mid),
        coap(RST, "0.00", mid, b"t"),
        coap(ACK, "0.00", mid) + b"\xffx",
        coap(ACK, "0.01", mid, b"ours"),
    ):
        assert peer.send(datagram) == []
    assert resets == []
    assert bed.layer.transmissions == 1
    assert bed.counters == {"dropped_malformed": 5}
    await bed.layer.shutdown()


@virtual_time
async def test_reset_of_our_request_is_told(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    resets: list[int] = []
    _, mid = _ask(bed, peer, on_reset=lambda: resets.append(1))
    peer.take()
    peer.send(coap(RST, "0.00", mid))
    assert resets == [1]
    assert bed.layer.transmissions == 0
    peer.send(coap(RST, "0.00", mid))
    assert resets == [1]
    assert bed.counters == {"resets_received": 1, "dropped_unmatched": 1}


@virtual_time
async def test_silent_peer_ends_all_requests_to_it(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    _ask(bed, peer, b"1")
    _ask(bed, peer, b"2")
    await asyncio.sleep(100)
    assert [read(each).token for each in peer.take()] == [b"1"] * 5
    ((error, remote),) = bed.tokens.errors
    assert isinstance(error, ConRetransmitsExceeded)
    assert remote == peer.remote
    assert bed.layer.transmissions == 0


@virtual_time
async def test_separate_answer_is_acknowledged_and_its_repetition_likewise(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    bed.tokens.wanted.add(b"ours")
    _, mid = _ask(bed, peer)
    peer.take()
    assert peer.send(coap(ACK, "0.00", mid)) == []
    answer = coap(CON, "2.05", 900, b"ours", payload=b"x")
    assert [summary(each) for each in peer.send(answer)] == [("ACK", "0.00", 900, b"")]
    bed.tokens.wanted.clear()
    assert [summary(each) for each in peer.send(answer)] == [("ACK", "0.00", 900, b"")]
    assert len(bed.tokens.responses) == 1


@virtual_time
async def test_answer_that_overtakes_the_acknowledgement_ends_the_repetitions(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    bed.tokens.wanted.add(b"ours")
    cancel, _ = _ask(bed, peer)
    assert cancel is not None
    peer.take()
    peer.send(coap(CON, "2.05", 900, b"ours"))
    cancel()  # as the token manager does at the first answer
    peer.take()
    await asyncio.sleep(100)
    assert peer.take() == []


@virtual_time
async def test_answer_nobody_waits_for_is_reset_if_confirmable(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    assert [summary(each) for each in peer.send(coap(CON, "2.05", 900, b"?"))] == [("RST", "0.00", 900, b"")]
    assert [summary(each) for each in peer.send(coap(CON, "2.05", 900, b"?"))] == [("RST", "0.00", 900, b"")]
    assert peer.send(coap(NON, "2.05", 901, b"?")) == []
    assert peer.send(coap(ACK, "2.05", 902, b"?")) == []


@pytest.mark.parametrize("message_type", [CON, NON])
@virtual_time
async def test_F8_notification_nobody_waits_for_is_reset(clock: VirtualClock, message_type: int) -> None:
    notification = coap(message_type, "2.05", 900, b"?", [(OBSERVE, b"\x05")], b"x")
    assert [summary(each) for each in Bed().plain().send(notification)] == [("RST", "0.00", 900, b"")]


@virtual_time
async def test_wanted_notification_is_not_reset(clock: VirtualClock) -> None:
    bed = Bed()
    bed.tokens.wanted.add(b"obs")
    assert bed.plain().send(coap(NON, "2.05", 900, b"obs", [(OBSERVE, b"\x05")], b"x")) == []
    assert len(bed.tokens.responses) == 1


@virtual_time
async def test_answer_with_unknown_critical_option_is_rejected(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    bed.tokens.wanted.add(b"ours")
    resets: list[int] = []
    _, mid = _ask(bed, peer, on_reset=lambda: resets.append(1))
    peer.take()
    assert [summary(each)[0] for each in peer.send(coap(CON, "2.05", 900, b"ours", [(65001, b"")]))] == [
        "RST"
    ]
    assert peer.send(coap(NON, "2.05", 901, b"ours", [(65001, b"")])) == []
    assert peer.send(coap(ACK, "2.05", mid, b"ours", [(65001, b"")])) == []
    assert resets == [1]
    assert bed.tokens.responses == []


@virtual_time
async def test_F7_acknowledgement_of_another_peer_does_not_end_our_request(clock: VirtualClock) -> None:
    bed = Bed()
    peer, stranger = bed.secure(1), bed.secure(2)
    bed.tokens.wanted.add(b"ours")
    _, mid = _ask(bed, peer)
    stranger.send(coap(ACK, "2.05", mid, b"ours"))
    assert bed.tokens.responses == []
    assert bed.layer.transmissions == 1
    await bed.layer.shutdown()


@virtual_time
async def test_unreliable_request_is_sent_once(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    cancel, _ = _ask(bed, peer, tuning=Unreliable())
    assert cancel is None
    await asyncio.sleep(100)
    assert [summary(each)[0] for each in peer.take()] == ["NON"]
    assert bed.layer.transmissions == 0


@virtual_time
async def test_request_may_bring_its_own_timing(clock: VirtualClock) -> None:
    class Patient(Reliable):
        ACK_TIMEOUT = 50.0
        ACK_RANDOM_FACTOR = 1.0
        MAX_RETRANSMIT = 1

    bed = Bed()
    peer = bed.plain()
    _ask(bed, peer, tuning=Patient())
    await asyncio.sleep(149.5)
    assert len(peer.take()) == 2
    assert not bed.tokens.errors
    await asyncio.sleep(1)
    assert bed.tokens.errors


@virtual_time
async def test_timing_without_a_word_is_that_of_the_settings(clock: VirtualClock) -> None:
    bed = Bed(ack_timeout_s=10.0, ack_random_factor=1.0, max_retransmit=0)
    peer = bed.plain()
    _ask(bed, peer)
    await asyncio.sleep(9.5)
    assert not bed.tokens.errors
    await asyncio.sleep(1)
    assert bed.tokens.errors


@virtual_time
async def test_too_many_waiting_requests_fail_at_once(clock: VirtualClock) -> None:
    bed = Bed(max_backlog=1)
    peer = bed.plain()
    _ask(bed, peer, b"1")
    _ask(bed, peer, b"2")
    with pytest.raises(TooManyRequests):
        _ask(bed, peer, b"3")
    await bed.layer.shutdown()


# --- sessions


@virtual_time
async def test_session_that_ends_takes_our_requests_along(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.secure()
    remote = peer.remote
    assert isinstance(remote, SessionRemote)
    _ask(bed, peer, b"1")
    _ask(bed, peer, b"2")
    peer.take()
    bed.layer.end_session(remote, "superseded")
    ((error, whose),) = bed.tokens.errors
    assert isinstance(error, NetworkError)
    assert whose is remote
    await asyncio.sleep(100)
    assert peer.take() == []
    assert not bed.layer.recognizes(remote)
    with pytest.raises(NetworkError):
        _ask(bed, peer, b"3")


@virtual_time
async def test_session_without_dialogue_ends_without_a_search(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.secure()
    peer.send(coap(CON, "0.02", 1, b"t", path("rd/abc")))
    assert isinstance(peer.remote, SessionRemote)
    bed.layer.end_session(peer.remote, "closed by the peer")
    assert bed.tokens.errors == []


# --- towards aiocoap


@virtual_time
async def test_only_our_own_live_remotes_are_recognized(clock: VirtualClock) -> None:
    bed = Bed()
    message = Message(code=Code.GET)
    for remote, is_known in ((bed.plain().remote, True), (bed.secure().remote, True), ("other", False)):
        message.remote = remote
        assert await bed.layer.fill_or_recognize_remote(message) is is_known
        assert await bed.layer.recognize_remote(message) is is_known
    assert await bed.layer.determine_remote(message) is None


@virtual_time
async def test_error_of_ours_over_a_response_does_not_reach_the_transport(clock: VirtualClock) -> None:
    bed = Bed()

    def process_response(_: Message) -> bool:
        raise asyncio.InvalidStateError("a request cancelled in the same turn of the loop")

    bed.tokens.process_response = process_response
    assert bed.plain().send(coap(CON, "2.05", 900, b"ours")) == []
    assert bed.counters["failures"] == 1


@virtual_time
async def test_closed_layer_takes_no_responses_and_sends_no_requests(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    bed.tokens.wanted.add(b"ours")
    _ask(bed, peer)
    peer.take()
    await bed.layer.shutdown()
    assert [summary(each)[0] for each in peer.send(coap(CON, "2.05", 900, b"ours"))] == ["RST"]
    with pytest.raises(NetworkError):
        _ask(bed, peer)
    await asyncio.sleep(100)
    assert peer.take() == []


@virtual_time
async def test_counters_have_names(clock: VirtualClock) -> None:
    bed = Bed()
    bed.plain().send(coap(CON, "0.02", 1, b"t", path("rd/abc")))
    totals = bed.layer.counters.as_dict()
    assert totals["requests"] == 1
    assert set(totals.values()) == {0, 1}
