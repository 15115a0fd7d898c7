import sqlite3
from contextlib import nullcontext

import pytest
import sqlite_utils

from registry import schema
from registry.migrations import MIGRATIONS


def test_numbers_of_the_steps_ascend_from_1():
    assert [number for number, _ in MIGRATIONS] == list(range(1, len(MIGRATIONS) + 1))


def test_new_file_has_every_table_our_mark_and_a_record_of_each_step(database):
    assert schema.read_header(database.connection)[:2] == (schema.APPLICATION_ID, schema.LATEST)
    assert database.query("SELECT number FROM migration") == [(number,) for number, _ in MIGRATIONS]
    tables = set(sqlite_utils.Database(database.connection).table_names())
    assert {
        "device",
        "registration",
        "object_list",
        "profile",
        "lease_page",
        "event",
        "refusal",
        "meta",
    } <= tables


def test_every_table_of_ours_is_strict(database):
    for table in sqlite_utils.Database(database.connection).tables:
        assert table.strict or table.name.startswith("sqlite_"), table.name


def test_second_run_finds_nothing_to_do(database):
    assert schema.migrate(database.connection, database.transaction, 0) == []


def test_steps_run_in_order_and_are_recorded_with_their_time(database):
    def add_column(number):
        return schema.LATEST + number, lambda db: db.execute(
            f"ALTER TABLE device ADD COLUMN extra{number} TEXT"
        )

    assert schema.migrate(database.connection, database.transaction, 77, [add_column(1), add_column(2)]) == [
        schema.LATEST + 1,
        schema.LATEST + 2,
    ]
    assert database.query("SELECT applied_at_ms FROM migration ORDER BY number")[-2:] == [(77,), (77,)]
    assert schema.read_header(database.connection)[1] == schema.LATEST + 2


def test_failed_step_leaves_neither_change_nor_record(database):
    def fail(db):
        db.execute("ALTER TABLE device ADD COLUMN half TEXT")
        raise ValueError

    before = schema.read_header(database.connection)
    with pytest.raises(ValueError):  # noqa: PT011  (the step's own)
        schema.migrate(database.connection, database.transaction, 0, [(schema.LATEST + 1, fail)])
    assert schema.read_header(database.connection) == before
    with pytest.raises(sqlite3.OperationalError):
        database.connection.execute("SELECT half FROM device")


def test_step_done_by_another_process_meanwhile_is_not_repeated(database):
    def other_process_was_faster():
        database.connection.execute(f"PRAGMA user_version = {schema.LATEST + 1}")
        return nullcontext()

    def fail(db):
        raise AssertionError

    assert schema.migrate(database.connection, other_process_was_faster, 0, [(schema.LATEST + 1, fail)]) == []
