"""`gateway.dtls.resumption`: how much is kept, and for how long."""

from __future__ import annotations

import pytest

from gateway.dtls.errors import DecodeError
from gateway.dtls.resumption import Resumable, Resumables, decode_resumable, encode_resumable

ENTRY = Resumable(100.0, None, b"m" * 48, 0xC0A8, False, b"meter-1", b"3/1/", b"")


def fill(resumables: Resumables, count: int, now: float = 0.0) -> None:
    for number in range(count):
        entry = ENTRY._replace(identity=b"%d" % number, expires_at=now + 100.0)
        resumables.add(b"id-%d" % number, entry, now)


@pytest.mark.parametrize(
    "entry",
    [ENTRY, ENTRY._replace(session_expires_at=7.5, encrypt_then_mac=True, server_name=b"gw", credential=b"")],
)
def test_entry_comes_back(entry: Resumable) -> None:
    assert decode_resumable(encode_resumable(entry)) == entry


def test_entry_of_another_form_is_refused() -> None:
    encoded = encode_resumable(ENTRY)
    for wrong in (encoded[:-1], encoded + b"\0", encoded[:20], b""):
        with pytest.raises(DecodeError):
            decode_resumable(wrong)


def test_newest_of_an_identity_is_kept() -> None:
    resumables = Resumables(10)
    resumables.add(b"first", ENTRY, 0.0)
    resumables.add(b"second", ENTRY, 0.0)
    assert resumables.find(b"first", 0.0) is None
    assert resumables.find(b"second", 0.0) == ENTRY
    assert len(resumables) == 1


def test_what_is_out_of_date_is_not_found_and_goes_in_time() -> None:
    resumables = Resumables(10)
    fill(resumables, 3)
    assert resumables.find(b"id-0", 100.0) is None
    resumables.add(b"later", ENTRY._replace(expires_at=300.0), 200.0)
    assert len(resumables) == 1


@pytest.mark.parametrize("limit", [1, 5, 1_000])
def test_beyond_the_limit_the_oldest_go(limit: int) -> None:
    resumables = Resumables(limit)
    fill(resumables, limit + 1)
    assert limit - limit // 100 <= len(resumables) <= limit
    assert resumables.find(b"id-0", 0.0) is None
    newest = resumables.find(b"id-%d" % limit, 0.0)
    assert newest is not None
    assert newest.identity == b"%d" % limit
