import pytest

from gateway.lwm2m.queuemode import AwakeWindows

AWAKE_S = 93.0


@pytest.fixture
def windows():
    return AwakeWindows(AWAKE_S)


def test_device_never_heard_sleeps(windows):
    assert not windows.is_awake(1, 0.0)


def test_device_is_awake_from_its_message_until_the_window_closes(windows):
    windows.hear(1, 10.0)
    assert windows.is_awake(1, 10.0)
    assert windows.is_awake(1, 10.0 + AWAKE_S - 0.001)
    assert not windows.is_awake(1, 10.0 + AWAKE_S)
    assert not windows.is_awake(2, 10.0)


def test_each_message_opens_the_window_anew(windows):
    windows.hear(1, 10.0)
    windows.hear(1, 50.0)
    assert windows.is_awake(1, 50.0 + AWAKE_S - 0.001)


def test_unanswered_request_ends_the_window_until_the_next_message(windows):
    windows.hear(1, 10.0)
    windows.end(1)
    windows.end(2)
    assert not windows.is_awake(1, 10.0)
    windows.hear(1, 11.0)
    assert windows.is_awake(1, 11.0)


def test_closed_windows_are_forgotten_and_open_ones_are_not(windows):
    windows.hear(1, 0.0)
    windows.hear(2, 1.0)
    windows.prune(AWAKE_S)
    assert len(windows) == 1
    assert windows.is_awake(2, AWAKE_S)
