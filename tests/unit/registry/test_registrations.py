from dataclasses import replace

import pytest

from registry import registrations
from registry.model import Device, ObjectLink, ObjectList, Security
from registry.registrations import (
    ObjectListPool,
    decode_objects,
    encode_objects,
    from_columns,
    store_objects,
    to_row,
)
from registry.sqlite import Database
from tests.support.registry import OBJECTS, make_registration

DEVICE = Device(1, "d-1", "n", Security.PSK, 0, 0)


def copy_of(objects):
    return ObjectList(tuple(replace(link) for link in objects.links), objects.alternate_path)


@pytest.fixture
def connection(tmp_path):
    with Database.open(tmp_path / "n.db") as database, database.transaction() as connection:
        yield connection


@pytest.mark.parametrize(
    "objects",
    [ObjectList(), OBJECTS, ObjectList((ObjectLink(65535, 65534, "1.10"),), "/lwm2m", (110, 112))],
)
def test_object_lists_survive_their_encoding(objects):
    assert decode_objects(encode_objects(objects)) == objects


def test_equal_texts_give_one_object():
    assert decode_objects(encode_objects(OBJECTS)) is decode_objects(encode_objects(OBJECTS))


@pytest.mark.parametrize(
    "values",
    [
        {},
        {"identity": None},
        {"identity": "another"},
        {"lifetime_s": 0, "sms": "+49", "profile_id": "1:ab", "parameters": (("a", ""), ("a", "ü"))},
    ],
)
def test_registrations_survive_their_row(connection, values):
    registration = make_registration(DEVICE, **values)
    row_id = store_objects(connection, registration.objects, 0)
    connection.execute(registrations.UPSERT, to_row(registration, row_id, 0))
    [row] = connection.execute(f"SELECT {registrations.COLUMNS} FROM registration AS r")
    loaded = from_columns(DEVICE, OBJECTS, row)
    assert loaded == registration
    assert loaded.identity is None or (loaded.identity is DEVICE.node_id) == (values == {} or "sms" in values)


def test_loaded_registrations_share_what_fleets_share(connection):
    first, second = (
        from_columns(
            DEVICE, OBJECTS, ("l", None, "a", "1.1x"[:3], "UQx"[:2], int("86400"), 0, None, None, None)
        )
        for _ in range(2)
    )
    assert first.lwm2m is second.lwm2m
    assert first.binding is second.binding
    assert first.lifetime_s is second.lifetime_s


def test_object_list_is_stored_once_and_remembers_its_last_use(connection):
    row_id = store_objects(connection, OBJECTS, 3)
    assert store_objects(connection, copy_of(OBJECTS), 4) == row_id
    assert store_objects(connection, ObjectList(), 4) != row_id
    assert connection.execute("SELECT used_on FROM object_list WHERE id = ?", (row_id,)).fetchone() == (4,)


def test_pool_keeps_one_object_per_content():
    pool = ObjectListPool()
    shared = pool.share(OBJECTS)
    assert pool.share(OBJECTS) is shared
    assert pool.share(copy_of(OBJECTS)) is shared
    assert shared.objects is OBJECTS
    assert pool.share(ObjectList()) is not shared


def test_pool_is_bounded(monkeypatch):
    monkeypatch.setattr(registrations, "_MAX_SHARED", 2)
    pool = ObjectListPool()
    shared = pool.share(OBJECTS)
    pool.share(copy_of(OBJECTS))
    third = ObjectList()
    pool.share(third)
    assert len(pool._aliases) == 1
    assert pool.share(OBJECTS) is not shared


def test_days_are_counted_from_the_epoch():
    assert registrations.day_of(0) == 0
    assert registrations.day_of(86_400_000 * 3 + 1) == 3
