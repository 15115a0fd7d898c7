import sqlite3

import pytest
import sqlite_utils

from registry.migrations.m0002_object_definitions import apply


def test_object_has_one_definition_of_each_version():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    apply(sqlite_utils.Database(connection))
    insert = "INSERT INTO object_definition VALUES (?, ?, '{}', 1, 0)"
    connection.execute(insert, (3, "1.0"))
    connection.execute(insert, (3, "1.1"))
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(insert, (3, "1.1"))
    connection.close()
