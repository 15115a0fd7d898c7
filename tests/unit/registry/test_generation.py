import os
import shutil

import pytest

from registry import generation, sessionfile
from registry.errors import StorageUnavailable
from registry.keyring import Keyring
from registry.sessionfile import SessionFile, SessionRow
from registry.sqlite import Database

ROW = SessionRow(3, b"meter-7", b"d-1/0/", b"the keys of the session")


def take_over(database):
    return generation.take_over(database, Keyring(database), os.urandom)


def has_row(file):
    rows, _ = file.load()
    file.close()
    return bool(rows)


def fill(database):
    """A run that ends in a crash."""
    file = take_over(database)
    file.write([ROW], [], [])
    file.close()


def test_first_start_makes_a_file(database):
    file = take_over(database)
    assert file.load() == ([], [])
    assert file.disbelieved is None
    file.close()


def test_file_goes_on_after_a_crash(database):
    fill(database)
    file = take_over(database)
    assert file.disbelieved is None
    assert has_row(file)


def test_file_that_this_database_knows_nothing_of_is_not_believed(database):
    sessionfile.path_beside(database.path).write_bytes(b"left by somebody")
    file = take_over(database)
    assert file.disbelieved == "it is damaged or in use"
    assert not has_row(file)


def test_file_goes_on_after_a_clean_stop(database):
    fill(database)
    generation.hand_back(database, take_over(database))
    assert has_row(take_over(database))


def test_each_start_and_each_clean_stop_raise_the_generation(database):
    seen = []
    for _ in range(3):
        file = take_over(database)
        seen.append(file.mark.generation)
        generation.hand_back(database, file)
    assert seen[1] - seen[0] == seen[2] - seen[1] == 2


def test_missing_file_is_replaced(database):
    fill(database)
    sessionfile.path_beside(database.path).unlink()
    assert not has_row(take_over(database))


@pytest.mark.parametrize("is_clean", [False, True])
def test_older_file_is_replaced(database, is_clean):
    fill(database)
    path = sessionfile.path_beside(database.path)
    shutil.copy(path, path.with_name("older"))
    file = take_over(database)
    if is_clean:
        generation.hand_back(database, file)
    file.close()
    shutil.copy(path.with_name("older"), path)
    assert not has_row(take_over(database))


def test_file_of_another_database_is_replaced(database, tmp_path):
    fill(database)
    elsewhere = tmp_path / "other"
    elsewhere.mkdir()
    shutil.copy(database.path.with_name(f"{database.path.name}.key"), elsewhere / "n.db.key")
    with Database.open(elsewhere / "n.db") as other:
        fill(other)
        shutil.copy(sessionfile.path_beside(other.path), sessionfile.path_beside(database.path))
    assert not has_row(take_over(database))


def test_newer_file_than_the_database_says_is_replaced(database):
    fill(database)
    before = generation._read(database)
    take_over(database).close()
    take_over(database).close()
    generation._write(database, before)
    assert not has_row(take_over(database))


class Crash(Exception):
    pass


@pytest.mark.parametrize("step", [0, 1, 2])
@pytest.mark.parametrize("is_stop", [False, True])
def test_crash_while_the_generation_rises_loses_no_session(database, monkeypatch, step, is_stop):
    fill(database)
    file = take_over(database)
    steps = iter(range(3))

    def crashing(original):
        def run(*arguments):
            if next(steps) == step:
                raise Crash
            return original(*arguments)

        return run

    monkeypatch.setattr(generation, "_write", crashing(generation._write))
    monkeypatch.setattr(SessionFile, "raise_generation", crashing(SessionFile.raise_generation))
    rise = generation.hand_back if is_stop else generation._raise
    with pytest.raises(Crash):
        rise(database, file)
    file.close()
    monkeypatch.undo()
    assert has_row(take_over(database))


def test_file_that_cannot_be_raised_is_let_go(database, monkeypatch):
    fill(database)

    def fail(file, number):
        raise StorageUnavailable("read-only")

    monkeypatch.setattr(SessionFile, "raise_generation", fail)
    with pytest.raises(StorageUnavailable):
        take_over(database)
    monkeypatch.undo()
    # It would be in use.
    assert has_row(take_over(database))


def test_new_file_does_not_count_before_it_is_whole(database):
    for is_first in (True, False):
        file = generation.create(database, Keyring(database), os.urandom)
        file.write([ROW], [], [], is_whole=not is_first)
        file.close()
        assert has_row(take_over(database)) is not is_first


def test_disowned_file_is_gone(database):
    generation.disown(database)
    fill(database)
    generation.disown(database)
    assert not sessionfile.path_beside(database.path).exists()


def test_file_that_cannot_be_deleted_does_not_fit_any_more(database, monkeypatch):
    fill(database)

    def fail(path):
        raise StorageUnavailable("read-only")

    monkeypatch.setattr(sessionfile, "delete", fail)
    generation.disown(database)
    monkeypatch.undo()
    assert sessionfile.path_beside(database.path).exists()
    assert not has_row(take_over(database))


def test_nothing_has_to_fit_where_there_never_was_a_file(database, monkeypatch):
    def fail(path):
        raise StorageUnavailable("read-only")

    monkeypatch.setattr(sessionfile, "delete", fail)
    generation.disown(database)
    assert generation._read(database) is None
