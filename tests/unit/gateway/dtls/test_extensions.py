"""Hello extensions."""

import pytest

from gateway.dtls import extensions
from gateway.dtls.errors import DecodeError, LocalProtocolError
from gateway.dtls.extensions import ExtensionType, decode_extensions, encode_extensions


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
