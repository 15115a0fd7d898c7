"""Bodies in blocks (RFC 7959): put together in order only, within limits, and never across peers."""

from __future__ import annotations

from dataclasses import replace

import pytest
from aiocoap import Message
from aiocoap.numbers.codes import Code

from gateway.address import Address
from gateway.messaging.blocks import BlockAssembler, BlockError, cut, is_well_formed
from gateway.messaging.remote import PlainRemote, Remote, SessionRemote
from gateway.messaging.settings import MessagingSettings
from tests.support.coap import FakeSession

SETTINGS = MessagingSettings()
LAST_NUMBER = 2**20 - 1


def _remote(port: int = 5683) -> PlainRemote:
    return PlainRemote(Address("192.0.2.1", port), lambda *_: None)


def _block(
    number: int,
    more: bool,
    payload: bytes,
    *,
    szx: int = 2,
    remote: Remote | None = None,
    path: str = "rd",
    query: str = "ep=a",
    tag: bytes | None = None,
    size1: int | None = None,
    content_format: int | None = 40,
) -> Message:
    message = Message(
        code=Code.POST,
        payload=payload,
        block1=(number, more, szx),
        uri_path=(path,),
        uri_query=(query,),
        size1=size1,
        content_format=content_format,
        request_tag=() if tag is None else (tag,),
    )
    message.remote = remote or _remote()
    return message


def _assembler(**settings: float) -> BlockAssembler:
    return BlockAssembler(replace(SETTINGS, **settings))


A, B, C = b"a" * 64, b"b" * 64, b"c" * 10


def test_body_is_put_together_in_order() -> None:
    assembler = _assembler()
    assert assembler.feed(_block(0, True, A), 0.0) is None
    assert assembler.feed(_block(1, True, B), 1.0) is None
    assert assembler.feed(_block(2, False, C), 2.0) == A + B + C
    assert (len(assembler), assembler.size_bytes) == (0, 0)


def test_single_block_is_the_whole_body() -> None:
    assembler = _assembler()
    assert assembler.feed(_block(0, False, C), 0.0) == C
    assert len(assembler) == 0


def test_size_may_shrink_on_the_way() -> None:
    assembler = _assembler()
    assert assembler.feed(_block(0, True, A), 0.0) is None
    assert assembler.feed(_block(2, True, b"b" * 32, szx=1), 0.0) is None
    assert assembler.feed(_block(3, False, b"c", szx=1), 0.0) == A + b"b" * 32 + b"c"


@pytest.mark.parametrize("number", [2, 1000, LAST_NUMBER])
def test_F5_gap_ends_the_transfer(number: int) -> None:
    assembler = _assembler()
    assembler.feed(_block(0, True, A), 0.0)
    assert assembler.feed(_block(number, False, C), 0.0) is BlockError.INCOMPLETE
    assert assembler.feed(_block(1, False, C), 0.0) is BlockError.INCOMPLETE
    assert len(assembler) == 0


def test_F5_overlap_ends_the_transfer() -> None:
    assembler = _assembler()
    assembler.feed(_block(0, True, A), 0.0)
    assembler.feed(_block(1, True, B), 0.0)
    assert assembler.feed(_block(1, True, B), 0.0) is BlockError.INCOMPLETE
    assert assembler.size_bytes == 0


def test_F5_block_without_a_beginning_keeps_nothing() -> None:
    assembler = _assembler()
    assert assembler.feed(_block(LAST_NUMBER, True, A), 0.0) is BlockError.INCOMPLETE
    assert (len(assembler), assembler.size_bytes) == (0, 0)


@pytest.mark.parametrize(("more", "size"), [(True, 63), (True, 65), (True, 0), (False, 65), (False, 1024)])
def test_F5_payload_that_belies_its_size_is_malformed(more: bool, size: int) -> None:
    assert _assembler().feed(_block(0, more, bytes(size)), 0.0) is BlockError.MALFORMED


def test_F5_reserved_size_exponent_is_malformed() -> None:
    assert _assembler().feed(_block(0, True, bytes(1024), szx=7), 0.0) is BlockError.MALFORMED
    assert not is_well_formed((0, False, 7), 0)


def test_F5_size1_of_one_byte_does_not_lift_the_limit() -> None:
    assembler = _assembler(max_body_bytes=128)
    assert assembler.feed(_block(0, True, A, size1=1), 0.0) is None
    assert assembler.feed(_block(1, True, B), 0.0) is None
    assert assembler.feed(_block(2, False, C), 0.0) is BlockError.TOO_LARGE
    assert assembler.size_bytes == 0


def test_size1_beyond_the_limit_is_refused_at_once() -> None:
    assembler = _assembler(max_body_bytes=128)
    assert assembler.feed(_block(0, True, A, size1=129), 0.0) is BlockError.TOO_LARGE
    assert len(assembler) == 0


def test_body_of_exactly_the_limit_is_taken() -> None:
    assembler = _assembler(max_body_bytes=128)
    assembler.feed(_block(0, True, A), 0.0)
    assert assembler.feed(_block(1, False, B), 0.0) == A + B


def test_beginning_again_forgets_the_first_attempt() -> None:
    assembler = _assembler()
    assembler.feed(_block(0, True, A), 0.0)
    assembler.feed(_block(1, True, B), 0.0)
    assert assembler.feed(_block(0, True, B), 0.0) is None
    assert assembler.size_bytes == 64
    assert assembler.feed(_block(1, False, C), 0.0) == B + C


@pytest.mark.parametrize(
    "other",
    [
        pytest.param({"remote": _remote(5684)}, id="port"),
        pytest.param({"tag": b"1"}, id="request-tag"),
        pytest.param({"path": "dp"}, id="path"),
        pytest.param({"query": "ep=b"}, id="query"),
        pytest.param({"content_format": None}, id="content-format"),
    ],
)
def test_F6_transfers_that_differ_are_not_mixed(other: dict[str, object]) -> None:
    assembler = _assembler()
    assembler.feed(_block(0, True, A), 0.0)
    assert assembler.feed(_block(1, False, B, **other), 0.0) is BlockError.INCOMPLETE
    assert assembler.feed(_block(1, False, C), 0.0) == A + C


def test_F6_sessions_of_one_identity_are_not_mixed() -> None:
    assembler = _assembler()
    old = SessionRemote(FakeSession(1), lambda *_: None)
    new = SessionRemote(FakeSession(2), lambda *_: None)
    assembler.feed(_block(0, True, A, remote=old), 0.0)
    assert assembler.feed(_block(1, False, B, remote=new), 0.0) is BlockError.INCOMPLETE


def test_F6_token_says_nothing() -> None:
    assembler = _assembler()
    first, second = _block(0, True, A), _block(1, False, B)
    first.token, second.token = b"1", b"2"
    assembler.feed(first, 0.0)
    assert assembler.feed(second, 0.0) == A + B


def test_number_of_transfers_is_limited_and_the_idle_ones_go() -> None:
    assembler = _assembler(max_assemblies=3)
    for port in range(3):
        assembler.feed(_block(0, True, A, remote=_remote(port)), 0.0)
    assembler.feed(_block(1, True, B, remote=_remote(0)), 0.0)
    assembler.feed(_block(0, True, A, remote=_remote(3)), 0.0)
    assert len(assembler) == 3
    assert assembler.feed(_block(2, False, C, remote=_remote(0)), 0.0) == A + B + C
    assert assembler.feed(_block(1, False, C, remote=_remote(1)), 0.0) is BlockError.INCOMPLETE


def test_transfers_of_one_peer_are_limited() -> None:
    assembler = _assembler(max_assemblies_per_peer=2)
    for tag in (b"1", b"2", b"3"):
        assembler.feed(_block(0, True, A, tag=tag), 0.0)
    assert len(assembler) == 2
    assert assembler.feed(_block(1, False, C, tag=b"1"), 0.0) is BlockError.INCOMPLETE
    assert assembler.feed(_block(1, False, C, tag=b"3"), 0.0) == A + C


def test_one_transfer_of_a_peer_makes_room_for_another() -> None:
    assembler = _assembler(max_assemblies_per_peer=1)
    assembler.feed(_block(0, True, A, tag=b"1"), 0.0)
    assembler.feed(_block(0, True, B, tag=b"2"), 0.0)
    assert assembler.feed(_block(1, False, C, tag=b"2"), 0.0) == B + C


def test_bytes_of_all_transfers_are_limited() -> None:
    assembler = _assembler(max_assembly_bytes=200)
    for port in range(3):
        assembler.feed(_block(0, True, A, remote=_remote(port)), 0.0)
    assert assembler.feed(_block(1, True, B, remote=_remote(2)), 0.0) is None
    assert assembler.size_bytes <= 200
    assert assembler.feed(_block(2, False, C, remote=_remote(2)), 0.0) == A + B + C
    assert assembler.feed(_block(1, False, C, remote=_remote(0)), 0.0) is BlockError.INCOMPLETE


def test_overdue_transfer_is_dropped() -> None:
    assembler = _assembler()
    assembler.feed(_block(0, True, A), 0.0)
    assembler.sweep(SETTINGS.assembly_lifetime_s - 1)
    assert len(assembler) == 1
    assembler.sweep(SETTINGS.assembly_lifetime_s)
    assert (len(assembler), assembler.size_bytes) == (0, 0)


def test_transfers_of_a_peer_that_left_are_dropped() -> None:
    assembler = _assembler()
    assembler.feed(_block(0, True, A, tag=b"1"), 0.0)
    assembler.feed(_block(0, True, A, tag=b"2"), 0.0)
    assembler.feed(_block(0, True, A, remote=_remote(1)), 0.0)
    assembler.forget(_remote().blockwise_key)
    assembler.forget("nobody")
    assert len(assembler) == 1


@pytest.mark.parametrize(
    ("size", "wanted", "expected"),
    [
        pytest.param(10, None, (0, 10, None), id="short"),
        pytest.param(1024, None, (0, 1024, None), id="one-datagram"),
        pytest.param(1025, None, (0, 1024, (0, True, 6)), id="long"),
        pytest.param(1025, (1, False, 6), (1024, 1025, (1, False, 6)), id="its-end"),
        pytest.param(40, (0, False, 0), (0, 16, (0, True, 0)), id="small-blocks"),
        pytest.param(40, (1, False, 0), (16, 32, (1, True, 0)), id="the-second"),
        pytest.param(40, (2, False, 0), (32, 40, (2, False, 0)), id="the-last"),
        pytest.param(0, (0, False, 0), (0, 0, (0, False, 0)), id="empty"),
    ],
)
def test_answer_is_cut(
    size: int, wanted: tuple[int, bool, int] | None, expected: tuple[int, int, tuple[int, bool, int] | None]
) -> None:
    payload = bytes(number % 251 for number in range(size))
    begin, end, block = expected
    assert cut(payload, wanted) == (payload[begin:end], block)


@pytest.mark.parametrize("number", [3, LAST_NUMBER])
def test_answer_ends_before_the_block_asked_for(number: int) -> None:
    assert cut(bytes(40), (number, False, 0)) is None
