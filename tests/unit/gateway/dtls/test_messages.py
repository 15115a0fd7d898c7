"""Handshake messages. Messages of foreign stacks: test_transcripts."""

from __future__ import annotations

import pytest

from gateway.dtls import messages
from gateway.dtls.errors import DecodeError, LocalProtocolError
from gateway.dtls.extensions import encode_extensions
from gateway.dtls.messages import HandshakeFragment, HandshakeType, decode_client_hello, decode_fragments

RANDOM = bytes(range(32))


def hello_body(
    session_id: bytes = b"\0",
    cookie: bytes = b"\0",
    suites: bytes = b"\0\2\xc0\xa8",
    compression: bytes = b"\1\0",
    extensions: bytes = b"",
) -> bytes:
    """A ClientHello of parts that bring their own lengths, right or wrong."""
    return b"\xfe\xfd" + RANDOM + session_id + cookie + suites + compression + extensions


def test_message_has_the_header_of_one_fragment() -> None:
    message = messages.encode_message(HandshakeType.FINISHED, 3, b"abc")
    assert message == bytes.fromhex("14 000003 0003 000000 000003") + b"abc"
    assert decode_fragments(message) == [HandshakeFragment(20, 3, 3, 0, b"abc")]


def test_record_may_hold_several_fragments() -> None:
    content = bytes.fromhex("10 000005 0002 000003 000002 6465 0e 000000 0003 000000 000000")
    assert decode_fragments(content) == [
        HandshakeFragment(16, 5, 2, 3, b"de"),
        HandshakeFragment(14, 0, 3, 0, b""),
    ]


@pytest.mark.parametrize(
    "content",
    [
        "",
        "14",
        "14 000000 0000 000000 0000",
        "14 000003 0000 000000 000003 6162",
        "0e 000000 0000 000000 000000 14",
    ],
)
def test_fragment_cut_off_is_refused(content: str) -> None:
    with pytest.raises(DecodeError):
        decode_fragments(bytes.fromhex(content))


@pytest.mark.parametrize(
    "content",
    [
        "14 000001 0000 000000 000002 6162",
        "14 000002 0000 000001 000002 6162",
        "14 000002 0000 000003 000000",
        "14 000002 0000 ffffff 000001 61",
    ],
)
def test_c4_fragment_beyond_its_message_is_refused(content: str) -> None:
    with pytest.raises(DecodeError, match="beyond its message"):
        decode_fragments(bytes.fromhex(content))


def test_client_hello_comes_back() -> None:
    extensions = {23: b"", 0xFF01: b"\0", 54: b"\x02ab", 0: b"raw"}
    body = messages.encode_client_hello(0xFEFD, RANDOM, b"id", b"cookie", (0xC0A8, 0x00FF), extensions)
    hello = decode_client_hello(body)
    assert hello[:7] == (0xFEFD, RANDOM, b"id", b"cookie", (0xC0A8, 0x00FF), b"\0", extensions)
    assert hello.has_extended_master_secret
    assert hello.renegotiation_info == b""
    assert hello.connection_id == b"ab"


def test_client_hello_without_extensions_offers_none() -> None:
    hello = decode_client_hello(hello_body())
    assert hello.extensions == {}
    assert not hello.has_extended_master_secret
    assert hello.renegotiation_info is None
    assert hello.connection_id is None
    assert decode_client_hello(hello_body(extensions=b"\0\0")).extensions == {}


def test_unchanging_part_leaves_out_cookie_and_extensions() -> None:
    bodies = hello_body(), hello_body(cookie=b"\2ab", extensions=b"\0\4\0\x17\0\0")
    for body in bodies:
        parts = messages.find_client_hello_parts(body)
        assert parts is not None
        assert messages.unchanging_part(body, parts) == b"\xfe\xfd" + RANDOM + b"\0\0\2\xc0\xa8\1\0"


def test_parts_of_a_hello_are_not_found_where_a_byte_is_missing() -> None:
    body = hello_body(cookie=b"\2ab")
    assert messages.find_client_hello_parts(body) is not None
    assert all(messages.find_client_hello_parts(body[:length]) is None for length in range(len(body)))


@pytest.mark.parametrize(
    ("suites", "extensions", "is_indicated"),
    [((0xC0A8,), {}, False), ((0xC0A8, 0x00FF), {}, True), ((0xC0A8,), {0xFF01: b"\0"}, True)],
)
def test_renegotiation_is_indicated_by_suite_or_extension(
    suites: tuple[int, ...], extensions: dict[int, bytes], is_indicated: bool
) -> None:
    body = messages.encode_client_hello(0xFEFD, RANDOM, b"", b"", suites, extensions)
    assert decode_client_hello(body).indicates_renegotiation == is_indicated


@pytest.mark.parametrize(("kind", "is_legacy"), [(53, True), (254, True), (54, False)])
def test_connection_ids_of_drafts_are_recognised(kind: int, is_legacy: bool) -> None:
    body = messages.encode_client_hello(0xFEFD, RANDOM, b"", b"", (0xC0A8,), {kind: b"\0"})
    hello = decode_client_hello(body)
    assert hello.has_legacy_connection_id == is_legacy
    assert (hello.connection_id is None) == is_legacy


def test_client_hello_cut_off_anywhere_is_refused() -> None:
    body = hello_body(extensions=b"\0\4\0\x17\0\0")
    assert decode_client_hello(body)
    without_extensions = len(hello_body())
    for size in range(len(body)):
        if size == without_extensions:
            continue
        with pytest.raises(DecodeError):
            decode_client_hello(body[:size])


@pytest.mark.parametrize(
    "suites", [b"\0\0", b"\0\1\xc0", b"\0\3\xc0\xa8\0", b"\0\4\xc0\xa8", b"\xff\xff\xc0\xa8"]
)
def test_b1_suites_of_a_length_that_cannot_be_are_refused(suites: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_client_hello(hello_body(suites=suites))


@pytest.mark.parametrize(
    "extensions",
    [
        b"\0",
        b"\0\4\0\x17\0",
        b"\0\4\0\x17\0\0\0",
        b"\0\5\0\x17\0\0\0",
        b"\0\4\0\x17\0\1",
        b"\0\x08\0\x17\0\0\0\x17\0\0",
    ],
)
def test_b2_extension_block_that_does_not_fit_is_refused(extensions: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_client_hello(hello_body(extensions=extensions))


def test_b3_session_id_longer_than_32_bytes_is_refused() -> None:
    assert decode_client_hello(hello_body(session_id=b"\x20" + bytes(32))).session_id == bytes(32)
    with pytest.raises(DecodeError, match="session id"):
        decode_client_hello(hello_body(session_id=b"\x21" + bytes(33)))


@pytest.mark.parametrize("compression", [b"\0", b"\1\1", b"\2\1\xff", b"\2\0"])
def test_b3_hello_without_null_compression_is_refused(compression: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_client_hello(hello_body(compression=compression))


def test_other_compressions_beside_null_are_fine() -> None:
    assert decode_client_hello(hello_body(compression=b"\2\1\0")).compression_methods == b"\1\0"


@pytest.mark.parametrize(
    "extension", [b"\0\x17\0\1\0", b"\xff\x01\0\0", b"\xff\x01\0\2\0\0", b"\0\x36\0\0", b"\0\x36\0\2\2a"]
)
def test_b12_malformed_extension_that_we_use_spoils_the_hello(extension: bytes) -> None:
    with pytest.raises(DecodeError):
        decode_client_hello(hello_body(extensions=len(extension).to_bytes(2, "big") + extension))


def test_server_hello_comes_back() -> None:
    extensions = {0xFF01: b"\0", 23: b"", 54: b"\0"}
    body = messages.encode_server_hello(0xFEFD, RANDOM, b"s" * 32, 0xC0A8, encode_extensions(extensions))
    hello = messages.decode_server_hello(body)
    assert hello[:5] == (0xFEFD, RANDOM, b"s" * 32, 0xC0A8, extensions)
    assert hello.has_extended_master_secret
    assert hello.renegotiation_info == b""
    assert hello.connection_id == b""


def test_server_hello_without_extensions_grants_none() -> None:
    hello = messages.decode_server_hello(messages.encode_server_hello(0xFEFD, RANDOM, b"", 0xC0A8, b""))
    assert hello == messages.ServerHello(0xFEFD, RANDOM, b"", 0xC0A8, {})


@pytest.mark.parametrize(
    "tail",
    ["", "21" + "00" * 33 + "c0a800", "00", "00c0", "00c0a8", "00c0a801", "00c0a80000", "00c0a800000500"],
)
def test_b8_server_hello_of_another_form_is_refused(tail: str) -> None:
    with pytest.raises(DecodeError):
        messages.decode_server_hello(b"\xfe\xfd" + RANDOM + bytes.fromhex(tail))


def test_random_of_another_length_is_not_sent() -> None:
    with pytest.raises(LocalProtocolError):
        messages.encode_server_hello(0xFEFD, b"short", b"", 0xC0A8, b"")
    with pytest.raises(LocalProtocolError):
        messages.encode_client_hello(0xFEFD, b"short", b"", b"", (0xC0A8,), {})


@pytest.mark.parametrize("cookie", [b"", b"c" * 16, bytes(255)])
def test_hello_verify_request_comes_back(cookie: bytes) -> None:
    body = messages.encode_hello_verify_request(0xFEFF, cookie)
    assert messages.decode_hello_verify_request(body) == (0xFEFF, cookie)


@pytest.mark.parametrize("body", ["", "fe", "feff", "feff01", "feff0100 00", "feff03 6162"])
def test_a3_hello_verify_request_of_another_length_is_refused(body: str) -> None:
    with pytest.raises(DecodeError):
        messages.decode_hello_verify_request(bytes.fromhex(body))


@pytest.mark.parametrize(
    "identity", [b"", b"urn:imei:1", bytes(128), bytes(129), bytes(65535), b"\xff\xfe", b"a\0b"], ids=len
)
def test_b4_identity_of_any_bytes_and_length_comes_back(identity: bytes) -> None:
    body = messages.encode_psk_client_key_exchange(identity)
    assert messages.decode_psk_client_key_exchange(body) == identity
    hint = messages.encode_psk_server_key_exchange(identity)
    assert messages.decode_psk_server_key_exchange(hint) == identity


@pytest.mark.parametrize("body", ["", "00", "0001", "0003 6162", "ffff 61", "0001 6162"])
def test_b4_identity_of_another_length_is_refused(body: str) -> None:
    with pytest.raises(DecodeError):
        messages.decode_psk_client_key_exchange(bytes.fromhex(body))
    with pytest.raises(DecodeError):
        messages.decode_psk_server_key_exchange(bytes.fromhex(body))


def test_b4_identity_that_does_not_fit_is_not_sent() -> None:
    with pytest.raises(LocalProtocolError):
        messages.encode_psk_client_key_exchange(bytes(65536))


def test_server_hello_done_is_empty() -> None:
    messages.decode_server_hello_done(b"")
    with pytest.raises(DecodeError):
        messages.decode_server_hello_done(b"\0")


def test_finished_has_12_bytes() -> None:
    assert messages.decode_finished(b"verify_data.") == b"verify_data."
    for size in (0, 11, 13):
        with pytest.raises(DecodeError):
            messages.decode_finished(bytes(size))
