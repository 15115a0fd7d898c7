"""Whatever devices answer: a value or a `DecodeError`, an outcome for each request, nothing without end."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from gateway.lwm2m.requests import Method, Request
from gateway.messaging.clientcodec import Reply, decode_reply, encode_request
from gateway.messaging.format import DecodeError
from gateway.messaging.outcomes import Answered
from gateway.messaging.transfer import MAX_RESTARTS, Garbled, GoOn, Transfer
from tests.support.clock import VirtualClock, run_virtual
from tests.support.coap import ACK, BLOCK1, BLOCK2, CON, NON, RST, Bed, block, coap, read

LIMIT = 4096
_TEXT = st.text(max_size=20).filter(lambda text: len(text.encode()) <= 255)
_METHODS = st.sampled_from(Method)
_BLOCKS = st.tuples(st.integers(0, 5), st.booleans(), st.integers(0, 7))

_OPTIONS = st.lists(
    st.tuples(st.sampled_from([4, 6, 8, 11, 12, 14, 23, 27, 28, 60, 9, 65001]), st.binary(max_size=9)),
    max_size=6,
)

_RESPONSES = st.builds(
    coap,
    st.sampled_from([CON, NON, ACK, RST]),
    st.builds("{}.{:02}".format, st.integers(2, 7), st.integers(0, 31)),
    st.integers(0, 3),
    st.binary(max_size=8),
    _OPTIONS,
    st.binary(max_size=64),
)

_REQUESTS = st.builds(
    Request,
    _METHODS,
    st.lists(_TEXT, max_size=4).map(tuple),
    st.lists(_TEXT, max_size=3).map(tuple),
    st.none() | st.integers(0, 65_535),
    st.none() | st.integers(0, 65_535),
)

_REPLIES = st.builds(
    Reply,
    st.sampled_from([0x41, 0x44, 0x45, 0x5F, 0x84, 0x88, 0x8D, 0xA0]),
    st.just(b"token"),
    st.sampled_from([b"", b"short", bytes(16), bytes(32), bytes(64), bytes(1024), bytes(1025)]),
    st.none() | st.just(112),
    st.none() | st.integers(0, 0xFFFFFF),
    st.none() | st.sampled_from([b"a", b"b"]),
    st.just(()),
    st.none() | _BLOCKS,
    st.none() | _BLOCKS,
    st.none() | st.integers(0, 5000),
)


@given(st.one_of(st.binary(min_size=4, max_size=80), _RESPONSES))
def test_decoding_gives_a_reply_or_a_decode_error(datagram: bytes) -> None:
    try:
        reply = decode_reply(datagram)
    except DecodeError:
        return
    assert (reply.code, len(reply.token)) == (datagram[1], datagram[0] & 0x0F)


@given(
    _REQUESTS, st.binary(max_size=40), st.none() | st.integers(0, 1), st.none() | _BLOCKS, st.none() | _BLOCKS
)
def test_encoded_request_is_read_by_aiocoap_as_it_was_meant(
    request: Request,
    payload: bytes,
    observe: int | None,
    block1: tuple[int, bool, int] | None,
    block2: tuple[int, bool, int] | None,
) -> None:
    body = encode_request(request, payload, observe=observe, block1=block1, block2=block2)
    message = read(bytes((0x40, request.method.value, 0, 1)) + body)
    assert (message.opt.uri_path, message.opt.uri_query) == (request.path, request.queries)
    assert (message.opt.content_format, message.opt.accept) == (request.content_format, request.accept)
    assert (message.payload, message.opt.observe) == (payload, observe)
    for option, wanted in ((message.opt.block1, block1), (message.opt.block2, block2)):
        assert (None if option is None else tuple(option)) == wanted


@given(_METHODS, st.sampled_from([0, 100, 3000]), st.lists(_REPLIES, min_size=1, max_size=4))
def test_transfer_ends_whatever_is_answered(method: Method, size: int, replies: list[Reply]) -> None:
    transfer = Transfer(Request(method, ("3",), payload=bytes(size)), LIMIT)
    steps = 0
    step: object = GoOn.GO_ON
    # A device that answers the same things again and again: what it says can be no more than the limit,
    # in the smallest blocks, each way, as often as a transfer begins anew.
    most = (size + LIMIT) // 16 * (MAX_RESTARTS + 8)
    while step is GoOn.GO_ON:
        assert len(transfer.encode()) <= 1024 + 40
        assert transfer.size_bytes <= LIMIT
        step = transfer.take(replies[steps % len(replies)])
        steps += 1
        assert steps <= most
    assert isinstance(step, Reply | Garbled)


@given(st.binary(max_size=3000), st.binary(max_size=3000), st.integers(0, 6), st.integers(0, 6))
def test_bodies_arrive_whole_in_blocks_of_any_size(body: bytes, answer: bytes, szx1: int, szx2: int) -> None:
    transfer = Transfer(Request(Method.FETCH, (), payload=body), LIMIT)
    received = b""
    while True:
        message = read(b"\x40\x05\x00\x01" + transfer.encode())
        block1, block2 = message.opt.block1, message.opt.block2
        if block1 is not None:
            received += message.payload
            if block1.more:
                number = block1.block_number
                assert transfer.take(Reply(0x5F, b"t", block1=(number, True, szx1))) is GoOn.GO_ON
                continue
        elif block2 is None:
            received += message.payload
        number = block2.block_number if block2 else 0
        size = 1 << szx2 + 4
        piece, more = answer[number * size : (number + 1) * size], (number + 1) * size < len(answer)
        step = transfer.take(Reply(0x45, b"t", piece, etag=b"e", block2=(number, more, szx2)))
        if step is not GoOn.GO_ON:
            break
    assert received == body
    assert isinstance(step, Reply)
    assert step.payload == answer


@given(st.lists(st.one_of(st.binary(max_size=60), _RESPONSES), max_size=20), st.booleans())
def test_link_takes_anything_and_tells_each_outcome_once(datagrams: list[bytes], is_known: bool) -> None:
    async def play(_: VirtualClock) -> None:
        bed = Bed()
        peer = bed.plain()
        bed.layer.link.on_notification = lambda *_: is_known
        first, second = bed.ask(peer), bed.ask(peer, Request(Method.PUT, ("5",), payload=bytes(3000)))
        request = read(peer.take()[0])
        for datagram in datagrams:
            peer.give(datagram)
            # The same again as if it were the answer.
            if len(datagram) >= 4 and len(datagram) >= 4 + (datagram[0] & 0x0F) and datagram[1] >= 0x40:
                tail = datagram[4 + (datagram[0] & 0x0F) :]
                header = coap(ACK, "2.05", request.mid, request.token)
                peer.give(header[:1] + datagram[1:2] + header[2:] + tail)
        assert bed.counters.get("failures", 0) == 0
        await bed.layer.shutdown()
        assert len(first.outcomes) <= 1
        assert len(second.outcomes) <= 1
        assert (len(bed.layer.link), bed.layer.transmissions, bed.layer.link._bodies_bytes) == (0, 0, 0)

    clock = VirtualClock()
    run_virtual(play(clock), clock)


@given(st.integers(0, 6), st.integers(2, 40))
def test_piggybacked_blocks_of_one_answer_are_one_answer(szx: int, count: int) -> None:
    async def play(_: VirtualClock) -> None:
        bed = Bed()
        peer = bed.plain()
        asked = bed.ask(peer)
        size = 1 << szx + 4
        for number in range(count):
            (datagram,) = peer.take()
            request = read(datagram)
            options = [(BLOCK2, block(number, number < count - 1, szx)), (BLOCK1, block(0, False, 0))]
            peer.give(coap(ACK, "2.05", request.mid, request.token, options, bytes([number]) * size))
        assert isinstance(asked.outcome, Answered)
        assert asked.outcome.response.payload == b"".join(bytes([number]) * size for number in range(count))

    clock = VirtualClock()
    run_virtual(play(clock), clock)
