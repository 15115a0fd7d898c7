"""Block-wise transfer on the asking side (RFC 7959): what is sent next, what is made of the answers."""

from __future__ import annotations

import pytest
from aiocoap import Message

from gateway.lwm2m.requests import Method, Request
from gateway.messaging.blocks import Block
from gateway.messaging.clientcodec import Reply
from gateway.messaging.transfer import MAX_RESTARTS, Garbled, GoOn, Transfer
from tests.support.coap import read

GO_ON = GoOn.GO_ON
CONTINUE, CHANGED, CONTENT, NOT_FOUND, INCOMPLETE, TOO_LARGE = 0x5F, 0x44, 0x45, 0x84, 0x88, 0x8D
LIMIT = 10_000
BODY = bytes(number % 251 for number in range(3000))
PUT = Request(Method.PUT, ("5", "0", "0"), content_format=42, payload=BODY)
GET = Request(Method.GET, ("3",), accept=112, observe=0)


def _next(transfer: Transfer) -> Message:
    return read(b"\x40\x01\x00\x01" + transfer.encode())


def _sent(transfer: Transfer) -> tuple[Block, bytes]:
    message = _next(transfer)
    return tuple(message.opt.block1), message.payload


def _reply(code: int, **fields: object) -> Reply:
    return Reply(code, b"t", **fields)


def _content(number: int, more: bool, payload: bytes, szx: int = 2, etag: bytes | None = b"a", **fields):
    return _reply(CONTENT, payload=payload, block2=(number, more, szx), etag=etag, **fields)


# --- bodies


def test_body_is_cut_and_its_size_told_first() -> None:
    transfer = Transfer(PUT, LIMIT)
    assert _next(transfer).opt.size1 == 3000
    for number in range(2):
        assert _sent(transfer) == ((number, True, 6), BODY[1024 * number : 1024 * number + 1024])
        assert transfer.take(_reply(CONTINUE, block1=(number, True, 6))) is GO_ON
    assert _sent(transfer) == ((2, False, 6), BODY[2048:])
    assert _next(transfer).opt.size1 is None
    last = _reply(CHANGED, block1=(2, False, 6))
    assert transfer.take(last) == last


def test_device_that_asks_for_smaller_blocks_gets_them_from_where_it_is() -> None:
    transfer = Transfer(PUT, LIMIT)
    assert transfer.take(_reply(CONTINUE, block1=(0, True, 4))) is GO_ON
    assert _sent(transfer) == ((4, True, 4), BODY[1024:1280])
    assert transfer.take(_reply(CONTINUE, block1=(4, True, 6))) is GO_ON, "larger ones it does not get"
    assert _sent(transfer) == ((5, True, 4), BODY[1280:1536])


def test_acknowledgement_of_a_block_may_count_in_the_new_size() -> None:
    transfer = Transfer(PUT, LIMIT)
    transfer.take(_reply(CONTINUE, block1=(0, True, 6)))
    assert transfer.take(_reply(CONTINUE, block1=(4, True, 4))) is GO_ON
    assert _sent(transfer)[0] == (8, True, 4)


def test_acknowledgement_of_a_block_that_was_not_sent_ends_it() -> None:
    transfer = Transfer(PUT, LIMIT)
    outcome = transfer.take(_reply(CONTINUE, block1=(7, True, 6)))
    assert outcome == Garbled("block 7 was acknowledged, which was not sent")


def test_continue_without_the_option_goes_on() -> None:
    transfer = Transfer(PUT, LIMIT)
    assert transfer.take(_reply(CONTINUE)) is GO_ON
    assert _sent(transfer)[0] == (1, True, 6)


def test_device_that_takes_each_block_for_itself_gets_them_all() -> None:
    transfer = Transfer(PUT, LIMIT)
    assert transfer.take(_reply(CHANGED, block1=(0, False, 6))) is GO_ON


def test_answer_before_the_last_block_is_the_answer() -> None:
    assert Transfer(PUT, LIMIT).take(_reply(CHANGED)) == _reply(CHANGED)
    refusal = _reply(NOT_FOUND, block1=(0, True, 6))
    assert Transfer(PUT, LIMIT).take(refusal) == refusal


def test_continue_after_the_last_block_makes_no_sense() -> None:
    transfer = Transfer(Request(Method.PUT, ("3",), payload=b"short"), LIMIT)
    assert _next(transfer).opt.block1 is None
    assert transfer.take(_reply(CONTINUE)) == Garbled("2.31 to the last block")


def test_too_large_a_block_is_sent_again_smaller_down_to_the_smallest() -> None:
    transfer = Transfer(PUT, LIMIT)
    transfer.take(_reply(CONTINUE, block1=(0, True, 6)))
    for szx in (5, 2, 0):
        assert transfer.take(_reply(TOO_LARGE, block1=(0, True, szx))) is GO_ON
        assert _sent(transfer) == ((0, True, szx), BODY[: 1 << szx + 4])
    refusal = _reply(TOO_LARGE, block1=(0, True, 0))
    assert transfer.take(refusal) == refusal


@pytest.mark.parametrize(
    ("length", "sizes"),
    [
        (3000, [1024, 512, 256, 128, 64]),
        (700, [700, 512, 256, 128, 64]),
        (65, [65, 64]),
        (64, [64]),
        (0, [0]),
    ],
)
def test_too_large_without_a_size_is_tried_in_halves(length: int, sizes: list[int]) -> None:
    transfer = Transfer(Request(Method.PUT, ("3",), payload=bytes(length)), LIMIT)
    for size in sizes[:-1]:
        assert len(_next(transfer).payload) == size
        assert transfer.take(_reply(TOO_LARGE)) is GO_ON
    assert len(_next(transfer).payload) == sizes[-1]
    assert transfer.take(_reply(TOO_LARGE)) == _reply(TOO_LARGE)


def test_too_large_amid_the_body_is_the_answer() -> None:
    transfer = Transfer(PUT, LIMIT)
    transfer.take(_reply(CONTINUE, block1=(0, True, 6)))
    assert transfer.take(_reply(TOO_LARGE)) == _reply(TOO_LARGE)


def test_device_that_lost_the_first_blocks_gets_them_again_but_not_for_ever() -> None:
    transfer = Transfer(PUT, LIMIT)
    for _ in range(MAX_RESTARTS):
        assert transfer.take(_reply(CONTINUE, block1=(0, True, 6))) is GO_ON
        assert transfer.take(_reply(INCOMPLETE)) is GO_ON
        assert _sent(transfer)[0] == (0, True, 6)
    transfer.take(_reply(CONTINUE, block1=(0, True, 6)))
    assert transfer.take(_reply(INCOMPLETE)) == _reply(INCOMPLETE)
    assert Transfer(PUT, LIMIT).take(_reply(INCOMPLETE)) == _reply(INCOMPLETE), "nothing was before it"


# --- answers


def test_answer_is_put_together_without_observing_again() -> None:
    transfer = Transfer(GET, LIMIT)
    assert transfer.take(_content(0, True, bytes(64), content_format=112, sequence=5)) is GO_ON
    message = _next(transfer)
    assert (tuple(message.opt.block2), message.opt.observe, message.opt.accept) == ((1, False, 2), None, 112)
    assert transfer.take(_content(1, True, b"1" * 64)) is GO_ON
    assert transfer.size_bytes == 128
    whole = transfer.take(_content(2, False, b"2"))
    assert whole == _reply(
        CONTENT, payload=bytes(64) + b"1" * 64 + b"2", content_format=112, sequence=5, etag=b"a"
    )


def test_device_may_change_to_smaller_blocks_amid_the_answer() -> None:
    transfer = Transfer(GET, LIMIT)
    transfer.take(_content(0, True, bytes(64)))
    assert transfer.take(_content(2, True, bytes(32), szx=1)) is GO_ON
    assert tuple(_next(transfer).opt.block2) == (3, False, 1)


@pytest.mark.parametrize(("length", "is_repeated"), [(100, True), (3000, False)])
def test_what_a_composite_asks_for_is_said_with_each_block_if_it_fits(length: int, is_repeated: bool) -> None:
    request = Request(Method.FETCH, (), content_format=112, payload=bytes(length))
    transfer = Transfer(request, LIMIT)
    transfer.is_sending = False
    transfer.take(_content(0, True, bytes(64)))
    message = _next(transfer)
    assert bool(message.payload) is is_repeated
    assert message.opt.block1 is None


def test_answer_that_changes_meanwhile_is_fetched_anew() -> None:
    transfer = Transfer(GET, LIMIT)
    transfer.take(_content(0, True, b"a" * 64, sequence=5))
    assert transfer.take(_content(1, False, b"b", etag=b"b")) is GO_ON
    assert tuple(_next(transfer).opt.block2) == (0, False, 2)
    assert transfer.take(_content(0, True, b"b" * 64, etag=b"b")) is GO_ON
    whole = transfer.take(_content(1, False, b"b", etag=b"b"))
    assert isinstance(whole, Reply)
    assert (whole.payload, whole.sequence) == (b"b" * 65, 5)


def test_answer_that_begins_anew_by_itself_is_taken() -> None:
    transfer = Transfer(GET, LIMIT)
    transfer.take(_content(0, True, b"a" * 64))
    assert transfer.take(_content(0, True, b"b" * 64, etag=b"b")) is GO_ON
    whole = transfer.take(_content(1, False, b"b", etag=b"b"))
    assert isinstance(whole, Reply)
    assert whole.payload == b"b" * 65


def test_answer_that_fits_now_without_blocks_is_the_answer() -> None:
    transfer = Transfer(GET, LIMIT)
    transfer.take(_content(0, True, b"a" * 64, sequence=5))
    assert transfer.take(_reply(CONTENT, payload=b"short")) == _reply(CONTENT, payload=b"short", sequence=5)


@pytest.mark.parametrize(
    "again",
    [_content(1, False, b"x", etag=b"b"), _content(0, True, bytes(64), etag=b"b"), _reply(INCOMPLETE)],
)
def test_answer_that_changes_too_often_is_given_up(again: Reply) -> None:
    transfer = Transfer(GET, LIMIT)
    transfer.take(_content(0, True, bytes(64)))
    for number in range(MAX_RESTARTS):
        assert transfer.take(again) is GO_ON, number
        if not transfer.size_bytes:
            transfer.take(_content(0, True, bytes(64), etag=b"%d" % number))
            transfer.take(again)
            break
    for _ in range(4 * MAX_RESTARTS):
        outcome = transfer.take(again)
        if isinstance(outcome, Garbled):
            break
    assert outcome == Garbled("the answer changes faster than it can be fetched")


@pytest.mark.parametrize(
    ("reply", "reason"),
    [
        (_content(1, True, b"short"), "block 1 is not of the size it tells"),
        (_content(1, False, bytes(65)), "block 1 is not of the size it tells"),
        (_content(0, True, bytes(64), szx=7), "block 0 is not of the size it tells"),
        (_content(2, False, b"x"), "block 2 came where 64 bytes are known"),
        (_content(1, False, b"x", size2=LIMIT + 1), "an answer of more than 10000 bytes"),
    ],
)
def test_blocks_that_do_not_fit_end_it(reply: Reply, reason: str) -> None:
    transfer = Transfer(GET, LIMIT)
    transfer.take(_content(0, True, bytes(64)))
    assert transfer.take(reply) == Garbled(reason)


def test_endless_answer_is_given_up() -> None:
    transfer = Transfer(GET, 1000)
    for number in range(15):
        assert transfer.take(_content(number, True, bytes(64))) is GO_ON
    assert transfer.take(_content(15, True, bytes(64))) == Garbled("an answer of more than 1000 bytes")


def test_refusal_amid_the_answer_is_the_answer() -> None:
    transfer = Transfer(GET, LIMIT)
    transfer.take(_content(0, True, bytes(64)))
    assert transfer.take(_reply(NOT_FOUND)) == _reply(NOT_FOUND)


@pytest.mark.parametrize("method", [Method.POST, Method.PUT, Method.DELETE, Method.IPATCH])
def test_what_has_an_effect_is_not_asked_for_the_rest_of_its_answer(method: Method) -> None:
    reply = _content(0, True, bytes(64))
    assert Transfer(Request(method, ("3",)), LIMIT).take(reply) == reply


def test_long_refusal_is_not_fetched() -> None:
    reply = _reply(NOT_FOUND, payload=bytes(64), block2=(0, True, 2))
    assert Transfer(GET, LIMIT).take(reply) == reply


def test_rest_of_a_notification_is_asked_for_from_the_second_block_on() -> None:
    transfer = Transfer(GET, LIMIT)
    assert transfer.take_notification(_content(0, True, bytes(64), sequence=9)) is GO_ON
    assert tuple(_next(transfer).opt.block2) == (1, False, 2)
