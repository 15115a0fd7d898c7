"""Types and ids of messages (RFC 7252 §4): what is reset, what is dropped, what belongs to what."""

from __future__ import annotations

import asyncio

import pytest
from aiocoap import Message
from aiocoap.error import NetworkError
from aiocoap.numbers.codes import Code

from gateway.messaging.link import Notification
from gateway.messaging.outcomes import SessionGone, Unusable, WasReset
from gateway.messaging.remote import Remote, SessionRemote
from tests.support.clock import VirtualClock, virtual_time
from tests.support.coap import (
    ACK,
    CON,
    NON,
    OBSERVE,
    RST,
    Bed,
    Script,
    coap,
    notify,
    path,
    read,
    summary,
)

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


# --- responses


@virtual_time
async def test_F9_reset_with_payload_is_dropped(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    asked = bed.ask(peer)
    request = read(peer.take()[0])
    for datagram in (
        coap(RST, "0.00", request.mid) + b"\xffx",
        coap(RST, "2.05", request.mid),
        coap(RST, "0.00", request.mid, b"t"),
        coap(ACK, "0.00", request.mid) + b"\xffx",
        coap(ACK, "0.01", request.mid, request.token),
    ):
        assert peer.send(datagram) == []
    assert asked.outcomes == []
    assert bed.layer.transmissions == 1
    assert bed.counters == {"dropped_malformed": 5}
    await bed.layer.shutdown()


@virtual_time
async def test_reset_of_our_request_is_told_once(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    asked = bed.ask(peer)
    mid = read(peer.take()[0]).mid
    peer.send(coap(RST, "0.00", mid))
    assert asked.outcome == WasReset()
    assert bed.layer.transmissions == 0
    peer.send(coap(RST, "0.00", mid))
    assert asked.outcome == WasReset()
    assert bed.counters == {"resets_received": 1, "dropped_unmatched": 1}


@virtual_time
async def test_separate_answer_is_acknowledged_and_its_repetition_likewise(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    asked = bed.ask(peer)
    request = read(peer.take()[0])
    assert peer.send(coap(ACK, "0.00", request.mid)) == []
    answer = coap(CON, "2.05", 900, request.token, payload=b"x")
    for _ in range(2):
        assert [summary(each) for each in peer.send(answer)] == [("ACK", "0.00", 900, b"")]
    assert len(asked.outcomes) == 1
    assert bed.counters["duplicates"] == 1


@virtual_time
async def test_answer_nobody_waits_for_is_reset_if_confirmable(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    for _ in range(2):
        assert [summary(each) for each in peer.send(coap(CON, "2.05", 900, b"?"))] == [
            ("RST", "0.00", 900, b"")
        ]
    assert peer.send(coap(NON, "2.05", 901, b"?")) == []
    assert peer.send(coap(ACK, "2.05", 902, b"?")) == []
    assert bed.counters == {"responses": 3, "duplicates": 1, "dropped_unmatched": 3}


@pytest.mark.parametrize("message_type", [CON, NON])
@virtual_time
async def test_notification_nobody_waits_for_is_reset(clock: VirtualClock, message_type: int) -> None:
    notification = notify(message_type, 900, b"?")
    assert [summary(each) for each in Bed().plain().send(notification)] == [("RST", "0.00", 900, b"")]


@virtual_time
async def test_known_notification_is_acknowledged_if_confirmable(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    seen: list[tuple[Remote, bytes, Notification]] = []

    def note(remote: Remote, token: bytes, notification: Notification) -> bool:
        seen.append((remote, token, notification))
        return token == b"known"

    bed.layer.link.on_notification = note
    assert peer.send(notify(NON, 900, b"known", 5)) == []
    assert [summary(each) for each in peer.send(notify(CON, 901, b"known"))] == [("ACK", "0.00", 901, b"")]
    assert [summary(each) for each in peer.send(notify(NON, 902, b"other"))] == [("RST", "0.00", 902, b"")]
    (remote, token, notification), *_ = seen
    assert (remote, token, notification.sequence) == (peer.remote, b"known", 5)
    assert (notification.response.code, notification.response.payload) == ("2.05", b"x")
    assert notification.first_block is None
    assert bed.counters == {"responses": 3, "notifications": 2, "dropped_unmatched": 1}


@virtual_time
async def test_response_with_unknown_critical_option_is_rejected(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    bed.layer.link.on_notification = lambda *_: True
    strange = [(65001, b""), (OBSERVE, b"\x01")]
    for message_type in (CON, NON):
        answers = peer.send(coap(message_type, "2.05", 900, b"known", strange))
        assert [summary(each)[0] for each in answers] == ["RST"]
    asked = bed.ask(peer)
    request = read(peer.take()[0])
    peer.send(coap(ACK, "2.05", request.mid, request.token, strange))
    assert asked.outcome == Unusable("option 65001 of the answer is not understood")


# --- sessions


@virtual_time
async def test_session_that_ends_takes_our_requests_along(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.secure()
    remote = peer.remote
    assert isinstance(remote, SessionRemote)
    first, second = bed.ask(peer), bed.ask(peer)
    peer.take()
    bed.layer.end_session(remote, "superseded")
    assert first.outcome == SessionGone("superseded", is_sent=True)
    assert second.outcome == SessionGone("superseded", is_sent=False)
    third = bed.ask(peer)
    await asyncio.sleep(100)
    assert peer.take() == []
    assert third.outcome == SessionGone("the session is over", is_sent=False)
    assert bed.layer.transmissions == 0


@virtual_time
async def test_session_without_dialogue_ends_without_a_search(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.secure()
    peer.send(coap(CON, "0.02", 1, b"t", path("rd/abc")))
    assert isinstance(peer.remote, SessionRemote)
    bed.layer.end_session(peer.remote, "closed by the peer")
    assert bed.tokens.errors == []


@virtual_time
async def test_work_of_a_resource_ends_with_its_session(clock: VirtualClock) -> None:
    bed = Bed(Script(None))
    peer = bed.secure()
    remote = peer.remote
    assert isinstance(remote, SessionRemote)
    peer.send(coap(CON, "0.01", 1, b"t", path("slow")))
    bed.layer.end_session(remote, "closed by the peer")
    ((error, whose),) = bed.tokens.errors
    assert isinstance(error, NetworkError)
    assert whose is remote


# --- towards aiocoap


@virtual_time
async def test_aiocoap_has_no_way_to_ask_devices(clock: VirtualClock) -> None:
    bed = Bed()
    message = Message(code=Code.GET)
    message.remote = bed.plain().remote
    assert await bed.layer.fill_or_recognize_remote(message) is False
    with pytest.raises(NotImplementedError):
        bed.layer.send_message(message, lambda: None)


@virtual_time
async def test_error_of_ours_over_a_response_does_not_reach_the_transport(clock: VirtualClock) -> None:
    bed = Bed()

    def fail(*_: object) -> bool:
        raise asyncio.InvalidStateError("a bug")

    bed.layer.link.on_notification = fail
    assert bed.plain().send(notify(CON, 900, b"ours")) == []
    assert bed.counters["failures"] == 1


@virtual_time
async def test_closed_layer_takes_no_responses_and_sends_no_requests(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    bed.layer.link.on_notification = lambda *_: True
    asked = bed.ask(peer)
    request = read(peer.take()[0])
    await bed.layer.shutdown()
    for token in (request.token, b"known"):
        assert [summary(each)[0] for each in peer.send(notify(CON, 900, token))] == ["RST"]
    refused = bed.ask(peer)
    await asyncio.sleep(100)
    assert peer.take() == []
    assert asked.outcomes == [], "a stop tells nobody"
    assert refused.outcome == SessionGone("the session is over", is_sent=False)


@virtual_time
async def test_counters_have_names(clock: VirtualClock) -> None:
    bed = Bed()
    bed.plain().send(coap(CON, "0.02", 1, b"t", path("rd/abc")))
    totals = bed.layer.counters.as_dict()
    assert totals["requests"] == 1
    assert set(totals.values()) == {0, 1}
