import os

import pytest

from registry.errors import DatabaseUnusable
from registry.lock import GatewayLock, is_held


@pytest.fixture(autouse=True)
def database_file(tmp_path):
    (tmp_path / "n.db").touch()


def test_second_gateway_is_told_the_process_of_the_first(tmp_path):
    database = tmp_path / "n.db"
    first = GatewayLock(database)
    with pytest.raises(DatabaseUnusable, match=f"another gateway .process {os.getpid()}.; stop"):
        GatewayLock(database)
    first.release()
    GatewayLock(database).release()


def test_number_of_a_longer_lived_process_is_overwritten(tmp_path):
    (tmp_path / "n.db.lock").write_text("123456789012\n")
    lock = GatewayLock(tmp_path / "n.db")
    assert (tmp_path / "n.db.lock").read_text() == f"{os.getpid()}\n"
    lock.release()


def test_unreadable_lock_file_is_one_line(tmp_path):
    (tmp_path / "n.db.lock").mkdir()
    with pytest.raises(DatabaseUnusable, match=r"n\.db\.lock cannot be opened: Is a directory"):
        GatewayLock(tmp_path / "n.db")


def test_holder_may_be_unknown(tmp_path):
    first = GatewayLock(tmp_path / "n.db")
    (tmp_path / "n.db.lock").write_text("")
    with pytest.raises(DatabaseUnusable, match="process unknown"):
        GatewayLock(tmp_path / "n.db")
    first.release()


def test_whether_a_gateway_runs_is_seen_without_disturbing_it(tmp_path):
    database = tmp_path / "n.db"
    assert not is_held(database), "no gateway ever ran"
    lock = GatewayLock(database)
    assert is_held(database)
    lock.release()
    assert not is_held(database)
