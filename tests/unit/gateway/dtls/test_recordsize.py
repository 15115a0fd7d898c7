"""Which limit holds for which records."""

from __future__ import annotations

import pytest

from gateway.dtls.alerts import AlertDescription
from gateway.dtls.errors import AlertError, DecodeError
from gateway.dtls.recordsize import UNLIMITED, RecordSizes, answer_to, sizes_of

LENGTH, LIMIT = 1, 28


def test_without_either_a_record_holds_what_it_can() -> None:
    assert sizes_of({10: b""}, is_client=False) == UNLIMITED == RecordSizes(16_384, 16_384, 16_384)
    assert answer_to({10: b""}) == {}


@pytest.mark.parametrize(("code", "length"), [(1, 512), (2, 1024), (3, 2048), (4, 4096)])
@pytest.mark.parametrize("is_client", [False, True])
def test_max_fragment_length_holds_everywhere_and_is_echoed(code: int, length: int, is_client: bool) -> None:
    offered = {LENGTH: bytes((code,))}
    assert sizes_of(offered, is_client=is_client) == RecordSizes(length, length, length)
    assert answer_to(offered) == offered


@pytest.mark.parametrize("is_client", [False, True])
def test_record_size_limit_holds_for_protected_records_to_its_sender(is_client: bool) -> None:
    offered = {LIMIT: b"\x02\x00"}
    assert sizes_of(offered, is_client=is_client) == RecordSizes(16_384, 512, 16_384)
    assert answer_to(offered) == {LIMIT: b"\x40\x00"}


def test_limit_beyond_what_a_record_may_hold_changes_nothing() -> None:
    assert sizes_of({LIMIT: b"\xff\xff"}, is_client=False) == UNLIMITED


def test_record_size_limit_wins_where_a_client_sends_both() -> None:
    offered = {LENGTH: b"\1", LIMIT: b"\x01\x00"}
    assert sizes_of(offered, is_client=False) == RecordSizes(protected_bytes=256)
    assert list(answer_to(offered)) == [LIMIT]


def test_server_that_sends_both_is_refused() -> None:
    with pytest.raises(AlertError) as raised:
        sizes_of({LENGTH: b"\1", LIMIT: b"\x01\x00"}, is_client=True)
    assert raised.value.description is AlertDescription.ILLEGAL_PARAMETER


@pytest.mark.parametrize(
    "offered", [{LENGTH: b"\0"}, {LENGTH: b"\5"}, {LIMIT: b"\0\x3f"}, {LENGTH: b"\5", LIMIT: b"\1\0"}]
)
def test_b13_values_that_are_not_allowed_are_refused(offered: dict[int, bytes]) -> None:
    with pytest.raises(AlertError) as raised:
        sizes_of(offered, is_client=False)
    assert raised.value.description is AlertDescription.ILLEGAL_PARAMETER


@pytest.mark.parametrize("offered", [{LENGTH: b""}, {LENGTH: b"\1\1"}, {LIMIT: b"\1"}, {LIMIT: b"\1\1\1"}])
def test_b13_bodies_of_another_length_are_malformed(offered: dict[int, bytes]) -> None:
    with pytest.raises(DecodeError):
        sizes_of(offered, is_client=False)


def test_type_goes_into_the_limit_beside_a_connection_id() -> None:
    sizes = sizes_of({LIMIT: b"\0\x40"}, is_client=False)
    assert (sizes.content_bytes(has_cid=False), sizes.content_bytes(has_cid=True)) == (64, 63)
