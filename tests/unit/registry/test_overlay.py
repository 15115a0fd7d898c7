from registry.model import Device, Security
from registry.overlay import Overlay
from tests.support.registry import make_registration

DEVICE = Device(1, "d-1", "n", Security.NONE, 0, 0)
OLD, NEW = make_registration(DEVICE, "old"), make_registration(DEVICE, "new")


def test_register_in_place_of_another_hides_the_old_location_at_once():
    overlay = Overlay()
    overlay.begin(1, OLD, NEW)
    assert overlay.locations == {"old": None, "new": NEW}
    assert overlay.devices[1].latest is NEW
    assert overlay.finish(1).latest is NEW
    assert overlay.locations == {}
    assert overlay.devices == {}


def test_second_change_builds_on_the_first_until_both_are_done():
    overlay = Overlay()
    changed = make_registration(DEVICE, "new", lifetime_s=9)
    overlay.begin(1, None, NEW)
    overlay.begin(1, NEW, changed)
    assert overlay.locations == {"new": changed}
    assert overlay.finish(1) is None
    assert overlay.locations == {"new": changed}
    assert overlay.finish(1).latest is changed
    assert overlay.locations == {}


def test_end_leaves_nothing_to_find():
    overlay = Overlay()
    overlay.begin(1, OLD, None)
    assert overlay.locations == {"old": None}
    assert overlay.finish(1).latest is None


def test_moved_registration_replaces_the_pending_one():
    overlay = Overlay()
    moved = make_registration(DEVICE, "new", address="192.0.2.9:9")
    overlay.begin(1, None, NEW)
    overlay.replace_latest(1, moved)
    assert overlay.locations["new"] is moved
    assert overlay.finish(1).latest is moved
