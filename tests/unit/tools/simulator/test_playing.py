"""Steps of a scenario are played when they are due, by what a device can be asked for."""

from __future__ import annotations

from random import Random

from gateway.lwm2m.path import parse_path
from tools.simulator.playing import Player
from tools.simulator.scenario import Step, Walk

TEMPERATURE = parse_path("/3303/0/5700")


class RecordingDevice:
    """Notes what it is asked for; its temperature is always 20."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, object]] = []
        self.client = self

    def get(self, path):
        return 20.0

    def set_value(self, path, value, now):
        self.asked.append((str(path), value))

    def send(self, paths, now):
        self.asked.append(("send", paths))

    def update(self, now):
        self.asked.append(("update", now))

    def lose(self, part):
        self.asked.append(("lose", part))

    def go_offline(self):
        self.asked.append(("offline", None))

    def go_online(self, now):
        self.asked.append(("online", now))

    def reboot(self, now):
        self.asked.append(("reboot", now))


def test_nothing_is_due_before_the_first_registration():
    player, device = Player((Step(is_update=True),), Random(1)), RecordingDevice()
    assert player.get_timer() is None
    player.play_due(device, 100)
    assert device.asked == []


def test_steps_count_from_the_first_registration_and_not_from_later_ones():
    player, device = Player((Step(at_s=10, is_update=True),), Random(1)), RecordingDevice()
    player.begin(100)
    player.begin(105)
    assert player.get_timer() == 110
    player.play_due(device, 109)
    assert device.asked == []
    player.play_due(device, 110)
    assert device.asked == [("update", 110)]
    assert player.get_timer() is None


def test_step_asks_for_all_that_it_says():
    step = Step(values=((TEMPERATURE, 5.0),), send=(TEMPERATURE,), loss=0.5, is_reboot=True)
    player, device = Player((step,), Random(1)), RecordingDevice()
    player.begin(0)
    player.play_due(device, 0)
    assert device.asked == [
        ("/3303/0/5700", 5.0),
        ("send", (TEMPERATURE,)),
        ("lose", 0.5),
        ("reboot", 0),
    ]


def test_device_that_goes_offline_comes_back_by_itself():
    player, device = Player((Step(offline_s=30),), Random(1)), RecordingDevice()
    player.begin(0)
    player.play_due(device, 0)
    assert player.get_timer() == 30
    player.play_due(device, 31)
    assert device.asked == [("offline", None), ("online", 31)]


def test_walk_goes_on_from_where_the_value_is():
    player, device = Player((Step(walk=Walk(TEMPERATURE, 1.0, 0.0, 20.5)),), Random(1)), RecordingDevice()
    player.begin(0)
    player.play_due(device, 0)
    [(path, value)] = device.asked
    assert path == "/3303/0/5700"
    assert 19 <= value <= 20.5
