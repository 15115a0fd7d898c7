import inspect
from dataclasses import replace

import pytest

from registry.changes import Purge, Refuse, Register
from registry.events import EventType
from registry.model import ObjectList, Origin, Reading, Refusal, ReportedValue
from registry.outcomes import COMMITTED, INVALID, OVERTAKEN
from tests.support.committing import Scene
from tests.support.registry import Place, make_registration


@pytest.fixture
def scene(tmp_path):
    scene = Scene(Place(tmp_path))
    yield scene
    scene.database.close()


def test_registration_event_and_first_connection_are_one_transaction(scene):
    assert scene.commit(scene.register()) == [COMMITTED]
    assert scene.locations() == ["first"]
    assert scene.events() == ["registered"]
    assert scene.place.rows("SELECT connected_at_ms FROM device") == [(scene.registration.registered_at_ms,)]


def test_later_registration_leaves_the_first_connection_alone(scene):
    scene.commit(scene.register())
    scene.commit(scene.register(scene.registration._replace(location="second", registered_at_ms=9)))
    assert scene.locations() == ["second"]
    assert scene.place.rows("SELECT connected_at_ms FROM device") == [(scene.registration.registered_at_ms,)]


@pytest.mark.parametrize("what", ["freeze", "delete", "reset_secret"])
def test_registration_overtaken_by_an_administrator_is_left_out_and_others_go_in(tmp_path, what):
    place = Place(tmp_path)
    scene = Scene(place)
    with place.administration() as administration:
        rival = administration.create("psk").device
        getattr(administration, what)("psk")
    outcomes = scene.commit(scene.register(make_registration(rival), rival), scene.register())
    assert outcomes == [OVERTAKEN, COMMITTED]
    assert scene.locations() == ["first"]
    scene.database.close()


def test_frozen_device_is_refused_whatever_its_revision(scene):
    with scene.place.administration() as administration:
        administration.freeze("n")
    device = replace(scene.device, revision=1)
    assert scene.commit(scene.register(device=device)) == [OVERTAKEN]


def test_change_needs_the_registration_it_was_decided_on(scene):
    assert scene.commit(scene.alter(lifetime_s=9)) == [OVERTAKEN]
    scene.commit(scene.register())
    assert scene.commit(scene.alter(lifetime_s=9)) == [COMMITTED]
    assert scene.place.rows("SELECT lifetime_s FROM registration") == [(9,)]
    scene.commit(scene.register(scene.registration._replace(location="second")))
    assert scene.commit(scene.alter(lifetime_s=10)) == [OVERTAKEN]
    assert scene.events() == ["registered", "registration_changed", "registered"]


def test_change_of_objects_is_told_with_the_new_list(scene):
    scene.commit(scene.register(), scene.alter(objects=ObjectList()), scene.alter(lifetime_s=9))
    with scene.place.administration() as administration:
        _, _, objects_changed, lifetime_changed = administration.events()
    assert objects_changed.data == {"objects": []}
    assert lifetime_changed.data == {"lifetime": 9}


@pytest.mark.parametrize(
    ("type_", "data"),
    [
        (EventType.DEREGISTERED, {"location": "/rd/first"}),
        (EventType.REGISTRATION_EXPIRED, {"location": "/rd/first", "lifetime": 300}),
    ],
)
def test_end_of_a_registration(scene, type_, data):
    assert scene.commit(scene.remove(type_)) == [OVERTAKEN]
    assert scene.commit(scene.register(), scene.remove(type_), scene.remove(type_)) == [
        COMMITTED,
        COMMITTED,
        OVERTAKEN,
    ]
    assert scene.locations() == []
    with scene.place.administration() as administration:
        event = administration.events()[-1]
    assert (event.type, event.data) == (type_, data)


def test_purge_takes_the_device_and_says_why(scene):
    assert scene.commit(Purge(scene.device), scene.register(), Purge(scene.device)) == [
        COMMITTED,
        OVERTAKEN,
        OVERTAKEN,
    ]
    assert scene.place.rows("SELECT * FROM device") == []
    with scene.place.administration() as administration:
        event = administration.events()[-1]
    assert (event.type, event.data) == ("device_purged", {"reason": "claim_timeout"})
    assert (event.device_id, event.node_id) == (scene.device.device_id, "n")


def test_connected_or_frozen_or_changed_device_is_not_purged(scene):
    assert scene.commit(scene.register(), Purge(scene.device)) == [COMMITTED, OVERTAKEN]
    assert scene.commit(Purge(scene.device)) == [OVERTAKEN]
    frozen = scene.place.create("frozen")
    with scene.place.administration() as administration:
        administration.freeze("frozen")
    assert scene.commit(Purge(replace(frozen, revision=1))) == [OVERTAKEN]
    with scene.place.administration() as administration:
        administration.unfreeze("frozen")
    assert scene.commit(Purge(frozen)) == [OVERTAKEN]


def test_values_and_their_event_are_committed_together(scene):
    report = scene.report(Reading("/3/0/9", "80", 5_000))
    assert scene.commit(report) == [COMMITTED]
    with scene.place.administration() as administration:
        assert administration.values("n") == [ReportedValue("/3/0/9", 80, 5_000, Origin.SEND)]
        event = administration.events(types=["values_reported"])[0]
    assert (event.device_id, event.node_id) == (scene.device.device_id, "n")
    assert event.data == {
        "origin": "send",
        "values": [{"path": "/3/0/9", "value": 80, "time": "1970-01-01T00:00:05.000Z"}],
    }


@pytest.mark.parametrize("what", ["frozen", "deleted"])
def test_values_of_a_device_that_may_not_come_any_more_are_left_out(scene, what):
    with scene.place.administration() as administration:
        (administration.freeze if what == "frozen" else administration.delete)("n")
    report = scene.report(Reading("/3/0/9", "80", 5_000))
    assert scene.commit(report) == [OVERTAKEN]
    assert scene.place.rows("SELECT * FROM value") == []
    assert scene.place.rows("SELECT * FROM value_history") == []


def test_values_that_no_row_can_hold_leave_nothing(scene):
    readings = [Reading("/3/0/9", "80", 5_000), Reading("/3/0/10", "1", 1 << 70)]
    assert scene.commit(scene.report(*readings)) == [INVALID]
    assert scene.place.rows("SELECT * FROM value") == []


def test_refusal_is_row_and_event(scene):
    refusal = Refusal(5, "192.0.2.9:1", "why")
    assert scene.commit(Refuse("n", scene.device.device_id, refusal), Refuse("x", None, refusal)) == [
        COMMITTED,
        COMMITTED,
    ]
    assert scene.place.rows("SELECT node_id, at_ms, address, reason FROM refusal") == [
        ("n", 5, "192.0.2.9:1", "why"),
        ("x", 5, "192.0.2.9:1", "why"),
    ]
    with scene.place.administration() as administration:
        event = administration.events()[-1]
    assert event.data == {"reason": "why", "address": "192.0.2.9:1"}
    assert (event.at_ms, event.device_id, event.node_id) == (5, None, "x")


def test_profile_is_remembered_with_the_objects_it_came_with(scene):
    scene.commit(scene.register(scene.registration._replace(profile_id="p")))
    [(number, profile_id, first_list)] = scene.place.rows("SELECT device, profile_id, objects FROM profile")
    assert (number, profile_id) == (scene.device.number, "p")
    scene.registration = scene.registration._replace(profile_id="p")
    scene.commit(scene.alter(objects=ObjectList()))
    assert scene.place.rows("SELECT profile_id, objects FROM profile") == [("p", first_list)]
    scene.commit(scene.alter(profile_id="q", objects=ObjectList()))
    [(profile_id, second_list)] = scene.place.rows("SELECT profile_id, objects FROM profile")
    assert (profile_id, second_list) != ("q", first_list)


def test_event_names_in_the_hot_path_are_the_types():
    assert f'"{EventType.REGISTERED.value}"' in inspect.getsource(Register.collect)
