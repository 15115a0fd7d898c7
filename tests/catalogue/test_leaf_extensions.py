"""Negative catalogue, B13 to B15: extensions of hellos, where a decoder alone can judge them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.dtls import extensions
from gateway.dtls.alerts import AlertDescription
from gateway.dtls.errors import AlertError, DecodeError
from gateway.dtls.exchange import encode_certificate
from gateway.dtls.fragments import fragment
from gateway.dtls.groups import NamedGroup, choose_group
from gateway.dtls.messages import HandshakeType, encode_message
from gateway.dtls.recordsize import sizes_of
from gateway.dtls.signatures import SCHEMES

MAX_FRAGMENT_LENGTH, RECORD_SIZE_LIMIT = 1, 28


def assert_illegal(judge: Callable[[], object]) -> None:
    with pytest.raises(AlertError) as raised:
        judge()
    assert raised.value.description is AlertDescription.ILLEGAL_PARAMETER


# --- B13


@pytest.mark.parametrize("code", [0, 5, 6, 127, 255])
def test_B13_fragment_length_that_stands_for_none_is_illegal(code: int) -> None:
    assert_illegal(lambda: extensions.decode_max_fragment_length(bytes((code,))))
    for is_client in (False, True):
        assert_illegal(lambda: sizes_of({MAX_FRAGMENT_LENGTH: bytes((code,))}, is_client=is_client))  # noqa: B023


@pytest.mark.parametrize("limit", range(64))
def test_B13_record_size_limit_below_64_is_illegal(limit: int) -> None:
    body = limit.to_bytes(2, "big")
    assert_illegal(lambda: extensions.decode_record_size_limit(body))
    for is_client in (False, True):
        assert_illegal(lambda: sizes_of({RECORD_SIZE_LIMIT: body}, is_client=is_client))  # noqa: B023


def test_B13_limit_of_64_bounds_protected_records_not_the_certificate_in_clear() -> None:
    sizes = sizes_of({RECORD_SIZE_LIMIT: b"\0\x40"}, is_client=False)
    assert (sizes.protected_bytes, sizes.clear_bytes) == (64, 16_384)
    message = encode_message(HandshakeType.CERTIFICATE, 1, encode_certificate([bytes(8_000)]))
    assert len(fragment(message, sizes.clear_bytes)) == 1
    assert max(map(len, fragment(message, sizes.protected_bytes))) == 64


@pytest.mark.parametrize("body", [b"", b"\1\1", b"\0\1\1"])
def test_B13_fragment_length_of_another_size_is_malformed(body: bytes) -> None:
    with pytest.raises(DecodeError):
        extensions.decode_max_fragment_length(body)


@pytest.mark.parametrize("body", [b"", b"\x40", b"\0\x40\0"])
def test_B13_record_size_limit_of_another_size_is_malformed(body: bytes) -> None:
    with pytest.raises(DecodeError):
        extensions.decode_record_size_limit(body)


# --- B14


def host(name: bytes) -> bytes:
    return b"\0" + len(name).to_bytes(2, "big") + name


def names(*entries: bytes) -> bytes:
    content = b"".join(entries)
    return len(content).to_bytes(2, "big") + content


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\0",
        names(),
        names(b"\0"),
        names(host(b"")),
        names(host(b"a"), host(b"b")),
        names(host(b"a"), host(b"a")),
        names(host(b"a"), b"\1\0\1b"),
        names(b"\1\0\1a"),
        names(host(b"a"))[:-1],
        names(host(b"a")) + b"\0",
        names(b"\0\0\5a"),
        b"\xff\xff" + host(b"a"),
        names(host(b"n" * 256)),
        names(host(b"n" * 65_000)),
        names(host(b"a\0b")),
        names(host(b"\0")),
    ],
    ids=[
        "nothing",
        "length cut off",
        "empty list",
        "entry cut off",
        "empty name",
        "two names",
        "same name twice",
        "a name and another type",
        "another type",
        "cut off",
        "byte behind",
        "name beyond the list",
        "list beyond the extension",
        "256 bytes",
        "65,000 bytes",
        "NUL inside",
        "only a NUL",
    ],
)
def test_B14_anything_but_one_host_name_is_malformed(body: bytes) -> None:
    with pytest.raises(DecodeError):
        extensions.decode_server_name(body)


@pytest.mark.parametrize("name", [b"a", b"gateway.example", b"n" * 255, b"\xff\xfe", "gerät".encode()])
def test_B14_one_name_is_read_as_it_stands(name: bytes) -> None:
    assert extensions.decode_server_name(names(host(name))) == name


# --- B15


def test_B15_null_and_unsupported_schemes_are_read_and_none_of_them_is_ours() -> None:
    for listed in ((0,), (0x0000, 0x0001), (0x0201, 0x0203), (0x0804, 0x0807), (0x0401, 0xFFFF)):
        read = extensions.decode_signature_algorithms(extensions.encode_signature_algorithms(listed))
        assert read == listed
        assert not set(SCHEMES) & set(read)


@pytest.mark.parametrize("body", [b"", b"\0", b"\0\0", b"\0\1\4", b"\0\3\4\3\4", b"\0\2\4", b"\0\2\4\3\0"])
def test_B15_schemes_and_groups_that_do_not_fit_are_malformed(body: bytes) -> None:
    for decode in (extensions.decode_signature_algorithms, extensions.decode_supported_groups):
        with pytest.raises(DecodeError):
            decode(body)


def test_B15_absent_groups_stand_for_the_one_that_every_device_has() -> None:
    assert choose_group(None) is NamedGroup.SECP256R1


@pytest.mark.parametrize("listed", [(0,), (1, 2, 3), (24,), (25, 30), (0xFF01, 0xFF02), (0x0A0A,)])
def test_B15_groups_without_one_of_ours_leave_nothing_to_choose(listed: tuple[int, ...]) -> None:
    read = extensions.decode_supported_groups(extensions.encode_supported_groups(listed))
    assert choose_group(read) is None


def test_B15_thirty_thousand_groups_are_read() -> None:
    listed = (*range(1_000, 31_000), 29)
    assert choose_group(extensions.decode_supported_groups(extensions.encode_supported_groups(listed))) == 29


@pytest.mark.parametrize("body", [b"", b"\0", b"\2\0", b"\1\0\0"])
def test_B15_point_formats_that_do_not_fit_are_malformed(body: bytes) -> None:
    with pytest.raises(DecodeError):
        extensions.decode_ec_point_formats(body)


@pytest.mark.parametrize("formats", [b"\1", b"\1\2", b"\xff"])
def test_B15_point_formats_without_uncompressed_are_illegal(formats: bytes) -> None:
    body = extensions.encode_ec_point_formats(formats)
    assert_illegal(lambda: extensions.decode_ec_point_formats(body))
