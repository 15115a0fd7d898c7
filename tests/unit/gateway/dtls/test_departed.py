"""`gateway.dtls.departed`: which rows there are of sessions that are over."""

from __future__ import annotations

from gateway.dtls.departed import Departed, DepartedSessions
from gateway.dtls.session import Session
from tests.unit.gateway.dtls.test_sessions import make_session


def over(number: int, identity: bytes = b"one") -> Session:
    session = make_session(number, identity)
    session.session_id = b"%032d" % number
    return session


def test_each_is_to_be_written_once() -> None:
    departed = DepartedSessions()
    sessions = [over(number, b"%d" % number) for number in range(3)]
    for session in sessions:
        assert departed.add(session) == []
    assert departed.take_unsaved(2) == sessions[:2]
    assert departed.has_unsaved
    assert departed.take_unsaved(2) == sessions[2:]
    assert not departed.has_unsaved
    assert [each.number for each in departed.all()] == [0, 1, 2]


def test_newer_one_takes_the_place_of_the_older_of_its_identity() -> None:
    departed = DepartedSessions()
    departed.add(over(1))
    (older,) = departed.all()
    assert departed.add(over(2)) == [1]
    assert not departed.is_known(older)
    assert departed.all() == [Departed(2, b"one", b"%032d" % 2)]
    assert [session.number for session in departed.take_unsaved(9)] == [2]


def test_forgotten_one_is_not_written_any_more() -> None:
    departed = DepartedSessions()
    departed.add(over(1))
    assert departed.forget(b"one") == [1]
    assert departed.forget(b"one") == []
    assert not departed.has_unsaved


def test_restored_one_is_known_and_needs_no_writing() -> None:
    departed = DepartedSessions()
    restored = Departed(7, b"one", b"id")
    departed.restore(restored)
    assert departed.is_known(restored)
    assert not departed.has_unsaved
    assert departed.forget(b"one") == [7]


def test_nothing_is_left_without_a_disk() -> None:
    departed = DepartedSessions()
    departed.add(over(1))
    departed.clear()
    assert departed.all() == []
    assert not departed.has_unsaved
