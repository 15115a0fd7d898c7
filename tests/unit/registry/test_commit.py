import sqlite3

import pytest

from registry.changes import Register
from registry.outcomes import COMMITTED, INVALID, CommitFailure
from tests.support.committing import Scene
from tests.support.registry import Place, make_registration


@pytest.fixture
def scene(tmp_path):
    scene = Scene(Place(tmp_path))
    yield scene
    scene.database.close()


@pytest.mark.parametrize("values", [{"sms": "\ud800"}, {"lifetime_s": 2**63}, {"sms": object()}])
def test_value_that_no_row_can_hold_fails_alone(scene, values):
    others = [scene.place.create(f"other-{index}") for index in range(4)]
    group = [scene.register(make_registration(device), device) for device in others]
    group.insert(2, scene.register(scene.registration._replace(**values)))
    assert scene.commit(*group) == [COMMITTED, COMMITTED, INVALID, COMMITTED, COMMITTED]
    assert len(scene.locations()) == 4


def test_full_disk_fails_the_group_as_a_whole_and_service_resumes_by_itself(scene):
    (pages,) = scene.database.query("PRAGMA page_count")[0]
    scene.database.connection.execute(f"PRAGMA max_page_count = {pages}")
    changes = [
        scene.register(scene.registration._replace(sms="x" * 5_000, location=str(index)))
        for index in range(3)
    ]
    outcomes = scene.commit(*changes)
    assert [outcome.failure for outcome in outcomes] == [CommitFailure.STORAGE] * 3
    assert "full" in outcomes[0].detail
    assert not outcomes[0].is_committed
    assert scene.locations() == []
    assert scene.place.rows("SELECT * FROM object_list") == []
    scene.database.connection.execute("PRAGMA max_page_count = 1000000")
    assert [outcome.is_committed for outcome in scene.commit(*changes)] == [True] * 3
    assert scene.place.rows("SELECT count(*) FROM object_list") == [(1,)]


def test_locked_file_fails_the_group(scene):
    scene.database.connection.execute("PRAGMA busy_timeout = 1")
    with scene.place.database() as other, other.transaction():
        [outcome] = scene.commit(scene.register())
    assert outcome.failure is CommitFailure.STORAGE
    assert "locked" in outcome.detail


def test_bugs_are_not_outcomes(scene, monkeypatch):
    def fail(*args):
        raise ZeroDivisionError

    monkeypatch.setattr(Register, "collect", fail)
    with pytest.raises(ZeroDivisionError):
        scene.commit(scene.register())
    assert scene.locations() == []


def test_statements_that_are_wrong_are_not_outcomes(scene):
    with scene.database.transaction() as connection:
        connection.execute("DROP TABLE profile")
    with pytest.raises(sqlite3.OperationalError):
        scene.commit(scene.register(scene.registration._replace(profile_id="p")))
