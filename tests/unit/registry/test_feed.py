import pytest

from registry import feed as feed_module
from registry.feed import ChangeFeed


@pytest.fixture
def feed(place):
    with place.database() as database:
        place.create("before")
        feed = ChangeFeed(database)
        with database.snapshot() as connection:
            feed.begin(connection)
        yield feed


def test_nothing_is_read_while_nobody_else_writes(feed):
    assert feed.read() is None


def test_events_since_the_start_are_read_once_with_their_devices_as_they_are(feed, place):
    created = place.create("n")
    place.create("gone")
    with place.administration() as administration:
        gone = administration.delete("gone")
        frozen = administration.freeze("n").device
    foreign = feed.read()
    assert foreign.events == [
        ("device_created", created.device_id, "n"),
        ("device_created", gone.device_id, "gone"),
        ("device_deleted", gone.device_id, "gone"),
        ("device_frozen", created.device_id, "n"),
    ]
    assert foreign.devices == {created.device_id: frozen}
    assert not foreign.has_more
    assert feed.read() is None


def test_foreign_commit_without_an_event_is_no_news(feed, place):
    place.execute("INSERT INTO meta VALUES ('k', x'00')")
    assert feed.read().events == []
    assert feed.read() is None


def test_own_events_are_passed_over(feed, place):
    place.execute(
        "INSERT INTO event (at_ms, type, node_id, data, source) VALUES (0, 'refused', 'n', '{}', 0)"
    )
    place.create("n")
    assert [event[0] for event in feed.read().events] == ["device_created"]


def test_many_events_come_in_batches(feed, place, monkeypatch):
    monkeypatch.setattr(feed_module, "BATCH", 2)
    place.create_many(4)
    batches = [feed.read() for _ in range(3)]
    assert [len(batch.events) for batch in batches] == [2, 2, 0]
    assert [batch.has_more for batch in batches] == [True, True, False]
    assert feed.read() is None
