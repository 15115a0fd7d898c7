from dataclasses import replace

import pytest

from registry import outbox, purge, refusals
from registry.model import Device, ObjectList, Refusal, Security
from registry.purge import claim_remaining_s, prune_history, prune_values, remove_orphans
from registry.registrations import store_objects
from registry.sqlite import Database
from tests.support.registry import OBJECTS

DEVICE = Device(1, "d-1", "n", Security.NONE, 60, 1_000_000)
DAY_MS = 86_400_000


@pytest.fixture
def connection(tmp_path):
    with Database.open(tmp_path / "n.db") as database, database.transaction() as connection:
        yield connection


@pytest.mark.parametrize(
    ("wall_ms", "remaining_s"),
    [(1_000_000, 60.0), (1_030_500, 29.5), (1_060_000, 0.0), (9_000_000, 0.0), (0, 60.0)],
)
def test_claim_remains_until_its_deadline_and_never_longer_than_its_timeout(wall_ms, remaining_s):
    assert claim_remaining_s(DEVICE, wall_ms) == remaining_s


def test_device_without_timeout_or_once_connected_has_no_claim():
    assert claim_remaining_s(replace(DEVICE, timeout_s=0), 0) is None
    assert claim_remaining_s(replace(DEVICE, connected_at_ms=1), 0) is None


def test_values_events_go_after_their_own_keep_time(connection):
    for at_ms, type_ in (
        (80_000, "values_reported"),
        (80_000, "refused"),
        (95_000, "values_reported"),
        (120_000, "values_reported"),
        (80_000, "values_reported"),
    ):
        outbox.append(connection, [(at_ms, type_, None, "n", "{}", None, 0)])
    assert prune_values(connection, 100_000, 10) == 2
    left = connection.execute("SELECT at_ms, type FROM event ORDER BY id").fetchall()
    assert left == [(80_000, "refused"), (95_000, "values_reported"), (80_000, "values_reported")]
    assert prune_values(connection, 100_000, 10) == 0, "the last row is never pruned"


def test_history_goes_after_its_keep_time(connection):
    keep_s, now_ms = 10, 100_000
    for at_ms in (80_000, 95_000, 120_000):
        outbox.append(connection, [(at_ms, "refused", None, "n", "{}", None, 0)])
        refusals.append(connection, "n", Refusal(at_ms, "a", "r"))
    outbox.append(connection, [(now_ms, "refused", None, "n", "{}", None, 0)])
    assert prune_history(connection, now_ms, keep_s) == 4
    assert prune_history(connection, now_ms, keep_s) == 0
    assert [event.at_ms for event in outbox.read(connection)] == [95_000, 100_000]
    assert [refusal.at_ms for refusal in refusals.read(connection, "n")] == [95_000]


def test_rows_of_no_device_go_in_chunks(connection):
    insert = "INSERT INTO registration VALUES (?, 'l', NULL, 'a', '1.0', 'U', 1, 1, 0, 0, NULL, NULL, NULL)"
    connection.executemany(insert, [(number,) for number in range(purge.CHUNK + 5)])
    connection.execute("INSERT INTO profile VALUES (1, 'p', 1)")
    assert remove_orphans(connection, 0, 0) == purge.CHUNK + 1
    assert remove_orphans(connection, 0, 0) == 5
    assert remove_orphans(connection, 0, 0) == 0


def test_object_lists_stay_while_an_event_may_name_them_or_something_uses_them(connection):
    connection.execute(
        "INSERT INTO device (number, device_id, node_id, security, timeout_s, created_at_ms)"
        " VALUES (1, 'd', 'n', 'none', 0, 0)"
    )
    used = store_objects(connection, OBJECTS, 1)
    known = store_objects(connection, replace(OBJECTS, alternate_path="/x"), 1)
    store_objects(connection, ObjectList(), 1)
    connection.execute(
        "INSERT INTO registration VALUES (1, 'l', NULL, 'a', '1.0', 'U', 1, ?, 0, 0, NULL, NULL, NULL)",
        (used,),
    )
    connection.execute("INSERT INTO profile VALUES (1, 'p', ?)", (known,))
    keep_s = 7 * 86_400
    assert remove_orphans(connection, 9 * DAY_MS, keep_s) == 0
    assert remove_orphans(connection, 11 * DAY_MS, keep_s) == 1
    assert {row[0] for row in connection.execute("SELECT id FROM object_list")} == {used, known}
