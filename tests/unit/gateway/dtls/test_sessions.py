"""`gateway.dtls.sessions`: indices in step, and who gives way to whom."""

from __future__ import annotations

import pytest

from gateway.address import Address
from gateway.dtls.record import Opener, Sealer
from gateway.dtls.replay import ReplayWindow
from gateway.dtls.session import Keys, Session
from gateway.dtls.sessions import SessionTable
from gateway.dtls.suites import SUITES

SUITE = SUITES[0xC0A8]


def make_session(number: int, identity: bytes = b"one", cid: bytes = b"", now: float = 0.0) -> Session:
    opener = Opener(SUITE, b"k" * 16, b"i" * 4, cid)
    sealer = Sealer(SUITE, b"k" * 16, b"i" * 4, b"")
    address = Address("192.0.2.1", number)
    return Session(number, identity, address, cid, Keys(opener, sealer, ReplayWindow(), 1), now)


def make_table(max_sessions: int = 10, stale_s: float = 100.0) -> SessionTable:
    return SessionTable(max_sessions, stale_s)


def test_session_is_found_by_its_cid_or_else_by_its_address() -> None:
    table = make_table()
    with_cid, without = make_session(1, cid=b"cid"), make_session(2, b"two")
    table.add(with_cid)
    table.add(without)
    assert table.find_by_cid(b"cid") is with_cid
    assert table.find_by_address(with_cid.address) is None
    assert table.find_by_address(without.address) is without
    assert table.of_identity(b"two") == (without,)
    assert list(table.all()) == [with_cid, without]


@pytest.mark.parametrize("cid", [b"", b"cid"])
def test_removed_session_leaves_no_trace(cid: bytes) -> None:
    table = make_table()
    session = make_session(1, cid=cid)
    table.add(session)
    table.remove(session)
    assert len(table) == 0
    assert table.find_by_cid(b"cid") is None
    assert table.find_by_address(session.address) is None
    assert table.of_identity(b"one") == ()


@pytest.mark.parametrize("goes", [0, 1])
def test_of_two_sessions_of_an_identity_either_can_go(goes: int) -> None:
    table = make_table()
    both = [make_session(1), make_session(2)]
    for session in both:
        table.add(session)
    assert table.of_identity(b"one") == tuple(both)
    table.remove(both[goes])
    assert table.of_identity(b"one") == (both[1 - goes],)


def test_sessions_of_an_identity_share_its_bytes() -> None:
    table = make_table()
    first, second = make_session(1, b"some identity"), make_session(2, bytes(bytearray(b"some identity")))
    table.add(first)
    table.add(second)
    assert second.identity is first.identity


def test_a_third_session_displaces_the_newer_one_unless_the_older_never_served() -> None:
    table = make_table()
    older, newer = make_session(1), make_session(2)
    table.add(older)
    assert table.surplus_of(b"one") is None
    table.add(newer)
    assert table.surplus_of(b"one") is older
    older.is_confirmed = True
    assert table.surplus_of(b"one") is newer


def test_the_one_longest_unused_gives_way_and_only_when_stale() -> None:
    table = make_table(max_sessions=2, stale_s=100.0)
    first, second = make_session(1, b"one"), make_session(2, b"two")
    assert table.find_stale(1e9) is None
    table.add(first)
    assert not table.is_full
    table.add(second)
    assert table.is_full
    table.touch(first, 50.0)
    assert table.find_stale(100.0) is None
    assert table.find_stale(101.0) is second
    table.touch(second, 120.0)
    assert table.find_stale(151.0) is first
