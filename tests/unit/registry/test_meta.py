from registry import meta


def test_newest_value_counts_inside_the_transaction_and_after_it(database):
    assert meta.find(database, "key") is None
    for value in (b"one", b"two"):
        with database.transaction() as connection:
            meta.write(connection, "key", value)
            assert meta.find(database, "key") == value
        assert meta.find(database, "key") == value
    assert meta.find(database, "other") is None


def test_deleted_value_is_gone(database):
    with database.transaction() as connection:
        meta.write(connection, "key", b"one")
        meta.delete(connection, "key")
        meta.delete(connection, "other")
    assert meta.find(database, "key") is None
