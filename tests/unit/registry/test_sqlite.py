import os
import pwd
import sqlite3
import stat
import threading
from pathlib import Path

import pytest

from registry import schema, sqlite
from registry.errors import DatabaseUnusable, RegistryError, StorageUnavailable
from registry.sqlite import Database, owner_of, parse_url, translate


def error_of(code, text="text"):
    error = sqlite3.OperationalError(text)
    error.sqlite_errorcode = code
    return error


def one_line(error):
    return "\n" not in str(error.value) and "Traceback" not in str(error.value)


# The URL


def test_url_with_three_slashes_is_relative_and_with_four_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert parse_url("sqlite:///n.db") == tmp_path / "n.db"
    assert parse_url("sqlite:////var/n.db") == Path("/var/n.db")
    assert parse_url("n.db") == tmp_path / "n.db"
    assert parse_url(Path("n.db")) == tmp_path / "n.db"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgresql://host/db", "postgresql is not supported"),
        ("sqlite://n.db", "slash is missing"),
        ("sqlite:///", "names no file"),
        ("", "names no file"),
        ("sqlite:///:memory:", "names no file"),
    ],
)
def test_other_urls_are_refused_with_the_right_form(url, reason):
    with pytest.raises(DatabaseUnusable, match=reason) as refused:
        parse_url(url)
    assert "sqlite:///PATH" in str(refused.value)


# Opening


def test_new_file_belongs_to_its_user_alone(tmp_path):
    path = tmp_path / "odd name %3f?#.db"
    with Database.open(path) as database:
        database.connection.execute("INSERT INTO meta VALUES ('k', x'00')")
        for name in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
            assert stat.S_IMODE(name.stat().st_mode) == 0o600
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_open_file_is_durable_and_opens_again(tmp_path):
    with Database.open(f"sqlite:///{tmp_path}/n.db") as database:
        assert database.query("PRAGMA journal_mode") == [("wal",)]
        assert database.query("PRAGMA synchronous") == [(2,)]
    Database.open(tmp_path / "n.db", create=False).close()


def test_empty_file_counts_as_new(tmp_path):
    (tmp_path / "n.db").touch()
    with Database.open(tmp_path / "n.db") as database:
        assert schema.read_header(database.connection)[0] == schema.APPLICATION_ID


def test_missing_file_is_made_only_where_that_is_wanted(tmp_path):
    with pytest.raises(DatabaseUnusable, match="does not exist"):
        Database.open(tmp_path / "n.db", create=False)
    assert not (tmp_path / "n.db").exists()


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(DatabaseUnusable, match=r"create .*/nowhere first"):
        Database.open(tmp_path / "nowhere" / "n.db")


def test_folder_is_no_database(tmp_path):
    with pytest.raises(DatabaseUnusable, match="not a file"):
        Database.open(tmp_path)


@pytest.mark.parametrize("content", [b"not a database at all" * 100, b"\x00" * 4096, os.urandom(4096)])
def test_file_that_is_no_database_is_refused_and_left_alone(tmp_path, content):
    (tmp_path / "n.db").write_bytes(content)
    with pytest.raises(DatabaseUnusable, match="not a Nodegate database") as refused:
        Database.open(tmp_path / "n.db")
    assert one_line(refused)
    assert (tmp_path / "n.db").read_bytes() == content


@pytest.mark.parametrize(
    "statement", ["CREATE TABLE t (a)", "PRAGMA application_id = 7", "PRAGMA user_version = 1"]
)
def test_database_of_another_program_is_refused_and_left_alone(tmp_path, statement):
    other = sqlite3.connect(tmp_path / "n.db")
    other.execute(statement)
    other.commit()
    other.close()
    content = (tmp_path / "n.db").read_bytes()
    with pytest.raises(DatabaseUnusable, match="not a Nodegate database"):
        Database.open(tmp_path / "n.db")
    assert (tmp_path / "n.db").read_bytes() == content


def test_file_from_a_newer_version_is_refused(tmp_path):
    with Database.open(tmp_path / "n.db") as database:
        database.connection.execute(f"PRAGMA user_version = {schema.LATEST + 1}")
    with pytest.raises(DatabaseUnusable, match=f"newer version .*schema {schema.LATEST + 1}.*upgrade"):
        Database.open(tmp_path / "n.db")


@pytest.mark.parametrize("forbidden", ["file", "folder"])
def test_file_not_writable_by_this_user_names_its_owner(tmp_path, monkeypatch, forbidden):
    Database.open(tmp_path / "n.db").close()
    target = tmp_path / "n.db" if forbidden == "file" else tmp_path
    monkeypatch.setattr(os, "access", lambda path, mode: path != target)
    with pytest.raises(DatabaseUnusable, match=r"not writable: .* this user.s, but read-only; let its owner"):
        Database.open(tmp_path / "n.db")
    me = pwd.getpwuid(os.getuid()).pw_name
    monkeypatch.setattr(os, "geteuid", lambda: target.stat().st_uid + 1)
    with pytest.raises(DatabaseUnusable, match=f"not writable by this user.* belongs to {me}; .* as {me}"):
        Database.open(tmp_path / "n.db")


def test_owner_without_a_name_is_a_number(tmp_path, monkeypatch):
    def nobody(uid):
        raise KeyError

    monkeypatch.setattr(pwd, "getpwuid", nobody)
    assert owner_of(tmp_path) == f"user {os.getuid()}"


def test_system_errors_before_sqlite_are_one_line(tmp_path, monkeypatch):
    def refuse(*args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(DatabaseUnusable, match=r"n\.db cannot be opened: Permission denied"):
        Database.open(tmp_path / "n.db")


def test_file_made_by_another_process_meanwhile_is_used(tmp_path, monkeypatch):
    real_open = os.open
    made = []

    def other_was_faster(path, *args):
        if str(path).endswith("n.db"):
            os.close(real_open(path, *args))
            made.append(os.stat(path).st_ino)
        return real_open(path, *args)

    monkeypatch.setattr(os, "open", other_was_faster)
    with Database.open(tmp_path / "n.db") as database:
        assert database.query("SELECT count(*) FROM meta") == [(0,)]
    assert made[0] == (tmp_path / "n.db").stat().st_ino


def test_old_sqlite_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite3, "sqlite_version_info", (3, 36, 0))
    with pytest.raises(DatabaseUnusable, match=r"too old: 3\.37"):
        Database.open(tmp_path / "n.db")


def test_locked_file_is_named_at_opening(tmp_path, monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", 0.01)
    path = tmp_path / "n.db"
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    with pytest.raises(DatabaseUnusable, match="locked by another program") as refused:
        Database.open(path)
    assert one_line(refused)
    holder.close()


class Scripted:
    """A connection that answers as told; an exception is raised."""

    def __init__(self, *answers):
        self.answers = list(answers)

    def execute(self, sql):
        return self

    def fetchone(self):
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return (answer,)


def test_change_of_the_journal_mode_waits_for_others(monkeypatch):
    waits = []
    monkeypatch.setattr(sqlite.time, "sleep", waits.append)
    sqlite._enter_wal(Path("n.db"), Scripted("delete", error_of(sqlite3.SQLITE_BUSY), "delete", "wal", "wal"))
    assert len(waits) == 1


def test_change_of_the_journal_mode_gives_up_in_the_end(monkeypatch):
    monkeypatch.setattr(sqlite, "BUSY_TIMEOUT_S", -1.0)
    with pytest.raises(sqlite3.OperationalError):
        sqlite._enter_wal(Path("n.db"), Scripted("delete", error_of(sqlite3.SQLITE_BUSY)))


def test_other_faults_of_the_change_are_not_waited_for():
    with pytest.raises(sqlite3.OperationalError):
        sqlite._enter_wal(Path("n.db"), Scripted("delete", error_of(sqlite3.SQLITE_FULL)))


def test_file_system_without_wal_is_refused():
    with pytest.raises(DatabaseUnusable, match="local disk"):
        sqlite._enter_wal(Path("n.db"), Scripted("delete", "delete"))


def test_failed_opening_leaves_no_connection(tmp_path, monkeypatch):
    def fail(*args):
        raise error_of(sqlite3.SQLITE_FULL)

    monkeypatch.setattr(schema, "migrate", fail)
    with pytest.raises(StorageUnavailable):
        Database.open(tmp_path / "n.db")
    monkeypatch.undo()
    Database.open(tmp_path / "n.db").close()


@pytest.mark.parametrize(("user", "expected"), [(0, [(4711, 4712)]), (1000, [])])
def test_file_made_by_root_belongs_to_the_owner_of_the_database(monkeypatch, user, expected):
    given = []

    class Owned:
        def stat(self):
            return os.stat_result((0, 0, 0, 0, 4711, 4712, 0, 0, 0, 0))

    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(os, "fchown", lambda descriptor, uid, gid: given.append((uid, gid)))
    sqlite.give_to_owner_of(Owned(), 3)
    assert given == expected


# Transactions


def test_transaction_commits_as_a_whole(database):
    with database.transaction() as connection:
        connection.execute("INSERT INTO meta VALUES ('a', x'01')")
    assert database.query("SELECT key FROM meta") == [("a",)]


def test_any_exception_rolls_back(database):
    def fail():
        with database.transaction() as connection:
            connection.execute("INSERT INTO meta VALUES ('a', x'01')")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert database.query("SELECT key FROM meta") == []


def test_transaction_takes_the_write_lock_at_its_beginning(database, monkeypatch):
    database.connection.execute("PRAGMA busy_timeout = 1")
    with Database.open(database.path) as other, other.transaction():
        with pytest.raises(StorageUnavailable, match="locked"), database.transaction():
            pytest.fail("not reached")
        assert database.query("SELECT 1") == [(1,)]


def test_full_disk_is_said_so_and_nothing_is_written(database):
    (pages,) = database.query("PRAGMA page_count")[0]
    database.connection.execute(f"PRAGMA max_page_count = {pages}")

    def write():
        with database.transaction() as connection:
            for key in range(100):
                connection.execute("INSERT INTO meta VALUES (?, zeroblob(1000))", (str(key),))

    with pytest.raises(StorageUnavailable, match="full"):
        write()
    database.connection.execute("PRAGMA max_page_count = 1000000")
    assert database.query("SELECT count(*) FROM meta") == [(0,)]
    write()


def test_transaction_that_sqlite_ended_itself_is_not_ended_twice(database):
    def fail():
        with database.transaction() as connection:
            connection.execute("ROLLBACK")
            raise error_of(sqlite3.SQLITE_IOERR)

    with pytest.raises(StorageUnavailable):
        fail()


def test_errors_of_values_pass_through(database):
    with pytest.raises(sqlite3.IntegrityError), database.transaction() as connection:
        connection.execute("INSERT INTO meta VALUES ('a', NULL)")


def test_snapshot_sees_one_state(database):
    with Database.open(database.path) as other, database.snapshot() as connection:
        assert connection.execute("SELECT count(*) FROM meta").fetchone() == (0,)
        with other.transaction() as writing:
            writing.execute("INSERT INTO meta VALUES ('a', x'01')")
        assert connection.execute("SELECT count(*) FROM meta").fetchone() == (0,)
    assert database.query("SELECT count(*) FROM meta") == [(1,)]


def test_snapshot_that_sqlite_ended_itself_is_not_ended_twice(database):
    with database.snapshot() as connection:
        connection.execute("ROLLBACK")
    with database.snapshot() as connection:
        assert connection.in_transaction


def test_data_version_changes_with_foreign_commits_only(database):
    version = database.data_version()
    with database.transaction() as connection:
        connection.execute("INSERT INTO meta VALUES ('a', x'01')")
    assert database.data_version() == version
    with Database.open(database.path) as other, other.transaction() as writing:
        writing.execute("INSERT INTO meta VALUES ('b', x'01')")
    assert database.data_version() != version


def test_log_is_emptied_only_by_a_checkpoint_once_that_is_our_affair(database):
    database.disable_auto_checkpoint()
    log = Path(f"{database.path}-wal")
    with database.transaction() as connection:
        connection.execute("INSERT INTO meta VALUES ('a', zeroblob(8000000))")
    size = log.stat().st_size
    assert size > 8_000_000
    database.checkpoint()
    assert log.stat().st_size == size
    database.checkpoint(truncate=True)
    assert log.stat().st_size == 0


def test_connection_serves_any_thread_in_turn(database):
    results = []
    thread = threading.Thread(target=lambda: results.append(database.query("SELECT 1")))
    thread.start()
    thread.join()
    assert results == [[(1,)]]


# Errors in our words


@pytest.mark.parametrize(
    ("code", "kind", "words"),
    [
        (sqlite3.SQLITE_BUSY, StorageUnavailable, "locked"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, StorageUnavailable, "locked"),
        (sqlite3.SQLITE_LOCKED, StorageUnavailable, "locked"),
        (sqlite3.SQLITE_FULL, StorageUnavailable, "full"),
        (sqlite3.SQLITE_IOERR_FSYNC, StorageUnavailable, "fails"),
        (sqlite3.SQLITE_CORRUPT, DatabaseUnusable, "damaged; restore"),
        (sqlite3.SQLITE_NOTADB, DatabaseUnusable, "first page"),
        (sqlite3.SQLITE_READONLY, DatabaseUnusable, "owner"),
        (sqlite3.SQLITE_CANTOPEN, DatabaseUnusable, "owner"),
    ],
)
def test_each_fault_of_the_file_has_its_words(code, kind, words):
    translation = translate(error_of(code), Path("/n.db"))
    assert isinstance(translation, kind)
    assert isinstance(translation, RegistryError)
    assert words in str(translation)
    assert str(translation).startswith(("/n.db", "the disk of /n.db"))


def test_faults_of_statements_and_values_are_not_translated():
    assert translate(error_of(sqlite3.SQLITE_CONSTRAINT_UNIQUE), Path("/n.db")) is None
    assert translate(sqlite3.ProgrammingError("no code"), Path("/n.db")) is None


def test_damaged_page_is_found_when_it_is_read(tmp_path):
    path = tmp_path / "n.db"
    with Database.open(path) as database, database.transaction() as connection:
        for key in range(2000):
            connection.execute("INSERT INTO meta VALUES (?, zeroblob(100))", (str(key),))
    content = bytearray(path.read_bytes())
    content[4096 * 40 :] = b"\xff" * (len(content) - 4096 * 40)
    path.write_bytes(content)
    with Database.open(path) as database, pytest.raises(DatabaseUnusable, match="damaged"):
        database.query("SELECT count(value) FROM meta WHERE value > x'00'")
