"""`gateway.dtls.aboveceiling`: how much is held, and what is let go."""

from __future__ import annotations

from gateway.dtls.aboveceiling import (
    HELD_BYTES,
    HELD_RECORDS,
    HELD_TOTAL_BYTES,
    AboveCeiling,
)
from gateway.dtls.counters import Counters
from gateway.dtls.record import HELD_RECORD_BYTES, Record
from tests.support.dtls_pair import ADDRESS
from tests.unit.gateway.dtls.test_sessions import make_session


class Scene:
    """Records of one session, held by their numbers."""

    def __init__(self) -> None:
        self.counters = Counters()
        self.held = AboveCeiling(self.counters)
        self.session = make_session(1)

    def hold(self, sequence: int, size: int = 10) -> bool:
        record = Record(23, 0xFEFD, 1, sequence, b"", bytes(8), bytes(size))
        return self.held.hold(self.session, record, ADDRESS)

    def release(self, last: int) -> list[int]:
        return [each.record.sequence for each in self.held.release(self.session.number, last)]


def test_record_is_held_once() -> None:
    scene = Scene()
    assert [scene.hold(5), scene.hold(5), scene.hold(6)] == [True, False, True]
    assert (scene.counters.records_held, scene.counters.replayed_records) == (2, 1)


def test_session_holds_so_many_records() -> None:
    scene = Scene()
    assert [scene.hold(sequence) for sequence in range(HELD_RECORDS + 1)] == [True] * HELD_RECORDS + [False]
    assert (scene.counters.records_held, scene.counters.held_records_dropped) == (HELD_RECORDS, 1)


def test_session_holds_so_many_bytes() -> None:
    scene = Scene()
    assert [scene.hold(1, HELD_BYTES - 100), scene.hold(2, 100), scene.hold(3, 1)] == [True, True, False]
    assert scene.counters.held_records_dropped == 1


def test_all_sessions_hold_so_many_bytes() -> None:
    scene = Scene()
    for number in range(HELD_TOTAL_BYTES // (HELD_BYTES + HELD_RECORD_BYTES)):
        scene.session = make_session(number)
        assert scene.hold(9, HELD_BYTES)
    scene.session = make_session(number + 1)
    assert not scene.hold(9, HELD_BYTES)
    scene.held.drop(number)
    assert scene.hold(9, HELD_BYTES)


def test_what_it_takes_to_hold_a_record_counts() -> None:
    scene = Scene()
    scene.hold(9, 0)
    assert scene.held.size_bytes == HELD_RECORD_BYTES
    scene.held.drop(scene.session.number)
    assert scene.held.size_bytes == 0


def test_what_the_ceiling_has_passed_is_released_and_the_rest_stays() -> None:
    scene = Scene()
    for sequence in (30, 10, 20):
        scene.hold(sequence)
    assert scene.release(20) == [10, 20]
    assert scene.held.size_bytes == 10 + HELD_RECORD_BYTES
    assert scene.release(30) == [30]
    assert (scene.held.by_session, scene.held.size_bytes) == ({}, 0)


def test_everything_is_released_where_nothing_waits_any_more() -> None:
    scene = Scene()
    scene.hold(1)
    scene.session = other = make_session(2)
    scene.hold(2)
    assert [each.session.number for each in scene.held.release_all()] == [1, other.number]
    assert (scene.held.by_session, scene.held.size_bytes) == ({}, 0)
