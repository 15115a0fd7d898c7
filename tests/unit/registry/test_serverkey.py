import pytest

from registry import serverkey
from registry.errors import KeyUnusable
from registry.keyring import Keyring
from registry.sealing import KeySource
from registry.serverkey import ServerKey, ShownServerKey
from registry.sqlite import Database

KEY = ServerKey(b"the private key", b"its certificate")


def obtain(database, make=lambda: KEY):
    return serverkey.obtain(database, Keyring(database), make, bytes)


def test_key_is_made_once_and_sealed(database, tmp_path):
    assert serverkey.show(database) == ShownServerKey(None, None)
    assert obtain(database) == KEY
    assert obtain(database, make=lambda: pytest.fail("made again")) == KEY
    assert serverkey.show(database) == ShownServerKey(KEY.certificate, None)
    for name in ("nodegate.db", "nodegate.db-wal"):
        assert KEY.private_key not in (tmp_path / name).read_bytes()
    assert "private" not in repr(KEY)


def test_what_the_gateway_shows_instead_is_known_until_it_does_no_longer(database):
    serverkey.note_chain(database, b"chain")
    assert serverkey.show(database) == ShownServerKey(None, b"chain")
    serverkey.note_chain(database, b"another")
    assert serverkey.show(database).chain == b"another"
    serverkey.note_chain(database, None)
    assert serverkey.show(database) == ShownServerKey(None, None)


def test_another_key_opens_nothing(database, tmp_path):
    obtain(database)
    with (
        Database.open(database.path, key=KeySource("11" * 32)) as other,
        pytest.raises(KeyUnusable, match="sealed with another key"),
    ):
        obtain(other)


def test_without_the_sealing_key_no_new_one_is_made(database, tmp_path):
    obtain(database)
    (tmp_path / "nodegate.db.key").unlink()
    with pytest.raises(KeyUnusable, match="their key is missing"):
        obtain(database)
