from registry.models import StoredDefinition, newest_revision, read_definitions, store_definitions
from registry.sqlite import Database

THREE, FOUR = StoredDefinition(3, "1.0", "{}"), StoredDefinition(4, "1.0", "{}")


def store(database, *definitions):
    with database.transaction() as connection:
        return store_definitions(connection, definitions, 5)


def read(database, after=0):
    with database.snapshot() as connection:
        return read_definitions(connection, after)


def test_nothing_was_imported_at_first(database):
    assert read(database) == ([], 0)


def test_reader_asks_for_what_is_new(database):
    assert store(database, THREE) == 1
    assert store(database, FOUR) == 2
    assert read(database) == ([THREE, FOUR], 2)
    assert read(database, 1) == ([FOUR], 2)
    assert read(database, 2) == ([], 2)


def test_import_takes_the_place_of_the_same_version_and_is_new_again(database):
    store(database, THREE, FOUR)
    changed = StoredDefinition(3, "1.0", '{"new":1}')
    assert store(database, changed) == 2
    assert read(database, 1) == ([changed], 2)
    assert read(database)[0] == [changed, FOUR]


def test_other_connection_notices_an_import(database):
    with Database.open(database.path) as other:
        before = database.data_version()
        store(other, THREE)
        assert database.data_version() != before
        assert newest_revision(database.connection) == 1
