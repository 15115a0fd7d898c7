import os
import shutil
import sqlite3
from contextlib import closing

import pytest

from registry import sessionfile
from registry.errors import StorageUnavailable
from registry.sealing import Sealer
from registry.sessionfile import Mark, SessionFile, SessionRow

SEALER = Sealer(b"k" * 32)
MARK = Mark(b"o" * 16, 7)
ROW = SessionRow(3, b"meter-7", b"d-1/0/", b"the keys of the session")
OTHER = SessionRow(4, b"meter-8", b"", b"other keys")


@pytest.fixture
def path(tmp_path):
    (tmp_path / "n.db").touch()
    return sessionfile.path_beside(tmp_path / "n.db")


@pytest.fixture
def file(path):
    file = SessionFile.create(path, MARK, SEALER, is_whole=True)
    yield file
    file.close()


def reopen(file, sealer=SEALER):
    file.close()
    return SessionFile.open_existing(file.path, sealer)


def test_file_lies_beside_the_database_and_is_for_its_owner_only(file, tmp_path):
    assert file.path == tmp_path / "n.db.sessions"
    assert file.path.stat().st_mode & 0o777 == 0o600
    assert file.mark == MARK


def test_what_was_written_is_there_after_the_next_start(file):
    file.write([ROW, OTHER], [], [b"first"])
    file.write([], [OTHER.number], [b"second", b"", b"third"])
    file = reopen(file)
    (row,), journal = file.load()
    assert row[:3] == ROW[:3]
    assert file.unseal(row) == ROW.state
    assert journal == [b"first", b"second", b"third"]
    file.close()


def test_state_is_sealed(file):
    file.write([ROW], [], [])
    file.close()
    assert ROW.state not in file.path.read_bytes()


@pytest.mark.parametrize(
    "changes",
    [
        {"number": 5},
        {"identity": b"meter-9"},
        {"credential": b"d-1/1/"},
        {"state": b""},
        {"state": b"x" * 40},
    ],
)
def test_state_opens_for_nobody_else(file, changes):
    file.write([ROW], [], [])
    (row,), _ = file.load()
    assert file.unseal(row._replace(**changes)) is None


def test_state_opens_with_no_other_key(file):
    file.write([ROW], [], [])
    file = reopen(file, Sealer(b"x" * 32))
    assert file.unseal(file.load()[0][0]) is None
    file.close()


def test_identity_and_credential_cannot_be_shifted_into_each_other(file):
    file.write([ROW], [], [])
    (row,), _ = file.load()
    assert file.unseal(row._replace(identity=b"meter-", credential=b"7d-1/0/")) is None


def test_a_sweep_takes_what_was_there_before_it(file):
    file.write([], [], [b"old"])
    file.begin_sweep()
    file.write([], [], [b"swept"])
    assert file.load()[1] == [b"old", b"swept"]
    file.write([], [], [b"swept too"], ends_sweep=True)
    assert file.load()[1] == [b"swept", b"swept too"]


def test_numbers_of_journal_rows_never_come_again(file):
    file.write([], [], [b"old"])
    file.begin_sweep()
    file.write([], [], [], ends_sweep=True)
    file.begin_sweep()
    file.write([], [], [b"new"], ends_sweep=True)
    assert file.load()[1] == [b"new"]


def test_session_that_is_deleted_is_gone_from_the_disk(file):
    rows = [SessionRow(number, b"meter-%d" % number, b"", bytes(300)) for number in range(100)]
    file.write(rows, [], [b"entries"])
    file.checkpoint()
    assert b"meter-" in file.path.read_bytes()
    # Whole pages become free here, after a sweep as well as without one.
    file.begin_sweep()
    file.write([], range(50), [], ends_sweep=True)
    file.write([], range(50, 100), [])
    file.checkpoint()
    for path in file.path.parent.glob("n.db.sessions*"):
        assert b"meter-" not in path.read_bytes()


def test_every_transaction_is_synced(file):
    assert file._connection.execute("PRAGMA synchronous").fetchone() == (2,)
    assert file._connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert file._connection.execute("PRAGMA secure_delete").fetchone() == (1,)


def test_nobody_else_opens_it_meanwhile(file):
    file.write([ROW], [], [])
    assert SessionFile.open_existing(file.path, SEALER) is None
    with closing(sqlite3.connect(file.path, timeout=0)) as other, pytest.raises(sqlite3.OperationalError):
        other.execute("SELECT * FROM session")


def test_file_that_is_not_whole_does_not_count(path):
    file = SessionFile.create(path, MARK, SEALER, is_whole=False)
    file.write([ROW], [], [])
    assert reopen(file) is None
    file = SessionFile.create(path, MARK, SEALER, is_whole=False)
    file.write([ROW], [], [], is_whole=True)
    file = reopen(file)
    assert len(file.load()[0]) == 1
    file.close()


def test_generation_is_raised(file):
    file.raise_generation(8)
    file = reopen(file)
    assert file.mark == Mark(MARK.owner, 8)
    file.close()


def test_missing_file_is_none(path):
    assert SessionFile.open_existing(path, SEALER) is None


def test_folder_in_its_place_is_none_and_stays(path):
    path.mkdir()
    assert SessionFile.open_existing(path, SEALER) is None
    with pytest.raises(StorageUnavailable):
        SessionFile.create(path, MARK, SEALER, is_whole=True)


@pytest.mark.parametrize(
    "statement",
    ["PRAGMA application_id = 1", "PRAGMA user_version = 1", "DROP TABLE mark", "DELETE FROM mark"],
)
def test_file_of_another_kind_is_none(file, statement):
    file._connection.execute(statement)
    assert reopen(file) is None


def test_damaged_file_is_none_and_gives_way(file):
    file.close()
    file.path.write_bytes(b"nothing of ours" * 1000)
    assert SessionFile.open_existing(file.path, SEALER) is None
    SessionFile.create(file.path, MARK, SEALER, is_whole=True).close()


def test_new_file_has_nothing_of_the_one_before(file):
    file.write([ROW], [], [b"entries"])
    file.close()
    new = SessionFile.create(file.path, MARK, SEALER, is_whole=True)
    assert new.load() == ([], [])
    new.close()


def test_deleting_takes_the_log_along_and_may_be_repeated(file):
    log = file.path.with_name(file.path.name + "-wal")
    file.write([ROW], [], [])
    assert log.exists()
    for _ in range(2):
        sessionfile.delete(file.path)
        assert not file.path.exists()
        assert not log.exists()


def test_checkpoint_empties_the_log(file):
    file.write([ROW], [], [b"entries"])
    file.checkpoint()
    assert file.path.with_name(file.path.name + "-wal").stat().st_size == 0


def test_file_that_was_deleted_or_replaced_is_noticed(file):
    copy = file.path.with_name("copy")
    shutil.copy(file.path, copy)
    os.replace(copy, file.path)
    with pytest.raises(StorageUnavailable, match="replaced"):
        file.checkpoint()
    file.path.unlink()
    with pytest.raises(StorageUnavailable):
        file.checkpoint()


def test_failed_transaction_leaves_nothing(file):
    file.write([ROW], [], [])
    file._connection.execute("PRAGMA query_only = ON")
    with pytest.raises(StorageUnavailable):
        file.write([OTHER], [ROW.number], [b"entries"])
    assert ([row.number for row in file.load()[0]], file.load()[1]) == ([ROW.number], [])


def test_transaction_that_fails_halfway_leaves_nothing(file):
    file._connection.execute("DROP TABLE journal")
    with pytest.raises(StorageUnavailable):
        file.write([ROW], [], [b"entries"])
    assert file._connection.execute("SELECT count(*) FROM session").fetchone() == (0,)


def test_fault_without_words_of_our_own_is_told_too(file):
    file._connection.execute("DROP TABLE journal")
    with pytest.raises(StorageUnavailable, match="no such table"):
        file.load()


def test_where_reading_ahead_is_unknown_the_file_is_read_all_the_same(file, monkeypatch):
    monkeypatch.setattr(sessionfile.sys, "platform", "darwin")
    again = reopen(file)
    assert again.mark == MARK
    again.close()
