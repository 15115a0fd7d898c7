import itertools

import pytest

from registry.administration import Administration
from registry.errors import InvalidValue, NotAllowed, NotFound
from registry.model import DeviceState, NewDevice, Refusal, Security
from registry.newcomers import GENERATED_SECRET_BYTES
from registry.serverkey import ServerKey, ShownServerKey, note_chain
from tests.support.registry import event_types

# Show and list


def test_device_is_found_by_either_id(administration):
    created = administration.create("n1")
    assert administration.get("n1") == administration.get(created.device.device_id)
    assert administration.find("n2") is None
    with pytest.raises(NotFound, match="n2"):
        administration.get("n2")
    with pytest.raises(NotFound) as refused:
        administration.get("\x1b[31m")
    assert str(refused.value).isprintable()


def test_show_has_the_last_refusals_and_list_has_none(administration, place):
    administration.create("n1")
    place.execute("INSERT INTO refusal (node_id, at_ms, address, reason) VALUES ('n1', 5, 'a', 'why')")
    assert administration.get("n1").refusals == (Refusal(5, "a", "why"),)
    [view] = administration.list()
    assert view.refusals == ()


def test_list_is_ordered_by_node_id_and_pages_by_it(administration):
    names = [f"n{index:04d}" for index in range(1_203)]
    administration.import_devices([NewDevice(name, Security.NONE) for name in reversed(names)])
    assert [view.device.node_id for view in administration.list()] == names
    assert [view.device.node_id for view in administration.list(limit=2)] == names[:2]
    assert [view.device.node_id for view in administration.list(limit=700, after="n0001")] == names[2:702]
    assert list(administration.list(limit=0)) == []
    assert list(administration.list(after="z")) == []


def test_next_page_may_begin_behind_a_device_id(administration):
    for node_id in ("a", "b", "c"):
        administration.create(node_id, Security.NONE)
    device_id = administration.get("b").device.device_id
    assert [view.device.node_id for view in administration.list(after=device_id)] == ["c"]
    with pytest.raises(NotFound):
        list(administration.list(after="d-aaaaaaaaaaaaaaaa"))


def test_list_filters_by_security_and_state(administration):
    administration.create("psk")
    administration.create("none", Security.NONE)
    administration.freeze("none")
    assert [v.device.node_id for v in administration.list(security=Security.PSK)] == ["psk"]
    assert [v.device.node_id for v in administration.list(state=DeviceState.FROZEN)] == ["none"]
    assert [v.device.node_id for v in administration.list(state=DeviceState.INACTIVE)] == ["psk"]
    assert list(administration.list(state=DeviceState.FROZEN, security=Security.PSK)) == []


# Change


def test_deleted_device_takes_everything_but_its_events_along(administration, place):
    device = administration.create("n1").device
    place.execute(
        "INSERT INTO registration VALUES (?, 'loc', NULL, 'a', '1.0', 'U', 1, 1, 0, 0, NULL, NULL, NULL)",
        device.number,
    )
    place.execute("INSERT INTO refusal (node_id, at_ms, address, reason) VALUES ('n1', 5, 'a', 'why')")
    place.execute("INSERT INTO profile VALUES (?, 'p', 1)", device.number)
    assert administration.delete("n1") == device
    for table in ("device", "registration", "refusal", "profile"):
        assert place.rows(f"SELECT * FROM {table}") == []
    assert event_types(administration) == ["device_created", "device_deleted"]
    with pytest.raises(NotFound):
        administration.delete("n1")


def test_freezing_ends_the_registration_and_unfreezing_does_not_bring_it_back(administration, place):
    device = administration.create("n1").device
    place.execute(
        "INSERT INTO registration VALUES (?, 'loc', NULL, 'a', '1.0', 'U', 1, 1, 0, 0, NULL, NULL, NULL)",
        device.number,
    )
    view = administration.freeze(device.device_id)
    assert view.state is DeviceState.FROZEN
    assert view.registration is None
    assert administration.unfreeze("n1").state is DeviceState.INACTIVE
    assert event_types(administration) == ["device_created", "device_frozen", "device_unfrozen"]
    assert administration.get("n1").device.revision == 2


def test_freezing_twice_is_one_event(administration):
    administration.create("n1")
    assert administration.freeze("n1") == administration.freeze("n1")
    assert administration.unfreeze("n1") == administration.unfreeze("n1")
    assert event_types(administration) == ["device_created", "device_frozen", "device_unfrozen"]


def test_reset_secret_replaces_it_and_ends_the_registration(administration, place):
    first = administration.create("n1")
    place.execute(
        "INSERT INTO registration VALUES (?, 'loc', NULL, 'a', '1.0', 'U', 1, 1, 0, 0, NULL, NULL, NULL)",
        first.device.number,
    )
    second = administration.reset_secret("n1")
    assert len(second.secret) == GENERATED_SECRET_BYTES
    assert second.secret != first.secret
    assert second.device.sealed_secret != first.device.sealed_secret
    assert second.device.revision == 1
    assert place.rows("SELECT * FROM registration") == []
    assert administration.reset_secret("n1", b"12345678").secret == b"12345678"
    assert event_types(administration) == ["device_created", "secret_reset", "secret_reset"]


def test_reset_secret_does_not_arm_the_claim_deadline_again(administration, place):
    administration.create("n1", timeout_s=60)
    place.clock.advance(30)
    deadline = administration.get("n1").device.claim_deadline_ms
    assert administration.reset_secret("n1").device.claim_deadline_ms == deadline


def test_reset_secret_is_refused_where_there_is_none(administration):
    administration.create("n1", Security.NONE)
    with pytest.raises(NotAllowed, match="n1 has no secret: its security is none"):
        administration.reset_secret("n1")
    with pytest.raises(NotFound):
        administration.reset_secret("n2")
    with pytest.raises(InvalidValue):
        administration.reset_secret("n1", b"short")


@pytest.mark.parametrize("values", [{}, {"certificate": b"c"}])
def test_reset_secret_is_refused_to_certificates(administration, values):
    administration.create("n1", Security.X509, **values)
    with pytest.raises(NotAllowed, match="n1 has no secret: its security is x509"):
        administration.reset_secret("n1")


# The gateway's own key


def test_server_key_is_made_where_there_is_none(administration):
    key = ServerKey(b"private", b"certificate")
    assert administration.server_key(lambda: key) == ShownServerKey(b"certificate", None)
    again = administration.server_key(lambda: pytest.fail("made again"))
    assert again == ShownServerKey(b"certificate", None)


def test_server_key_is_not_made_for_a_gateway_that_shows_a_chain(administration, place):
    with place.database() as database:
        note_chain(database, b"chain")
    shown = administration.server_key(lambda: pytest.fail("made"))
    assert shown == ShownServerKey(None, b"chain")


# Events


def test_events_are_read_on_behind_an_id(administration):
    for name in "abc":
        administration.create(name, Security.NONE)
    administration.delete("b")
    ids = [event.id for event in administration.events()]
    assert ids == sorted(ids)
    assert [event.type for event in administration.events(after=ids[2])] == ["device_deleted"]
    assert len(administration.events(limit=2)) == 2
    assert [e.node_id for e in administration.events(types=["device_deleted", "refused"])] == ["b"]
    assert administration.last_event_id() == ids[-1]


def test_events_bear_the_time_of_the_clock(administration, place):
    administration.create("n1")
    place.clock.advance(10)
    administration.delete("n1")
    first, second = administration.events()
    assert second.at_ms - first.at_ms == 10_000


def test_entropy_is_asked_for_each_device(place):
    counter = itertools.count()

    def entropy(size):
        return next(counter).to_bytes(size, "big")

    with Administration(place.database(), clock=place.clock, entropy=entropy) as administration:
        created = administration.import_devices([NewDevice("a"), NewDevice("b")])
    assert len({one.device.device_id for one in created}) == 2
    assert len({one.secret for one in created}) == 2


def test_system_clock_is_the_default(place):
    with Administration(place.database()) as administration:
        assert administration.create("n1").device.created_at_ms > 1_600_000_000_000
