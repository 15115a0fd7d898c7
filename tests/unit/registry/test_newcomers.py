"""New devices through the face that administrators have: one by one and by import."""

from hashlib import sha256

import pytest

from registry.administration import Administration
from registry.errors import AlreadyExists, ImportRefused, InvalidValue, KeyUnusable
from registry.model import NewDevice, Security
from registry.newcomers import GENERATED_SECRET_BYTES, Newcomers, check_new_device
from registry.sealing import KeySource
from tests.support.registry import event_types

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
    assert event_types(administration) == ["device_created"]


def test_node_id_taken_between_look_and_insert_is_refused(administration, monkeypatch):
    administration.create("n1")
    looks = iter([set(), {"n1"}])
    monkeypatch.setattr(Newcomers, "_find_taken", lambda self, node_ids: next(looks))
    with pytest.raises(AlreadyExists, match="n1 exists already"):
        administration.create("n1")
    assert event_types(administration) == ["device_created"]


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
    assert event_types(administration) == ["device_created"] * 3


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
