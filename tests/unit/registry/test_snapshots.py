from dataclasses import replace

import pytest

from registry.axis import Axis
from registry.leases import unpack
from registry.memory import Memory
from registry.model import Device, Security
from registry.snapshots import Snapshots, write_leases, write_moves
from tests.support.clock import VirtualClock
from tests.support.registry import Place, make_registration

DEVICE = Device(1, "d-1", "n", Security.NONE, 0, 0)


class Scene:
    def __init__(self):
        self.clock = VirtualClock()
        self.memory = Memory()
        self.axis = Axis(self.clock.monotonic(), self.clock.wall_ms(), None)
        self.snapshots = Snapshots(self.memory, self.axis, self.clock)
        self.registration = make_registration(DEVICE)
        self.memory.put_registration(self.registration)
        self.memory.grant(self.registration, self.axis.at(self.clock.monotonic()), 0)


@pytest.fixture
def scene():
    return Scene()


def test_only_what_changed_is_taken(scene):
    assert [page for page, _ in scene.snapshots.take().pages] == [0]
    assert scene.snapshots.take().pages == []
    assert scene.snapshots.take().stop is None


def test_wall_clock_step_takes_everything_once(scene):
    scene.snapshots.take()
    scene.clock.step_wall(-5_000)
    snapshot = scene.snapshots.take()
    assert len(snapshot.pages) == 1
    assert snapshot.skew_ms == pytest.approx(-5_000, abs=2)
    assert scene.snapshots.take().pages == []
    scene.clock.step_wall(500)
    assert scene.snapshots.take().pages == []


def test_last_snapshot_takes_everything_and_the_instant(scene):
    scene.snapshots.take()
    snapshot = scene.snapshots.take(is_last=True)
    assert len(snapshot.pages) == 1
    assert snapshot.stop.wall_ms == scene.clock.wall_ms()
    assert snapshot.stop.stopped_ms / 1000 == pytest.approx(scene.axis.at(scene.clock.monotonic()), abs=0.002)
    assert snapshot.stop.stopped_ms / 1000 <= scene.axis.at(scene.clock.monotonic())


def test_moves_are_those_of_registrations_still_there(scene):
    scene.snapshots.note_move(1)
    scene.snapshots.note_move(4711)
    assert scene.snapshots.take().moves == [("192.0.2.1:5683", 1, scene.registration.location)]
    assert scene.snapshots.take().moves == []


def test_what_could_not_be_written_is_taken_again(scene):
    scene.snapshots.note_move(1)
    snapshot = scene.snapshots.take()
    scene.snapshots.put_back(snapshot)
    again = scene.snapshots.take()
    assert (again.pages, again.moves) == (snapshot.pages, snapshot.moves)


def test_many_moves_are_written_a_few_at_a_time(scene):
    snapshot = replace(scene.snapshots.take(), moves=[("a", number, "l") for number in range(1_001)])
    assert [len(chunk) for chunk in snapshot.chunk_moves()] == [500, 500, 1]


def test_snapshot_reaches_the_file(scene, tmp_path):
    place = Place(tmp_path)
    snapshot = scene.snapshots.take(is_last=True)
    with place.database() as database:
        write_leases(database, snapshot)
        [(page, data)] = database.query("SELECT page, expiries FROM lease_page")
        assert unpack(data)[1] == scene.memory.leases.find(1)
        assert database.query("SELECT count(*) FROM meta WHERE key = 'clean_stop'") == [(1,)]
        assert page == 0


def test_move_of_a_registration_replaced_meanwhile_is_passed_over(tmp_path):
    place = Place(tmp_path)
    insert = "INSERT INTO registration VALUES (?, ?, NULL, 'old', '1.0', 'U', 1, 1, 0, 0, NULL, NULL, NULL)"
    place.execute(insert, 1, "same")
    place.execute(insert, 2, "another")
    with place.database() as database:
        write_moves(database, [("new", 1, "same"), ("new", 2, "former")])
        assert database.query("SELECT address FROM registration ORDER BY device") == [("new",), ("old",)]
