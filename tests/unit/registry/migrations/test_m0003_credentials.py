import sqlite3

import pytest
import sqlite_utils

from registry.migrations import m0001_initial
from registry.migrations.m0003_credentials import apply


def test_devices_of_before_have_no_credentials_and_no_two_may_get_one_key():
    connection = sqlite3.connect(":memory:", isolation_level=None)
    database = sqlite_utils.Database(connection)
    m0001_initial.apply(database)
    insert = (
        "INSERT INTO device (device_id, node_id, security, timeout_s, created_at_ms)"
        " VALUES (?, ?, 'none', 0, 0)"
    )
    for number in "12":
        connection.execute(insert, (f"d-{number}", f"n-{number}"))
    apply(database)
    credentials = "certificate, certificate_sha256, public_key, public_key_sha256"
    assert connection.execute(f"SELECT {credentials} FROM device").fetchall() == [(None,) * 4] * 2
    connection.execute("UPDATE device SET public_key_sha256 = x'01' WHERE number = 1")
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute("UPDATE device SET public_key_sha256 = x'01' WHERE number = 2")
    connection.close()
