import sqlite3

import pytest
import sqlite_utils

from registry.migrations import m0001_initial
from registry.migrations.m0004_values import apply


@pytest.fixture
def connection():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    m0001_initial.apply(sqlite_utils.Database(connection))
    apply(sqlite_utils.Database(connection))
    yield connection
    connection.close()


def test_path_of_a_device_has_one_latest_value(connection):
    insert = "INSERT INTO value VALUES (?, '/3/0/9', '80', 0, 'send', 1)"
    connection.execute(insert, (1,))
    connection.execute(insert, (2,))
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(insert, (1,))


def test_events_with_values_are_found_by_their_own_index(connection):
    connection.execute(
        "SELECT id FROM event INDEXED BY event_of_values WHERE type = 'values_reported' ORDER BY id"
    )
