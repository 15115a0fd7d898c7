"""Hello extensions."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from gateway.dtls import extensions
from gateway.dtls.alerts import AlertDescription
from gateway.dtls.errors import AlertError, DecodeError, LocalProtocolError
from gateway.dtls.extensions import CertificateType, ExtensionType, decode_extensions, encode_extensions


def test_block_comes_back_in_order() -> None:
    block = {ExtensionType.CONNECTION_ID: b"\0", 65000: b"raw", ExtensionType.EXTENDED_MASTER_SECRET: b""}
    encoded = encode_extensions(block)
    assert encoded[:2] == (len(encoded) - 2).to_bytes(2, "big")
    assert list(decode_extensions(encoded[2:]).items()) == list(block.items())


def test_hello_without_extensions_has_no_block() -> None:
    assert encode_extensions({}) == b""
    assert decode_extensions(b"") == {}


@pytest.mark.parametrize(
    "block",
    ["00", "001700", "0017 0001", "0017 0000 00", "0036 0003 0102", "0017 ffff"],
)
def test_b2_extension_that_overruns_the_block_is_refused(block: str) -> None:
    with pytest.raises(DecodeError):
        decode_extensions(bytes.fromhex(block))


def test_b2_extension_that_comes_twice_is_refused() -> None:
    with pytest.raises(DecodeError, match="extension 23 comes twice at byte 8"):
        decode_extensions(bytes.fromhex("00170000 ff010000 00170000"))


def test_extended_master_secret_has_no_content() -> None:
    assert extensions.decode_extended_master_secret(b"") is True
    with pytest.raises(DecodeError):
        extensions.decode_extended_master_secret(b"\0")


@pytest.mark.parametrize("connection", [b"", b"verify_data."])
def test_renegotiation_info_comes_back(connection: bytes) -> None:
    body = extensions.encode_renegotiation_info(connection)
    assert extensions.decode_renegotiation_info(body) == connection


@pytest.mark.parametrize("body", ["", "01", "0000", "020000 00"])
def test_renegotiation_info_of_another_length_is_refused(body: str) -> None:
    with pytest.raises(DecodeError):
        extensions.decode_renegotiation_info(bytes.fromhex(body))


@pytest.mark.parametrize("length", [0, 1, 8, 255])
def test_connection_id_of_every_length_comes_back(length: int) -> None:
    cid = bytes(length)
    assert extensions.decode_connection_id(extensions.encode_connection_id(cid)) == cid


@pytest.mark.parametrize("body", ["", "01", "0000", "02 00", "02 000000", "ff"])
def test_b12_connection_id_of_another_length_is_refused(body: str) -> None:
    with pytest.raises(DecodeError):
        extensions.decode_connection_id(bytes.fromhex(body))


def test_b12_connection_id_longer_than_its_length_field_is_not_sent() -> None:
    with pytest.raises(LocalProtocolError):
        extensions.encode_connection_id(bytes(extensions.MAX_CID_BYTES + 1))


def test_server_name_comes_back() -> None:
    body = extensions.encode_server_name(b"gateway.example")
    assert body == bytes.fromhex("0012 00 000f") + b"gateway.example"
    assert extensions.decode_server_name(body) == b"gateway.example"


@pytest.mark.parametrize("name", [b"", b"a\0b"])
def test_server_name_that_is_none_is_not_sent(name: bytes) -> None:
    with pytest.raises(LocalProtocolError):
        extensions.encode_server_name(name)


@pytest.mark.parametrize(
    "body",
    [
        "",
        "0000",
        "0004 00 0001 61 00",
        "0004 01 0001 61",
        "0003 00 0000",
        "0005 00 0002 6100",
        "0005 00 0003 6162",
        "0008 00 0001 61 00 0001 62",
    ],
)
def test_server_name_other_than_one_host_name_is_refused(body: str) -> None:
    with pytest.raises(DecodeError):
        extensions.decode_server_name(bytes.fromhex(body))


def test_b14_server_name_longer_than_any_is_refused_and_not_sent() -> None:
    longest = b"n" * 255
    assert extensions.decode_server_name(extensions.encode_server_name(longest)) == longest
    with pytest.raises(LocalProtocolError):
        extensions.encode_server_name(longest + b"n")
    with pytest.raises(DecodeError):
        extensions.decode_server_name(b"\1\3\0\1\0" + longest + b"n")


@pytest.mark.parametrize(
    "decode",
    [
        extensions.decode_extended_master_secret,
        extensions.decode_encrypt_then_mac,
        extensions.decode_rrc,
    ],
)
def test_flags_have_no_content(decode: Callable[[bytes], bool]) -> None:
    assert decode(b"")
    with pytest.raises(DecodeError):
        decode(b"\0")


NUMBER_LISTS = [
    (extensions.decode_supported_groups, extensions.encode_supported_groups),
    (extensions.decode_signature_algorithms, extensions.encode_signature_algorithms),
]


@pytest.mark.parametrize(("decode", "encode"), NUMBER_LISTS)
def test_lists_of_numbers_come_back_in_order(
    decode: Callable[[bytes], tuple[int, ...]], encode: Callable[[tuple[int, ...]], bytes]
) -> None:
    assert encode((29, 23, 0x6A6A)) == bytes.fromhex("0006 001d 0017 6a6a")
    assert decode(encode((29, 23, 0x6A6A))) == (29, 23, 0x6A6A)


@pytest.mark.parametrize("body", ["", "00", "0000", "0001 17", "0003 001700", "0004 0017", "0002 0017 00"])
@pytest.mark.parametrize("decode", [decode for decode, _ in NUMBER_LISTS])
def test_b15_lists_that_are_empty_or_do_not_fit_are_refused(
    decode: Callable[[bytes], tuple[int, ...]], body: str
) -> None:
    with pytest.raises(DecodeError):
        decode(bytes.fromhex(body))


def test_point_formats_come_back() -> None:
    assert extensions.encode_ec_point_formats() == b"\1\0"
    assert extensions.decode_ec_point_formats(extensions.encode_ec_point_formats(b"\2\1\0")) == b"\2\1\0"


def test_b15_points_that_must_not_be_uncompressed_are_refused() -> None:
    with pytest.raises(AlertError) as raised:
        extensions.decode_ec_point_formats(b"\2\1\2")
    assert raised.value.description is AlertDescription.ILLEGAL_PARAMETER


@pytest.mark.parametrize("body", ["", "00", "0200", "010000"])
@pytest.mark.parametrize("decode", [extensions.decode_ec_point_formats, extensions.decode_certificate_types])
def test_b15_lists_of_bytes_that_are_empty_or_do_not_fit_are_refused(
    decode: Callable[[bytes], object], body: str
) -> None:
    with pytest.raises(DecodeError):
        decode(bytes.fromhex(body))


def test_certificate_types_come_back() -> None:
    both = (CertificateType.RAW_PUBLIC_KEY, CertificateType.X509)
    assert extensions.encode_certificate_types(both) == b"\2\2\0"
    assert extensions.decode_certificate_types(b"\2\2\0") == both
    assert extensions.encode_certificate_type(CertificateType.RAW_PUBLIC_KEY) == b"\2"
    assert extensions.decode_certificate_type(b"\2") == CertificateType.RAW_PUBLIC_KEY


@pytest.mark.parametrize("body", [b"", b"\0\0", b"\1\2"])
def test_chosen_certificate_type_is_one_byte(body: bytes) -> None:
    with pytest.raises(DecodeError):
        extensions.decode_certificate_type(body)


@pytest.mark.parametrize(("code", "length"), [(1, 512), (2, 1024), (3, 2048), (4, 4096)])
def test_max_fragment_length_comes_back(code: int, length: int) -> None:
    assert extensions.encode_max_fragment_length(length) == bytes((code,))
    assert extensions.decode_max_fragment_length(bytes((code,))) == length


@pytest.mark.parametrize("length", [0, 256, 511, 513, 8192])
def test_b13_max_fragment_length_that_is_none_is_not_sent(length: int) -> None:
    with pytest.raises(LocalProtocolError):
        extensions.encode_max_fragment_length(length)


@pytest.mark.parametrize("limit", [64, 65, 512, 16_384, 65_535])
def test_record_size_limit_comes_back(limit: int) -> None:
    assert extensions.decode_record_size_limit(extensions.encode_record_size_limit(limit)) == limit


@pytest.mark.parametrize("limit", [-1, 0, 63, 65_536])
def test_b13_record_size_limit_that_is_none_is_not_sent(limit: int) -> None:
    with pytest.raises(LocalProtocolError):
        extensions.encode_record_size_limit(limit)


@pytest.mark.parametrize(
    ("decode", "body"),
    [
        (extensions.decode_max_fragment_length, b"\0"),
        (extensions.decode_max_fragment_length, b"\5"),
        (extensions.decode_max_fragment_length, b"\xff"),
        (extensions.decode_record_size_limit, b"\0\0"),
        (extensions.decode_record_size_limit, b"\0\x3f"),
    ],
)
def test_b13_sizes_that_are_not_allowed_are_refused(decode: Callable[[bytes], int], body: bytes) -> None:
    with pytest.raises(AlertError) as raised:
        decode(body)
    assert raised.value.description is AlertDescription.ILLEGAL_PARAMETER


@pytest.mark.parametrize("body", [b"", b"\1\1\1"])
@pytest.mark.parametrize(
    "decode", [extensions.decode_max_fragment_length, extensions.decode_record_size_limit]
)
def test_b13_sizes_of_another_length_are_malformed(decode: Callable[[bytes], int], body: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(body)
