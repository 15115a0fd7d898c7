from pathlib import Path

import pytest

from registry.errors import KeyUnusable
from registry.sealing import KeySource, Sealer, parse_key

KEY = bytes(range(32))
NONCE = bytes(12)
ID = "d-aaaaaaaaaaaaaaaa"


def test_sealed_secret_opens_for_its_device():
    sealed = Sealer(KEY).seal(b"secret-bytes", ID, NONCE)
    assert b"secret-bytes" not in sealed
    assert Sealer(KEY).unseal(sealed, ID) == b"secret-bytes"


def test_sealed_secret_does_not_open_for_another_device_or_with_another_key():
    sealed = Sealer(KEY).seal(b"secret-bytes", ID, NONCE)
    with pytest.raises(KeyUnusable):
        Sealer(KEY).unseal(sealed, "d-bbbbbbbbbbbbbbbb")
    with pytest.raises(KeyUnusable):
        Sealer(bytes(32)).unseal(sealed, ID)


@pytest.mark.parametrize(
    "damage", [lambda s: s[:-1], lambda s: b"\x02" + s[1:], lambda s: b"", lambda s: s[:20]]
)
def test_damaged_secret_is_not_opened(damage):
    sealed = Sealer(KEY).seal(b"secret-bytes", ID, NONCE)
    with pytest.raises(KeyUnusable):
        Sealer(KEY).unseal(damage(sealed), ID)


def test_check_value_tells_keys_apart_and_is_not_the_key():
    assert Sealer(KEY).check_value == Sealer(KEY).check_value
    assert Sealer(KEY).check_value != Sealer(bytes(32)).check_value
    assert Sealer(KEY).check_value not in KEY


def test_key_is_64_hex_digits_in_any_case_with_white_space_around():
    assert parse_key(" " + KEY.hex().upper() + "\n", "here") == KEY


@pytest.mark.parametrize("text", ["", "00" * 31, "00" * 33, "zz" * 32])
def test_other_texts_are_no_key_and_are_not_quoted(text):
    with pytest.raises(KeyUnusable, match="NODEGATE_KEY does not hold") as refused:
        parse_key(text, "NODEGATE_KEY")
    assert not text or text not in str(refused.value)


def test_environment_gives_the_source_and_empty_values_count_as_absent():
    assert KeySource.from_environment({}) == KeySource()
    assert KeySource.from_environment({"NODEGATE_KEY": "", "NODEGATE_KEY_FILE": ""}) == KeySource()
    source = KeySource.from_environment({"NODEGATE_KEY": "ab", "NODEGATE_KEY_FILE": "/k"})
    assert source == KeySource("ab", Path("/k"))
    assert "ab" not in repr(source)


def test_derived_keys_differ_by_key_and_purpose():
    keys = {Sealer(key).derive(purpose) for key in (b"k" * 32, b"x" * 32) for purpose in (b"one", b"two")}
    assert len(keys) == 4
    assert all(len(key) == 32 for key in keys)
