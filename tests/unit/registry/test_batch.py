import pytest

from registry.outcomes import COMMITTED
from tests.support.committing import Scene
from tests.support.registry import Place


@pytest.fixture
def scene(tmp_path):
    scene = Scene(Place(tmp_path))
    yield scene
    scene.database.close()


def test_first_of_two_registrations_in_a_group_is_the_first_connection(scene):
    second = scene.registration._replace(location="second", registered_at_ms=9)
    assert scene.commit(scene.register(), scene.register(second)) == [COMMITTED, COMMITTED]
    assert scene.locations() == ["second"]
    assert scene.place.rows("SELECT connected_at_ms FROM device") == [(scene.registration.registered_at_ms,)]
    assert scene.events() == ["registered", "registered"]


def test_registration_after_an_end_in_the_same_group_stands(scene):
    scene.commit(scene.register())
    second = scene.registration._replace(location="second")
    assert scene.commit(scene.remove(), scene.register(second)) == [COMMITTED, COMMITTED]
    assert scene.locations() == ["second"]


def test_object_list_used_again_on_another_day_is_marked(scene):
    scene.commit(scene.register())
    first = scene.place.rows("SELECT id, used_on FROM object_list")
    scene.place.clock.advance(86_400)
    scene.commit(scene.register(scene.registration._replace(location="second")))
    [(row_id, used_on)] = scene.place.rows("SELECT id, used_on FROM object_list")
    assert (row_id, used_on) == (first[0][0], first[0][1] + 1)
