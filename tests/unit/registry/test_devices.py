import pytest

from registry import devices
from registry.model import Device, Security
from registry.sqlite import Database


@pytest.fixture
def database(tmp_path):
    with Database.open(tmp_path / "n.db") as database:
        yield database


def make(name, **values):
    return Device(0, f"d-{name}", name, Security.PSK, 60, 1_000, sealed_secret=b"sealed", **values)


def test_rows_give_back_what_went_in_and_consecutive_numbers(database):
    with database.transaction() as connection:
        first = devices.insert(connection, [make("a"), make("b")])
        assert devices.insert(connection, [make("c")]) == first + 2
    found = devices.find(database.connection, "b")
    assert found == Device(first + 1, "d-b", "b", Security.PSK, 60, 1_000, sealed_secret=b"sealed")
    assert devices.find(database.connection, "d-b") == found
    assert devices.find(database.connection, "x") is None


def test_deleted_device_is_gone(database):
    with database.transaction() as connection:
        devices.insert(connection, [make("a")])
        devices.delete(connection, devices.find(connection, "a"))
    assert devices.find(database.connection, "a") is None
