import stat
from pathlib import Path

import pytest

from registry.errors import KeyUnusable
from registry.keyring import SERVER_KEY, Keyring
from registry.sealing import KeySource, Sealer
from registry.sqlite import Database

ENTROPY = bytes(range(32))
OTHER = bytes(32)


@pytest.fixture
def opened(tmp_path):
    databases = []

    def open_(source=None):
        databases.append(Database.open(tmp_path / "n.db", key=source))
        return Keyring(databases[-1])

    yield open_
    for database in databases:
        database.close()


def seal_something(keyring):
    sealer = keyring.sealer_for_sealing(ENTROPY)
    with keyring._database.transaction() as connection:
        connection.execute(
            "INSERT INTO device (device_id, node_id, security, timeout_s, created_at_ms, sealed_secret)"
            " VALUES ('d-1', 'n', 'psk', 0, 0, ?)",
            (sealer.seal(b"12345678", "d-1", bytes(12)),),
        )
    return sealer


def test_key_is_made_beside_the_database_at_first_use_and_found_again(opened, tmp_path):
    assert opened().sealer_for_opening() is None
    assert not (tmp_path / "n.db.key").exists()
    seal_something(opened())
    path = tmp_path / "n.db.key"
    assert path.read_text() == ENTROPY.hex() + "\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert opened().sealer_for_opening().check_value == Sealer(ENTROPY).check_value
    assert opened().sealer_for_sealing(OTHER).check_value == Sealer(ENTROPY).check_value
    assert sorted(
        entry.name for entry in tmp_path.iterdir() if "wal" not in entry.name and "shm" not in entry.name
    ) == [
        "n.db",
        "n.db.key",
    ]


def test_sealer_is_kept_once_it_is_known_to_be_right(opened):
    keyring = opened()
    sealer = seal_something(keyring)
    assert keyring.sealer_for_opening() is sealer
    assert keyring.sealer_for_sealing(OTHER) is sealer


def test_sealed_secrets_and_no_key_never_make_a_new_one(opened, tmp_path):
    seal_something(opened())
    (tmp_path / "n.db.key").unlink()
    for use in (lambda k: k.sealer_for_opening(), lambda k: k.sealer_for_sealing(OTHER)):
        with pytest.raises(KeyUnusable, match=r"key is missing: restore .*n\.db\.key or set NODEGATE_KEY"):
            use(opened())
    assert not (tmp_path / "n.db.key").exists()


@pytest.mark.parametrize("where", ["text", "file", "default"])
def test_wrong_key_is_said_to_be_wrong_and_by_whom(opened, tmp_path, where):
    seal_something(opened())
    source, words = KeySource(), r"n\.db\.key"
    if where == "text":
        source, words = KeySource(OTHER.hex()), "NODEGATE_KEY"
    elif where == "file":
        (tmp_path / "other").write_text(OTHER.hex())
        source, words = KeySource(None, tmp_path / "other"), "other"
    else:
        (tmp_path / "n.db.key").write_text(OTHER.hex())
    with pytest.raises(KeyUnusable, match=f"another key than .*{words}") as refused:
        opened(source).sealer_for_opening()
    assert OTHER.hex() not in str(refused.value)


def test_text_goes_before_file_and_file_before_the_default(opened, tmp_path):
    (tmp_path / "k").write_text(ENTROPY.hex())
    (tmp_path / "n.db.key").write_text("rubbish")
    file = tmp_path / "k"
    assert opened(KeySource(OTHER.hex(), file)).sealer_for_opening().check_value == Sealer(OTHER).check_value
    assert opened(KeySource(None, file)).sealer_for_opening().check_value == Sealer(ENTROPY).check_value
    with pytest.raises(KeyUnusable, match="64 hex digits"):
        opened().sealer_for_opening()


def test_key_file_that_was_named_is_never_made(opened, tmp_path):
    with pytest.raises(KeyUnusable, match="NODEGATE_KEY_FILE does not exist"):
        opened(KeySource(None, tmp_path / "k")).sealer_for_sealing(ENTROPY)
    assert not (tmp_path / "k").exists()


def test_unreadable_key_file_names_its_owner_or_fault(opened, tmp_path, monkeypatch):
    with pytest.raises(KeyUnusable, match="cannot be read: Is a directory"):
        opened(KeySource(None, tmp_path)).sealer_for_opening()

    def refuse(*args):
        raise PermissionError

    (tmp_path / "k").touch()
    keyring = opened(KeySource(None, tmp_path / "k"))
    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(KeyUnusable, match=r"belongs to .* cannot be read"):
        keyring.sealer_for_opening()


def test_another_key_may_follow_when_nothing_is_sealed(opened, tmp_path):
    opened().sealer_for_sealing(ENTROPY)
    (tmp_path / "n.db.key").unlink()
    assert opened().sealer_for_opening() is None
    assert opened(KeySource(OTHER.hex())).sealer_for_sealing(ENTROPY).check_value == Sealer(OTHER).check_value
    assert opened(KeySource(OTHER.hex())).sealer_for_opening().check_value == Sealer(OTHER).check_value


def test_key_that_cannot_be_made_leaves_nothing_behind(opened, tmp_path):
    (tmp_path / "n.db.key.new").mkdir()
    with pytest.raises(KeyUnusable, match="cannot be made"):
        opened().sealer_for_sealing(ENTROPY)
    assert opened()._database.query("SELECT * FROM meta") == []


def test_left_over_draft_of_a_key_is_replaced(opened, tmp_path):
    (tmp_path / "n.db.key.new").write_text("half")
    opened().sealer_for_sealing(ENTROPY)
    assert (tmp_path / "n.db.key").read_text() == ENTROPY.hex() + "\n"


def test_server_key_alone_is_reason_enough_to_refuse_a_missing_key(opened, tmp_path):
    keyring = opened()
    keyring.sealer_for_sealing(ENTROPY)
    (tmp_path / "n.db.key").unlink()
    assert opened().sealer_for_opening() is None
    with keyring._database.transaction() as connection:
        connection.execute("INSERT INTO meta (key, value) VALUES (?, x'00')", (SERVER_KEY,))
    with pytest.raises(KeyUnusable, match="their key is missing"):
        opened().sealer_for_opening()
