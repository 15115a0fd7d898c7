import pytest

from registry import values
from registry.errors import NotFound
from registry.model import Origin, Reading
from registry.sqlite import Database
from tests.support.registry import Place


@pytest.fixture
def connection(tmp_path):
    with Database.open(tmp_path / "n.db") as database, database.transaction() as connection:
        yield connection


def put(connection, *readings, device=1, origin=Origin.SEND, history=100):
    values.put(connection, device, [Reading(*each) for each in readings], origin, history)


def latest(connection, path="/", device=1):
    return [(each.path, each.value, each.at_ms) for each in values.read_latest(connection, device, path)]


def history(connection, count=100, path="/"):
    return [each.value for each in values.read_history(connection, 1, path, count)]


def test_latest_value_of_each_path_stands_in_the_order_of_the_paths(connection):
    put(connection, ("/10/0/1", "1", 5), ("/3/0/13", '"later"', 6), ("/3/0/9", "[1]", 7))
    put(connection, ("/3/0/9", "80", 8), origin=Origin.NOTIFY)
    put(connection, ("/3/0/9", "0", 8), device=2)
    assert latest(connection) == [("/3/0/9", 80, 8), ("/3/0/13", "later", 6), ("/10/0/1", 1, 5)]
    assert [each.origin for each in values.read_latest(connection, 1)] == ["notify", "send", "send"]


def test_values_are_read_below_a_path(connection):
    put(connection, ("/3/0/1", "1", 5), ("/3/0/10/0", "2", 5), ("/33/0/1", "3", 5))
    assert [path for path, *_ in latest(connection, "/3")] == ["/3/0/1", "/3/0/10/0"]
    assert [path for path, *_ in latest(connection, "/3/0/1")] == ["/3/0/1"]
    assert [path for path, *_ in latest(connection, "/3/0/10/")] == ["/3/0/10/0"]
    assert history(connection, path="/33") == [3]


def test_older_value_goes_to_the_history_only(connection):
    put(connection, ("/3/0/9", "80", 8))
    put(connection, ("/3/0/9", "79", 7), origin=Origin.READ)
    assert latest(connection) == [("/3/0/9", 80, 8)]
    assert history(connection) == [79, 80]
    put(connection, ("/3/0/9", "81", 8))
    assert latest(connection) == [("/3/0/9", 81, 8)], "of one instant the last to come"


def test_history_is_bounded_for_each_path(connection):
    for number in range(10):
        put(connection, ("/3/0/9", str(number), number), ("/3/0/1", "0", number), history=4)
    assert history(connection, path="/3/0/9") == [6, 7, 8, 9]
    assert history(connection, 2, "/3/0/9") == [8, 9]
    assert connection.execute("SELECT count(*) FROM value_history").fetchone() == (8,)


def test_history_is_bounded_anew_when_the_bound_changes(connection):
    for bound in (4, 2, 6):
        for _ in range(10):
            put(connection, ("/3/0/9", "1", 1), history=bound)
        assert len(history(connection, bound)) == bound


def test_values_go_with_their_device(tmp_path):
    place = Place(tmp_path)
    device = place.create("n")
    with place.database() as database, database.transaction() as connection:
        put(connection, ("/3/0/9", "80", 8), device=device.number)
    with place.administration() as administration:
        assert [each.value for each in administration.values("n", "/3")] == [80]
        assert [each.value for each in administration.values("n", with_history=True)] == [80]
        administration.delete("n")
        with pytest.raises(NotFound):
            administration.values("n")
    assert place.rows("SELECT * FROM value") == place.rows("SELECT * FROM value_history") == []
