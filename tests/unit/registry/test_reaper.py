from dataclasses import replace

import pytest

from registry.axis import Axis
from registry.changes import Purge, Remove
from registry.events import EventType
from registry.memory import Memory
from registry.model import Device, Security
from registry.outcomes import COMMITTED, OVERTAKEN
from registry.overlay import Overlay
from registry.reaper import Reaper
from tests.support.clock import VirtualClock
from tests.support.registry import make_registration


class Scene:
    """Devices 1 … *count* with a lifetime of 10 s and a claim of 10 s."""

    def __init__(self, count=1):
        self.clock = VirtualClock()
        self.memory, self.overlay, self.sent = Memory(), Overlay(), []
        self.axis = Axis(self.clock.monotonic(), self.clock.wall_ms(), None)
        now = self.axis.at(self.clock.monotonic())
        self.memory.start_timers(int(now))
        for number in range(1, count + 1):
            device = Device(number, f"d-{number}", f"n-{number}", Security.NONE, 10, self.clock.wall_ms())
            registration = make_registration(device, lifetime_s=10)
            self.memory.put_device(device)
            self.memory.put_registration(registration)
            self.memory.grant(registration, now, 0)
            self.memory.arm_claim(device, now, self.clock.wall_ms())
        self.reaper = Reaper(self.memory, self.overlay, self.axis, self.clock, self.sent.append)

    def expire(self):
        self.reaper.expire(self.clock.monotonic())
        return self.take()

    def purge(self):
        self.reaper.purge(self.clock.monotonic())
        return self.take()

    def take(self):
        sent, self.sent[:] = list(self.sent), []
        return sent

    def conclude(self, changes, outcome=COMMITTED):
        for change in changes:
            if isinstance(change, Remove):
                self.overlay.finish(change.device.number)
                if outcome is COMMITTED:
                    self.memory.remove_registration(change.device.number)
                self.reaper.expired(change, outcome)
            else:
                if outcome is COMMITTED:
                    self.memory.remove_device(change.device)
                self.reaper.purged(change, outcome)


@pytest.fixture
def scene():
    return Scene()


def test_due_registration_is_sent_once(scene):
    assert scene.expire() == []
    scene.clock.advance(11)
    [change] = scene.expire()
    assert change.type is EventType.REGISTRATION_EXPIRED
    assert scene.overlay.locations == {change.registration.location: None}
    assert scene.expire() == []
    change.done(COMMITTED)
    scene.conclude([change])
    assert scene.expire() == []


def test_changing_registration_is_looked_at_a_second_later(scene):
    registration = scene.memory.registrations[1]
    scene.clock.advance(11)
    scene.overlay.begin(1, registration, registration)
    assert scene.expire() == []
    scene.overlay.finish(1)
    assert scene.expire() == []
    scene.clock.advance(1)
    assert len(scene.expire()) == 1


def test_expiry_that_failed_is_sent_again_a_little_later(scene):
    scene.clock.advance(11)
    scene.conclude(scene.expire(), OVERTAKEN)
    assert scene.expire() == []
    scene.clock.advance(5)
    assert len(scene.expire()) == 1


def test_next_chunk_follows_the_last_of_the_one_before():
    scene = Scene(1_100)
    scene.clock.advance(11)
    sizes = []
    chunk = scene.expire()
    while chunk:
        sizes.append(len(chunk))
        scene.conclude(chunk[:-1])
        assert scene.take() == []
        scene.conclude(chunk[-1:])
        chunk = scene.take()
    assert sizes == [500, 500, 100]


def test_due_claim_is_sent_once(scene):
    assert scene.purge() == []
    scene.clock.advance(11)
    [change] = scene.purge()
    assert isinstance(change, Purge)
    assert scene.purge() == []
    scene.conclude([change])
    assert scene.purge() == []


def test_purge_that_failed_is_sent_again_a_little_later(scene):
    scene.clock.advance(11)
    scene.conclude(scene.purge(), OVERTAKEN)
    assert scene.purge() == []
    scene.clock.advance(5)
    assert len(scene.purge()) == 1


def test_frozen_device_waits_until_it_is_filed_again(scene):
    device = scene.memory.numbers[1]
    scene.memory.put_device(replace(device, is_frozen=True))
    scene.clock.advance(1_000)
    assert scene.purge() == []
    scene.memory.put_device(device)
    assert scene.purge() == []
    scene.memory.claims.refile(1, 0)
    scene.clock.advance(1)
    assert len(scene.purge()) == 1


def test_registering_device_is_not_purged(scene):
    registration = scene.memory.registrations[1]
    scene.clock.advance(11)
    scene.overlay.begin(1, None, registration)
    assert scene.purge() == []
    scene.overlay.finish(1)
    scene.clock.advance(1)
    assert len(scene.purge()) == 1


def test_next_chunk_of_purges_follows_as_well():
    scene = Scene(700)
    scene.clock.advance(11)
    first = scene.purge()
    scene.conclude(first)
    assert (len(first), len(scene.take())) == (500, 200)
