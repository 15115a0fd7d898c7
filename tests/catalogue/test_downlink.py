"""Negative catalogue, F: answers and notifications that devices, or others in their name, may send."""

from __future__ import annotations

import asyncio
from itertools import product

import pytest

from gateway.messaging.link import Notification
from gateway.messaging.outcomes import Answered, Unsent
from gateway.messaging.remote import Remote, SessionRemote
from tests.support.clock import VirtualClock, virtual_time
from tests.support.coap import (
    ACK,
    BLOCK2,
    CANCELLATION,
    CON,
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


class _Observer:
    """Who knows some observations by their tokens."""

    def __init__(self, bed: Bed, *known: bytes) -> None:
        self.known = set(known)
        self.seen: list[tuple[Remote, bytes]] = []
        bed.layer.link.on_notification = self.note

    def note(self, remote: Remote, token: bytes, notification: Notification) -> bool:
        if token not in self.known:
            return False
        self.seen.append((remote, token))
        return True


# --- F7: the token is right, the peer is not


@pytest.mark.parametrize("is_acknowledged", [False, True], ids=["unacknowledged", "acknowledged"])
@pytest.mark.parametrize("message_type", [CON, NON, ACK])
@virtual_time
async def test_F7_answer_from_another_session_or_address_is_rejected(
    clock: VirtualClock, message_type: int, is_acknowledged: bool
) -> None:
    bed = Bed()
    askers = [bed.secure(1, b"urn:imei:1"), bed.plain(5683)]
    strangers = [
        bed.secure(2, b"urn:imei:1"),
        bed.secure(3, b"urn:imei:2"),
        bed.plain(5684),
        bed.plain(5683, "192.0.2.66"),
    ]
    for asker, stranger in product(askers, strangers):
        asked = bed.ask(asker)
        request = read(asker.take()[-1])
        if is_acknowledged:
            asker.give(coap(ACK, "0.00", request.mid))
        forged = coap(message_type, "2.05", request.mid, request.token, payload=b"forged")
        replies = [summary(each)[0] for each in stranger.send(forged)]
        assert replies == (["RST"] if message_type == CON else [])
        assert asked.outcomes == []
        asker.give(coap(NON, "2.05", 77, request.token, payload=b"genuine"))
        assert isinstance(asked.outcome, Answered)
        assert asked.outcome.response.payload == b"genuine"


@virtual_time
async def test_F7_answer_that_comes_after_its_session_ended_is_rejected(clock: VirtualClock) -> None:
    bed = Bed()
    old, new = bed.secure(1), bed.secure(2)
    asked = bed.ask(old)
    request = read(old.take()[0])
    old.give(coap(ACK, "0.00", request.mid))
    assert isinstance(old.remote, SessionRemote)
    bed.layer.end_session(old.remote, "superseded")
    assert len(asked.outcomes) == 1
    assert [summary(each)[0] for each in new.send(coap(CON, "2.05", 9, request.token))] == ["RST"]
    assert len(asked.outcomes) == 1


@virtual_time
async def test_F7_reset_and_acknowledgement_of_a_stranger_change_nothing(clock: VirtualClock) -> None:
    bed = Bed()
    asker, stranger = bed.secure(1), bed.secure(2)
    asked = bed.ask(asker)
    mid = read(asker.take()[0]).mid
    for message_type in (ACK, RST):
        stranger.give(coap(message_type, "0.00", mid))
    assert (asked.outcomes, bed.layer.transmissions) == ([], 1)
    await bed.layer.shutdown()


@virtual_time
async def test_F7_block_from_elsewhere_does_not_get_into_an_answer(clock: VirtualClock) -> None:
    bed = Bed()
    asker, stranger = bed.plain(1), bed.plain(2)
    asked = bed.ask(asker)
    request = read(asker.take()[0])
    asker.give(coap(ACK, "2.05", request.mid, request.token, [(BLOCK2, block(0, True, 0))], b"0" * 16))
    request = read(asker.take()[0])
    forged = [(BLOCK2, block(1, False, 0))]
    for message_type in (ACK, NON, CON):
        stranger.give(coap(message_type, "2.05", request.mid, request.token, forged, b"forged"))
    asker.give(coap(ACK, "2.05", request.mid, request.token, forged, b"1"))
    assert isinstance(asked.outcome, Answered)
    assert asked.outcome.response.payload == b"0" * 16 + b"1"


# --- F8: notifications nobody wants any more


@pytest.mark.parametrize("message_type", [CON, NON])
@virtual_time
async def test_F8_notification_of_a_cancelled_observation_is_reset(
    clock: VirtualClock, message_type: int
) -> None:
    bed = Bed()
    peer = bed.secure()
    observer = _Observer(bed, b"observed")
    bed.ask(peer, OBSERVATION, token=b"observed")
    peer.give(notify(ACK, read(peer.take()[0]).mid, b"observed"))
    replies = [summary(each)[:1] for each in peer.send(notify(message_type, 900, b"observed"))]
    assert replies == ([("ACK",)] if message_type == CON else [])
    observer.known.clear()
    cancelled = bed.ask(peer, CANCELLATION, token=b"observed")
    peer.give(coap(ACK, "2.05", read(peer.take()[0]).mid, b"observed"))
    assert len(cancelled.outcomes) == 1
    replies = [summary(each) for each in peer.send(notify(message_type, 901, b"observed"))]
    assert replies == [("RST", "0.00", 901, b"")]
    assert len(observer.seen) == 1


@pytest.mark.parametrize("message_type", [CON, NON])
@virtual_time
async def test_F8_notification_under_a_token_never_given_is_reset(
    clock: VirtualClock, message_type: int
) -> None:
    bed = Bed()
    _Observer(bed, b"observed")
    for token in (b"", b"o", b"observe", b"OBSERVED"):
        replies = bed.secure().send(notify(message_type, 900, token))
        assert [summary(each) for each in replies] == [("RST", "0.00", 900, b"")]


# --- F12: message ids run out


@virtual_time
async def test_F12_no_more_requests_to_one_peer_than_there_are_message_ids(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    outcomes = []
    mids = []
    for _ in range(70_000):
        outcomes.append(bed.ask(peer).outcomes)
        for datagram in peer.take():
            mids.append(read(datagram).mid)
            # It takes each of them and never answers: only ours is the memory.
            peer.give(coap(ACK, "0.00", mids[-1]))
    await asyncio.sleep(0)
    assert len(bed.layer.link) == 64
    assert len(mids) == len(set(mids)) == 64
    refused = [each for each in outcomes if each]
    assert len(refused) == 70_000 - 64
    assert all(
        each == [Unsent("too many requests to this device are waiting for answers")] for each in refused
    )
    await bed.layer.shutdown()


@virtual_time
async def test_F12_message_ids_that_have_gone_round_do_not_mix_up_requests(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    first = bed.ask(peer)
    old = read(peer.take()[0])
    peer.give(coap(ACK, "0.00", old.mid))
    for _ in range(65_535):
        bed.layer._outgoing.next_mid(peer.remote)
    second = bed.ask(peer)
    new = read(peer.take()[0])
    assert new.mid == old.mid
    assert new.token != old.token
    peer.give(coap(ACK, "2.05", new.mid, old.token, payload=b"of the first"))
    assert (first.outcomes, second.outcomes) == ([], [])
    peer.give(coap(ACK, "2.05", new.mid, new.token, payload=b"of the second"))
    peer.give(coap(NON, "2.05", 5, old.token, payload=b"of the first"))
    payloads = [each.outcome.response.payload for each in (first, second)]
    assert payloads == [b"of the first", b"of the second"]


# --- F13: floods of notifications


def _flood(peer: Peer, count: int, message_type: int, token: bytes) -> list[str]:
    replies: list[str] = []
    for number in range(count):
        replies += [summary(each)[0] for each in peer.send(notify(message_type, number, token, number))]
    return replies


@pytest.mark.parametrize("message_type", [CON, NON])
@virtual_time
async def test_F13_flood_of_notifications_leaves_nothing_behind(
    clock: VirtualClock, message_type: int
) -> None:
    bed = Bed(max_remembered=1000)
    observer = _Observer(bed, b"observed")
    replies = _flood(bed.plain(), 20_000, message_type, b"observed")
    assert replies == (["ACK"] * 20_000 if message_type == CON else [])
    assert len(observer.seen) == 20_000
    assert len(bed.layer._memory) <= 1000
    assert (len(bed.layer.link), bed.layer.transmissions, bed.layer.open_exchanges) == (0, 0, 0)


@virtual_time
async def test_F13_flood_of_unwanted_notifications_costs_a_reset_each(clock: VirtualClock) -> None:
    bed = Bed(max_remembered=1000)
    assert _flood(bed.plain(), 5000, NON, b"?") == ["RST"] * 5000
    assert _flood(bed.secure(), 5000, CON, b"?") == ["RST"] * 5000
    assert len(bed.layer._memory) <= 1000


@virtual_time
async def test_F13_flood_of_long_notifications_makes_one_request_at_a_time(clock: VirtualClock) -> None:
    bed = Bed()
    peer = bed.plain()
    outcomes: list[object] = []
    link = bed.layer.link

    def note(remote: Remote, token: bytes, notification: Notification) -> bool:
        link.fetch_rest(remote, OBSERVATION, token, notification, outcomes.append)
        return True

    link.on_notification = note
    for mid in range(5000):
        options = [(OBSERVE, b"\x01"), (BLOCK2, block(0, True, 0))]
        peer.give(coap(NON, "2.05", mid, b"observed", options, bytes(16)))
    assert (len(link), len(peer.take())) == (1, 1)
    await asyncio.sleep(100)
    assert len(outcomes) == 1
    assert (len(link), link._bodies_bytes) == (0, 0)
