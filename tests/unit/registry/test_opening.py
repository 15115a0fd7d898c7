import pytest

from registry.errors import DatabaseUnusable, KeyUnusable
from registry.model import Security
from registry.opening import open_parts, read_changes
from registry.sealing import KeySource
from registry.settings import RegistrySettings


def open_(place, database):
    return open_parts(database, place.clock, RegistrySettings())


def test_parts_belong_together(place):
    device = place.create("n", Security.PSK)
    with place.database() as database:
        opened = open_(place, database)
        assert opened.memory.devices == {"n": device}
        assert opened.sealer.unseal(device.sealed_secret, device.device_id)
        assert database.query("PRAGMA wal_autocheckpoint") == [(0,)]
        assert read_changes(opened) is None
        opened.lock.release()


def test_failed_opening_gives_the_lock_back_and_keeps_the_clean_mark(place):
    place.create("n", Security.PSK)
    place.execute("INSERT INTO meta VALUES ('clean_stop', x'00')")
    with place.database(KeySource("00" * 32)) as database, pytest.raises(KeyUnusable):
        open_(place, database)
    assert place.rows("SELECT count(*) FROM meta WHERE key = 'clean_stop'") == [(1,)]
    place.execute("DELETE FROM meta WHERE key = 'clean_stop'")
    with place.database() as database:
        open_(place, database).lock.release()


def test_lock_is_looked_at_first(place):
    with place.database() as first, place.database() as second:
        opened = open_(place, first)
        with pytest.raises(DatabaseUnusable, match="another gateway"):
            open_(place, second)
        opened.lock.release()


def test_key_made_by_the_command_line_comes_with_the_change(place):
    with place.database() as database:
        opened = open_(place, database)
        assert opened.sealer is None
        device = place.create("n", Security.PSK, secret=b"12345678")
        changes = read_changes(opened)
        assert changes.sealer.unseal(device.sealed_secret, device.device_id) == b"12345678"
        assert changes.key_fault is None
        opened.lock.release()


def test_key_that_does_not_fit_is_a_fault_and_the_events_come_all_the_same(place):
    with place.database(KeySource("00" * 32)) as database:
        opened = open_(place, database)
        place.create("n", Security.PSK)
        changes = read_changes(opened)
        assert "another key" in str(changes.key_fault)
        assert changes.sealer is None
        assert len(changes.events.events) == 1
        opened.lock.release()
