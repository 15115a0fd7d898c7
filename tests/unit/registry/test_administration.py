import itertools
from hashlib import sha256

import pytest

from registry.administration import GENERATED_SECRET_BYTES, Administration, check_new_device
from registry.errors import AlreadyExists, ImportRefused, InvalidValue, KeyUnusable, NotAllowed, NotFound
from registry.model import DeviceState, NewDevice, Refusal, Security
from registry.sealing import KeySource
from registry.serverkey import ServerKey, ShownServerKey, note_chain
from tests.support.registry import Place


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


@pytest.fixture
def administration(place):
    with place.administration() as administration:
        yield administration


def types(administration):
    return [event.type for event in administration.events()]


# Create


def test_psk_device_gets_a_random_secret_that_is_sealed(administration, place):
    created = administration.create("n1", timeout_s=60)
    assert len(created.secret) == GENERATED_SECRET_BYTES
    assert created.device.security is Security.PSK
    assert created.device.created_at_ms == place.clock.wall_ms()
    assert created.device == administration.get("n1").device
    for name in ("nodegate.db", "nodegate.db-wal"):
        content = (place.path.parent / name).read_bytes()
        assert created.secret not in content
        assert created.secret.hex().encode() not in content
    [event] = administration.events()
    assert (event.type, event.device_id, event.node_id) == ("device_created", created.device.device_id, "n1")
    assert event.data == {"security": "psk", "timeout": 60}


def test_given_secret_is_taken(administration):
    assert administration.create("n1", secret=b"12345678").secret == b"12345678"


def test_device_without_security_has_no_secret_and_needs_no_key(administration, place):
    created = administration.create("n1", Security.NONE)
    assert created.secret is None
    assert created.device.sealed_secret is None
    assert not place.path.with_name("nodegate.db.key").exists()


def test_taken_node_id_is_refused(administration):
    administration.create("n1")
    with pytest.raises(AlreadyExists, match="n1 exists already; delete it"):
        administration.create("n1", Security.NONE)
    assert types(administration) == ["device_created"]


def test_node_id_taken_between_look_and_insert_is_refused(administration, monkeypatch):
    administration.create("n1")
    looks = iter([set(), {"n1"}])
    monkeypatch.setattr(Administration, "_find_taken", lambda self, node_ids: next(looks))
    with pytest.raises(AlreadyExists, match="n1 exists already"):
        administration.create("n1")
    assert types(administration) == ["device_created"]


def test_colliding_device_id_is_no_fault_of_the_caller(place):
    import sqlite3

    with Administration(place.database(), clock=place.clock, entropy=bytes) as administration:
        administration.create("n1", Security.NONE)
        with pytest.raises(sqlite3.IntegrityError):
            administration.create("n2", Security.NONE)


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        (NewDevice(""), "empty"),
        (NewDevice("n", secret=b"short"), "5 bytes"),
        (NewDevice("n", Security.NONE, b"12345678"), "has no secret"),
        (NewDevice("n", timeout_s=-1), "negative"),
        (NewDevice("n", Security.X509, b"12345678"), "has no secret"),
        (NewDevice("n", certificate=b"c"), "security psk has no certificate"),
        (NewDevice("n", Security.RPK, certificate=b"c"), "security rpk has no certificate"),
        (NewDevice("n", Security.X509, public_key=b"k"), "security x509 has no public key"),
        (NewDevice("n", Security.RPK), "proves itself by its public key"),
        (NewDevice("n", Security.RPK, public_key=b""), "public key has 0 bytes"),
        (NewDevice("n", Security.X509, certificate=bytes(8193)), "certificate has 8193 bytes"),
    ],
)
def test_impossible_devices_are_refused_before_anything_is_written(administration, place, new, reason):
    with pytest.raises(InvalidValue, match=reason):
        check_new_device(new)
    with pytest.raises(InvalidValue, match=reason):
        administration.create(
            new.node_id,
            new.security,
            new.secret,
            new.timeout_s,
            certificate=new.certificate,
            public_key=new.public_key,
        )
    assert place.rows("SELECT * FROM device") == []
    assert place.rows("SELECT * FROM event") == []


def test_certificate_and_public_key_are_kept_with_their_digests(administration, place):
    pinned = administration.create("n1", Security.X509, certificate=b"certificate")
    assert pinned.secret is None
    assert pinned.device.certificate_sha256 == sha256(b"certificate").digest()
    assert administration.create("n2", Security.X509).device.certificate_sha256 is None
    raw = administration.create("n3", Security.RPK, public_key=b"key").device
    assert raw.public_key_sha256 == sha256(b"key").digest()
    assert administration.get("n3").device == raw
    assert place.rows("SELECT certificate, public_key FROM device ORDER BY number") == [
        (b"certificate", None),
        (None, None),
        (None, b"key"),
    ]
    assert not place.path.with_name("nodegate.db.key").exists()


def test_public_key_of_another_device_is_refused(administration):
    administration.create("n1", Security.RPK, public_key=b"key")
    with pytest.raises(AlreadyExists, match="n1 has this public key already"):
        administration.create("n2", Security.RPK, public_key=b"key")
    administration.delete("n1")
    administration.create("n2", Security.RPK, public_key=b"key")


def test_wrong_key_refuses_new_secrets_and_leaves_reading_alone(place):
    with place.administration(KeySource("00" * 32)) as administration:
        administration.create("n1")
    with place.administration(KeySource("11" * 32)) as administration:
        with pytest.raises(KeyUnusable):
            administration.create("n2")
        with pytest.raises(KeyUnusable):
            administration.reset_secret("n1")
        assert [view.device.node_id for view in administration.list()] == ["n1"]
        administration.create("n3", Security.NONE)
        administration.delete("n1")


# Import


def test_import_takes_all_rows_in_one_transaction(administration):
    rows = [NewDevice("b"), NewDevice("a", Security.NONE, timeout_s=5), NewDevice("c", secret=b"12345678")]
    progress = []
    created = administration.import_devices(rows, lambda done, total: progress.append((done, total)))
    assert [one.device.node_id for one in created] == ["b", "a", "c"]
    assert [one.device for one in created] == [administration.get(n).device for n in "bac"]
    assert created[2].secret == b"12345678"
    assert progress[-1] == (3, 3)
    assert types(administration) == ["device_created"] * 3


def test_numbers_go_on_where_the_last_import_ended(administration):
    first = administration.import_devices([NewDevice("a"), NewDevice("b")])
    administration.delete("b")
    [third] = administration.import_devices([NewDevice("c")])
    assert third.device.number == first[-1].device.number + 1


def test_progress_is_told_now_and_then(administration):
    progress = []
    rows = [NewDevice(f"n{index}", Security.NONE) for index in range(2_500)]
    administration.import_devices(rows, lambda done, total: progress.append(done))
    assert progress == [1000, 2000, 2500]


def test_every_bad_row_is_named_and_nothing_is_stored(administration, place):
    administration.create("there", Security.NONE)
    rows = [
        NewDevice("a"),
        NewDevice(""),
        NewDevice("a"),
        NewDevice("there"),
        NewDevice("\ud800"),
        NewDevice("b", timeout_s=-1),
    ]
    with pytest.raises(ImportRefused) as refused:
        administration.import_devices(rows)
    assert [(fault.index, fault.earlier) for fault in refused.value.faults] == [
        (1, None),
        (2, 0),
        (3, None),
        (4, None),
        (5, None),
    ]
    assert place.rows("SELECT node_id FROM device") == [("there",)]


def test_rows_with_a_public_key_that_is_taken_are_named(administration):
    administration.create("there", Security.RPK, public_key=b"taken")
    rows = [
        NewDevice("a", Security.RPK, public_key=b"key"),
        NewDevice("b", Security.RPK, public_key=b"key"),
        NewDevice("c", Security.RPK, public_key=b"taken"),
        NewDevice("d", Security.RPK, public_key=b"another"),
    ]
    faults = administration.find_faults(rows)
    assert [(fault.index, fault.earlier) for fault in faults] == [(1, 0), (2, None)]
    assert "its public key stands in this import already" in faults[0].reason
    assert "there has this public key already" in faults[1].reason


def test_secrets_are_handed_out_before_the_commit(administration, place):
    seen = []

    def keep(created):
        assert place.rows("SELECT * FROM device") == []
        seen.extend(one.secret for one in created)

    created = administration.import_devices([NewDevice("a"), NewDevice("b")], before_commit=keep)
    assert seen == [one.secret for one in created]


def test_import_is_undone_when_the_secrets_cannot_be_kept(administration, place):
    def fail(created):
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        administration.import_devices([NewDevice("a")], before_commit=fail)
    assert place.rows("SELECT * FROM device") == []
    assert place.rows("SELECT * FROM event") == []


def test_import_of_nothing_is_nothing(administration):
    assert administration.import_devices([]) == []


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
    assert types(administration) == ["device_created", "device_deleted"]
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
    assert types(administration) == ["device_created", "device_frozen", "device_unfrozen"]
    assert administration.get("n1").device.revision == 2


def test_freezing_twice_is_one_event(administration):
    administration.create("n1")
    assert administration.freeze("n1") == administration.freeze("n1")
    assert administration.unfreeze("n1") == administration.unfreeze("n1")
    assert types(administration) == ["device_created", "device_frozen", "device_unfrozen"]


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
    assert types(administration) == ["device_created", "secret_reset", "secret_reset"]


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
