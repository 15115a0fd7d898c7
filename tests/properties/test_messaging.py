"""Whatever comes in: a value or a `DecodeError`, the same as aiocoap where both can read it, never a 5.00."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import aiocoap.resource
from aiocoap import Message
from aiocoap.error import UnparsableMessage
from aiocoap.numbers.codes import Code
from hypothesis import given
from hypothesis import strategies as st

from gateway.address import Address
from gateway.messaging import format as wire
from gateway.messaging.blocks import BlockAssembler, BlockError
from gateway.messaging.deduplication import MessageTable
from gateway.messaging.format import DecodeError, decode_message, encode_body, encode_header
from gateway.messaging.handling import Request, Response, respond
from gateway.messaging.pending import Pending
from gateway.messaging.remote import PlainRemote
from gateway.messaging.settings import MessagingSettings
from gateway.messaging.stack import CoapStack
from tests.support.clock import VirtualClock, run_virtual
from tests.support.coap import Bed, Entropy, FakeSession, Peer, coap, read

_TEXT = st.text(max_size=20).map(str.encode)


def _uint(longest: int) -> st.SearchStrategy[bytes]:
    """Unsigned integers without leading zeros (RFC 7252 §3.2)."""
    return st.binary(max_size=longest).map(lambda value: value.lstrip(b"\0"))


_VALUES: dict[int, tuple[st.SearchStrategy[bytes], bool]] = {
    3: (_TEXT.filter(len), False),
    4: (st.binary(min_size=1, max_size=8), True),
    6: (_uint(3), False),
    7: (_uint(2), False),
    8: (_TEXT, True),
    11: (_TEXT, True),
    12: (_uint(2), False),
    14: (_uint(4), False),
    15: (_TEXT, True),
    17: (_uint(2), False),
    20: (_TEXT, True),
    23: (_uint(3), False),
    27: (_uint(3), False),
    28: (_uint(4), False),
    35: (_TEXT.filter(len), False),
    39: (_TEXT.filter(len), False),
    60: (_uint(4), False),
    252: (st.binary(min_size=1, max_size=40), False),
    258: (_uint(1), False),
    292: (st.binary(max_size=8), True),
}

_CODES = st.sampled_from(["0.01", "0.02", "0.04", "0.05", "0.07", "0.09", "2.05", "2.04", "4.04", "5.03"])


@st.composite
def _options(draw: Callable[..., object]) -> list[tuple[int, bytes]]:
    options: list[tuple[int, bytes]] = []
    for number in draw(st.lists(st.sampled_from(sorted(_VALUES)), unique=True, max_size=6)):
        value, is_repeatable = _VALUES[number]
        count = draw(st.integers(1, 3)) if is_repeatable else 1
        options += [(number, draw(value)) for _ in range(count)]
    return options


_WELL_FORMED = st.builds(
    coap,
    st.sampled_from([0, 1]),
    _CODES,
    st.integers(0, 0xFFFF),
    st.binary(max_size=8),
    _options(),
    st.binary(max_size=40),
)

_BROKEN_OPTIONS = st.lists(
    st.tuples(st.sampled_from([*_VALUES, 1, 5, 9, 13, 21, 2053, 65000]), st.binary(max_size=30)), max_size=5
)

_NEARLY_WELL_FORMED = st.builds(
    coap,
    st.integers(0, 3),
    st.builds("{}.{:02}".format, st.integers(0, 7), st.integers(0, 31)),
    st.integers(0, 3),
    st.binary(max_size=8),
    _BROKEN_OPTIONS,
    st.binary(max_size=40),
)

_ANYTHING = st.one_of(
    st.binary(max_size=80),
    st.binary(min_size=3, max_size=80).map(lambda tail: b"\x44" + tail),
    _WELL_FORMED,
    _NEARLY_WELL_FORMED,
    st.builds(lambda datagram, end: datagram[:end], _WELL_FORMED, st.integers(4, 60)),
)


@given(_ANYTHING)
def test_decoding_gives_a_message_or_a_decode_error(datagram: bytes) -> None:
    if len(datagram) < wire.HEADER_BYTES:
        return
    try:
        message, traits, bad_option = decode_message(datagram)
    except DecodeError:
        return
    assert isinstance(message, Message)
    assert bool(traits & wire.BAD_OPTION) is bool(bad_option)


@given(_WELL_FORMED)
def test_decoding_agrees_with_aiocoap_on_well_formed_messages(datagram: bytes) -> None:
    ours, traits, _ = decode_message(datagram)
    theirs = Message.decode(datagram)
    assert not traits & wire.BAD_OPTION
    for name in ("mtype", "code", "mid", "token", "payload", "opt", "direction", "remote", "version"):
        assert getattr(ours, name) == getattr(theirs, name), name
    ours_listed = [(option.number, type(option), option.value) for option in ours.opt.option_list()]
    assert ours_listed == [(option.number, type(option), option.value) for option in theirs.opt.option_list()]


@given(_WELL_FORMED)
def test_encoding_gives_back_what_was_decoded(datagram: bytes) -> None:
    message, _, _ = decode_message(datagram)
    header = encode_header(int(message.mtype), int(message.code), message.mid, message.token)
    assert header + encode_body(message) == datagram


@given(_ANYTHING)
def test_what_aiocoap_cannot_read_is_not_read_here(datagram: bytes) -> None:
    """Stricter, never laxer. Text that is not UTF-8 is a bad option here and an error there."""
    if len(datagram) < wire.HEADER_BYTES or datagram[0] & 0xC0 != wire.VERSION_BITS:
        return
    try:
        Message.decode(datagram)
    except UnparsableMessage:
        try:
            decode_message(datagram)
        except DecodeError:
            return
        raise AssertionError("read here") from None
    except UnicodeDecodeError:
        return


class _Resource(aiocoap.resource.Resource):
    async def render_get(self, request: Message) -> Message:
        return Message(payload=b"x" * 100)

    async def render_post(self, request: Message) -> Message:
        return Message(code=Code.CHANGED, payload=request.payload[:10])


class _Site(aiocoap.resource.Site):
    """Sends every path to one resource, so that what is drawn gets through."""

    def _find_child_and_pathstripped_message(self, request: Message) -> tuple[_Resource, Message]:
        request.get_request_uri()
        return _RESOURCE, request


_RESOURCE = _Resource()


def _dispatch(request: Request) -> Response | Pending | None:
    """Each of the three ways, by the payload."""
    way = sum(request.payload) % 3
    if way == 0:
        return Response(Code.CHANGED)
    if way == 1:
        pending = Pending()
        asyncio.get_running_loop().call_later(
            sum(request.payload) % 5 * 0.1, pending.complete, respond(Code.CREATED, location_path=["rd"])
        )
        return pending
    return None


@given(st.lists(st.tuples(_ANYTHING, st.integers(0, 3)), max_size=12))
def test_no_peer_can_make_it_raise_or_answer_5_00(datagrams: list[tuple[bytes, int]]) -> None:
    async def main() -> None:
        stack = CoapStack(_Site(), _dispatch, entropy=Entropy())
        sent: list[bytes] = []
        stack.routes.plain = stack.routes.secure = lambda *arguments: sent.append(
            arguments[0] if isinstance(arguments[0], bytes) else arguments[1]
        )
        sessions = [FakeSession(number) for number in range(2)]
        for datagram, peer in datagrams:
            if peer < 2:
                stack.receive_plain(datagram, Address("192.0.2.1", peer))
            else:
                stack.receive_secure(sessions[peer - 2], datagram)
        await asyncio.sleep(400)
        assert stack.layer.counters.failures == 0
        assert not [each for each in sent if each[1] == Code.INTERNAL_SERVER_ERROR]
        assert stack.layer.open_exchanges == 0
        assert stack.layer.transmissions == 0
        await stack.close()

    run_virtual(main(), VirtualClock())


@given(_ANYTHING, st.booleans())
def test_repetition_is_answered_alike_and_works_once(datagram: bytes, is_secure: bool) -> None:
    async def main() -> None:
        handled: list[Request] = []

        def dispatch(request: Request) -> Response:
            handled.append(request)
            return respond(Code.CREATED, location_path=["rd", "x"])

        bed = Bed(dispatch)
        peer: Peer = bed.secure() if is_secure else bed.plain()
        first = peer.send(datagram)
        second = peer.send(datagram)
        if first and read(first[0]).mtype == 1:
            assert second == []
        else:
            assert second == first
        assert len(handled) <= 1
        await bed.layer.shutdown()

    run_virtual(main(), VirtualClock())


@given(_ANYTHING, st.integers(0, 1200))
def test_plain_peer_gets_at_most_three_times_what_it_sent(datagram: bytes, payload_bytes: int) -> None:
    async def main() -> None:
        bed = Bed(lambda _: respond(Code.CONTENT, payload=bytes(payload_bytes)))
        replies = bed.plain().send(datagram)
        assert sum(map(len, replies)) <= 3 * len(datagram)
        await bed.layer.shutdown()

    run_virtual(main(), VirtualClock())


_BLOCKS = st.tuples(
    st.integers(0, 2),
    st.integers(0, 4),
    st.booleans(),
    st.integers(0, 7),
    st.integers(0, 40),
    st.integers(0, 1),
)


@given(st.lists(_BLOCKS, max_size=60))
def test_assembler_counts_what_it_keeps_and_stays_within_limits(
    blocks: list[tuple[int, int, bool, int, int, int]],
) -> None:
    limits = MessagingSettings(
        max_body_bytes=64, max_assemblies=3, max_assemblies_per_peer=2, max_assembly_bytes=100
    )
    assembler = BlockAssembler(limits)
    for now, (port, number, more, szx, size, tag) in enumerate(blocks):
        payload = bytes(16 << min(szx, 1) if more and size < 30 else size)
        message = Message(
            code=Code.PUT, payload=payload, block1=(number, more, szx), request_tag=[bytes([tag])]
        )
        message.remote = PlainRemote(Address("192.0.2.1", port), lambda *_: None)
        outcome = assembler.feed(message, float(now))
        assert outcome is None or isinstance(outcome, BlockError) or len(outcome) <= 64
        kept = [each for peer in assembler._peers.values() for each in peer.values()]
        assert len(assembler) == len(kept) <= 3
        assert assembler.size_bytes == sum(len(each.body) for each in kept) <= 100
        assert all(0 < len(peer) <= 2 for peer in assembler._peers.values())


@given(st.lists(st.tuples(st.integers(0, 50), st.floats(0, 40)), max_size=100), st.integers(1, 40))
def test_table_knows_the_recent_and_nothing_beyond_its_cap(
    steps: list[tuple[int, float]], capacity: int
) -> None:
    lifetime_s = 100.0
    table = MessageTable(capacity, lifetime_s)
    added: dict[int, float] = {}
    now = 0.0
    for key, pause_s in steps:
        now += pause_s
        known = table.recall(key, now)
        if known is None:
            table.remember(key, now, key)
            added[key] = now
        else:
            assert known == key
            assert now - added[key] <= lifetime_s * 8 / 7 + lifetime_s / 7
        assert len(table) <= max(capacity, 1)
        assert table.recall(key, now) == key
