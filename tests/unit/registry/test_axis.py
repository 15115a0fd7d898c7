import pytest

from registry.axis import Axis, CleanStop

WALL_MS = 1_800_000_000_250


def test_axis_starts_at_the_wall_clock_and_goes_with_monotonic_time():
    axis = Axis(50.0, WALL_MS, None)
    assert axis.at(50.0) == pytest.approx(WALL_MS / 1000)
    assert axis.at(60.5) == pytest.approx(WALL_MS / 1000 + 10.5)
    assert axis.shift_s == 0
    assert axis.skew_ms(60.5, WALL_MS + 10_500) == pytest.approx(0, abs=1)
    assert axis.skew_ms(60.5, WALL_MS) == pytest.approx(-10_500, abs=1)


@pytest.mark.parametrize("step_s", [-86_400, -10, 0, 3, 86_400])
def test_remaining_times_are_kept_to_the_millisecond_whatever_the_wall_clock_did(step_s):
    stop = CleanStop(WALL_MS - 60_123, WALL_MS - 60_123)
    axis = Axis(5.0, WALL_MS + step_s * 1000, stop)
    expiry = (WALL_MS // 1000) + 40
    remaining_before = expiry - stop.stopped_ms / 1000
    assert expiry + axis.shift_s - axis.at(5.0) == pytest.approx(remaining_before, abs=1e-6)
    assert abs(axis.skew_ms(5.0, WALL_MS + step_s * 1000)) <= 501


@pytest.mark.parametrize("stop", [None, CleanStop(500, 500)])
def test_axis_is_past_second_0_also_where_the_clock_was_never_set(stop):
    assert Axis(0.0, 0, stop).at(0.0) >= 1


def test_clean_stop_survives_its_encoding():
    stop = CleanStop(1, 2)
    assert CleanStop.decode(stop.encode()) == stop
