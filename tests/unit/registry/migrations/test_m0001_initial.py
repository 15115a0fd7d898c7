import sqlite3

import pytest
import sqlite_utils

from registry.migrations.m0001_initial import apply


@pytest.fixture
def connection():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    apply(sqlite_utils.Database(connection))
    yield connection
    connection.close()


def test_device_numbers_are_never_given_twice(connection):
    insert = (
        "INSERT INTO device (device_id, node_id, security, timeout_s, created_at_ms)"
        " VALUES (?, ?, 'none', 0, 0)"
    )
    connection.execute(insert, ("d-1", "one"))
    connection.execute("DELETE FROM device")
    connection.execute(insert, ("d-2", "two"))
    assert connection.execute("SELECT number FROM device").fetchall() == [(2,)]


def test_change_feed_reads_by_its_own_index(connection):
    plan = connection.execute(
        "EXPLAIN QUERY PLAN SELECT id FROM event INDEXED BY event_of_administration"
        " WHERE source = 1 AND id > ? ORDER BY id",
        (0,),
    ).fetchall()
    assert len(plan) == 1


def test_numbers_are_no_texts(connection):
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(
            "INSERT INTO refusal (node_id, at_ms, address, reason) VALUES ('n', 'soon', 'a', 'r')"
        )
