import pytest

from registry.errors import InvalidValue
from registry.identifiers import (
    MAX_TIMEOUT_S,
    check_node_id,
    check_secret,
    check_timeout,
    is_device_id,
    make_device_id,
    parse_secret,
)


def test_device_id_is_lower_case_base32_of_its_entropy():
    assert make_device_id(bytes(10)) == "d-aaaaaaaaaaaaaaaa"
    assert make_device_id(b"\xff" * 10) == "d-7777777777777777"


@pytest.mark.parametrize(
    "text", ["d-aaaaaaaaaaaaaaa", "d-AAAAAAAAAAAAAAAA", "d-aaaaaaaaaaaaaaa1", "x-aaaaaaaaaaaaaaaa"]
)
def test_only_the_exact_form_is_a_device_id(text):
    assert is_device_id("d-" + "a" * 16)
    assert not is_device_id(text)


@pytest.mark.parametrize(
    "node_id", ["a", "urn:imei:490154203237518", "00:1b:44:11:3a:b7", "ä" * 64, "a" * 128, "with space"]
)
def test_ordinary_node_ids_are_accepted(node_id):
    check_node_id(node_id)


@pytest.mark.parametrize(
    ("node_id", "reason"),
    [
        ("", "empty"),
        ("a" * 129, "129 bytes"),
        ("ä" * 65, "130 bytes"),
        ("a\nb", "control character"),
        ("a\x00", "control character"),
        ("a\x7f", "control character"),
        ("a\x85", "control character"),
        ("\ud800", "UTF-8"),
        ("d-" + "a" * 16, "device ID"),
    ],
)
def test_other_node_ids_are_refused_with_the_reason(node_id, reason):
    with pytest.raises(InvalidValue, match=reason) as refused:
        check_node_id(node_id)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("size", [8, 64])
def test_secret_of_8_to_64_bytes_is_accepted(size):
    assert parse_secret("aB" * size) == b"\xab" * size


@pytest.mark.parametrize("text", ["00" * 7, "00" * 65, "", "0" * 17, "xy" * 8, "00 " * 8, "0x" + "00" * 8])
def test_other_secrets_are_refused_without_quoting_them(text):
    with pytest.raises(InvalidValue) as refused:
        parse_secret(text)
    assert not text or text not in str(refused.value)


def test_secret_bytes_are_counted():
    with pytest.raises(InvalidValue, match="7 bytes"):
        check_secret(bytes(7))


def test_timeout_is_bounded_both_ways():
    check_timeout(0)
    check_timeout(MAX_TIMEOUT_S)
    with pytest.raises(InvalidValue, match="negative"):
        check_timeout(-1)
    with pytest.raises(InvalidValue, match="above"):
        check_timeout(MAX_TIMEOUT_S + 1)
