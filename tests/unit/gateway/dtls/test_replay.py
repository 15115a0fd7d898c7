"""The anti-replay window."""

import pytest

from gateway.dtls.replay import WINDOW, ReplayWindow

LAST = (1 << 48) - 1


def test_first_record_may_have_any_number() -> None:
    for sequence in (0, 5, LAST):
        assert ReplayWindow().is_fresh(sequence)


def test_marked_number_is_never_fresh_again() -> None:
    window = ReplayWindow()
    for sequence in range(200):
        assert window.mark(sequence)
        assert not any(window.is_fresh(old) for old in range(sequence + 1))
        assert window.is_fresh(sequence + 1)


def test_asking_changes_nothing() -> None:
    window = ReplayWindow()
    window.mark(3)
    assert window.is_fresh(LAST)
    assert (window.newest, window.seen) == (3, 1)


def test_late_record_counts_once_and_is_not_the_newest() -> None:
    window = ReplayWindow()
    assert window.mark(70)
    assert not window.mark(7)
    assert not window.is_fresh(7)
    assert window.is_fresh(8)
    assert window.newest == 70


def test_d4_window_is_64_wide() -> None:
    window = ReplayWindow()
    window.mark(100)
    assert window.is_fresh(100 - WINDOW + 1)
    assert not window.is_fresh(100 - WINDOW)
    assert not window.is_fresh(0)


@pytest.mark.parametrize("jump", [1, 63, 64, 65, 127, 128, 129, 192, 1 << 32, LAST - 10])
def test_d4_jump_forgets_exactly_what_left_the_window(jump: int) -> None:
    window = ReplayWindow()
    for sequence in range(11):
        window.mark(sequence)
    newest = 10 + jump
    assert window.mark(newest)
    for sequence in range(newest - WINDOW - 2, newest + 2):
        was_marked = 0 <= sequence <= 10 or sequence == newest
        is_in_window = newest - WINDOW < sequence
        assert window.is_fresh(sequence) == (is_in_window and not was_marked)
    assert window.seen < 1 << WINDOW


def test_marking_what_is_too_old_leaves_the_window_alone() -> None:
    window = ReplayWindow()
    window.mark(LAST)
    assert not window.mark(0)
    assert (window.newest, window.seen) == (LAST, 1)


def test_window_can_be_built_from_what_was_kept() -> None:
    window = ReplayWindow(newest=9, seen=0b101)
    assert [sequence for sequence in range(12) if window.is_fresh(sequence)] == [
        0,
        1,
        2,
        3,
        4,
        5,
        6,
        8,
        10,
        11,
    ]
