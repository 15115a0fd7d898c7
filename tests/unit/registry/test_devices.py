import sqlite3

import pytest

from registry import devices
from registry.model import Device, NewDevice, Security


def make(name, **values):
    return Device(0, f"d-{name}", name, Security.PSK, 60, 1_000, sealed_secret=b"sealed", **values)


def asked(name, certificate=None, public_key=None, **values):
    return make(name, **values), NewDevice(name, certificate=certificate, public_key=public_key)


def test_rows_give_back_what_went_in_and_consecutive_numbers(database):
    with database.transaction() as connection:
        first = devices.insert(connection, [asked("a"), asked("b")])
        assert devices.insert(connection, [asked("c")]) == first + 2
    found = devices.find(database.connection, "b")
    assert found == Device(first + 1, "d-b", "b", Security.PSK, 60, 1_000, sealed_secret=b"sealed")
    assert devices.find(database.connection, "d-b") == found
    assert devices.find(database.connection, "x") is None


def test_deleted_device_is_gone(database):
    with database.transaction() as connection:
        devices.insert(connection, [asked("a")])
        devices.delete(connection, devices.find(connection, "a"), 0)
    assert devices.find(database.connection, "a") is None


def test_credentials_are_kept_in_full_and_found_by_their_digests(database):
    with database.transaction() as connection:
        devices.insert(
            connection,
            [
                asked("a", certificate=b"certificate", certificate_sha256=b"1" * 32),
                asked("b", public_key=b"key", public_key_sha256=b"2" * 32),
            ],
        )
    assert devices.find(database.connection, "a").certificate_sha256 == b"1" * 32
    assert devices.find(database.connection, "b").public_key_sha256 == b"2" * 32
    kept = database.query("SELECT certificate, public_key FROM device ORDER BY number")
    assert kept == [(b"certificate", None), (None, b"key")]


def test_public_key_is_of_one_device_only(database):
    with database.transaction() as connection:
        devices.insert(connection, [asked("a", public_key=b"key", public_key_sha256=b"2" * 32)])
    with pytest.raises(sqlite3.IntegrityError), database.transaction() as connection:
        devices.insert(connection, [asked("b", public_key=b"key", public_key_sha256=b"2" * 32)])
