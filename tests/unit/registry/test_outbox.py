import json

import pytest

from registry import outbox
from registry.events import EVENT_DATA, EventType
from registry.model import Device, ObjectList, Security
from registry.outbox import Source
from registry.registrations import store_objects
from registry.sqlite import Database
from tests.support.registry import OBJECTS, make_registration

DEVICE = Device(1, "d-1", "n", Security.PSK, 0, 0)


@pytest.fixture
def connection(tmp_path):
    with Database.open(tmp_path / "n.db") as database, database.transaction() as connection:
        yield connection


def add(connection, *times, type_="deregistered", data="{}", objects=None):
    rows = [(at_ms, type_, "d-1", "n", data, objects, int(Source.GATEWAY)) for at_ms in times]
    outbox.append(connection, rows)


def test_registered_is_stored_short_and_read_whole(connection):
    registration = make_registration(DEVICE, 'odd"\u2028ä', registered_at_ms=5_000)
    data = outbox.encode_registered(registration)
    assert set(json.loads(data)) < set(EVENT_DATA[EventType.REGISTERED])
    add(connection, 5_000, type_="registered", data=data, objects=store_objects(connection, OBJECTS, 0))
    [event] = outbox.read(connection)
    assert set(event.data) == set(EVENT_DATA[EventType.REGISTERED])
    assert event.data["location"] == '/rd/odd"\u2028ä'
    assert event.data["objects"][2] == {"path": "/5", "version": "1.1"}
    assert event.data["registered_at"] == "1970-01-01T00:00:05.000Z"
    assert event.data["expires_at"] == "1970-01-01T00:05:05.000Z"


def test_registered_without_limit_never_expires(connection):
    add(
        connection,
        0,
        type_="registered",
        data=outbox.encode_registered(make_registration(DEVICE, lifetime_s=0)),
    )
    [event] = outbox.read(connection)
    assert event.data["expires_at"] is None
    assert "objects" not in event.data


def test_changed_has_the_new_value_of_each_field_that_changed():
    before = make_registration(DEVICE)
    assert json.loads(outbox.encode_changed(before, before)) == {}
    after = before._replace(
        lifetime_s=9,
        binding="UQ",
        sms="+49",
        address="192.0.2.9:1",
        parameters=(("a", "b"),),
        objects=ObjectList(),
    )
    changed = json.loads(outbox.encode_changed(before, after))
    assert changed == {
        "address": "192.0.2.9:1",
        "binding": "UQ",
        "lifetime": 9,
        "sms": "+49",
        "parameters": [["a", "b"]],
    }
    assert set(changed) | {"objects"} == set(EVENT_DATA[EventType.REGISTRATION_CHANGED])


@pytest.mark.parametrize(
    ("type_", "with_lifetime"), [(EventType.DEREGISTERED, False), (EventType.REGISTRATION_EXPIRED, True)]
)
def test_end_names_the_place_and_after_silence_the_lifetime(type_, with_lifetime):
    data = json.loads(outbox.encode_ended(make_registration(DEVICE, "loc"), with_lifetime=with_lifetime))
    assert set(data) == set(EVENT_DATA[type_])
    assert data["location"] == "/rd/loc"


def test_events_of_administration_are_marked_as_such():
    row = outbox.row_of_administration(EventType.DEVICE_DELETED, 7, "d-1", "n")
    assert row == (7, "device_deleted", "d-1", "n", "{}", None, 1)


def test_newest_id_of_an_empty_outbox_is_0(connection):
    assert outbox.last_id(connection) == 0
    add(connection, 1, 2)
    assert outbox.last_id(connection) == 2


def test_pruning_takes_old_events_in_chunks(connection):
    add(connection, *range(outbox.PRUNE_CHUNK + 100), 10_000, 10_001)
    assert outbox.prune(connection, 5_000, 20_000) == outbox.PRUNE_CHUNK
    assert outbox.prune(connection, 5_000, 20_000) == 100
    assert outbox.prune(connection, 5_000, 20_000) == 0
    assert [event.at_ms for event in outbox.read(connection)] == [10_000, 10_001]


def test_pruning_takes_events_of_a_clock_that_was_far_ahead(connection):
    add(connection, 99_000, 10_000)
    assert outbox.prune(connection, 5_000, 20_000) == 1
    assert [event.at_ms for event in outbox.read(connection)] == [10_000]


def test_newest_event_stays_so_that_no_id_is_given_twice(connection):
    add(connection, 1, 2, 3)
    assert outbox.prune(connection, 5_000, 20_000) == 2
    assert outbox.prune(connection, 5_000, 20_000) == 0
    add(connection, 9)
    assert [event.id for event in outbox.read(connection)] == [3, 4]
