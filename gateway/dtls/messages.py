"""Handshake messages (RFC 5246 §7.4, RFC 6347 §4.2, RFC 4279 §2): bodies and the 12-byte header.

Knows how each is written, and refuses what is not written so. Knows no state: whether a message
is welcome now is decided above. Values are named tuples, for several are made per datagram.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from struct import Struct, unpack_from
from typing import Final, NamedTuple

from gateway.dtls.errors import DecodeError, LocalProtocolError
from gateway.dtls.extensions import (
    LEGACY_CONNECTION_ID_TYPES,
    Extensions,
    ExtensionType,
    decode_connection_id,
    decode_extended_master_secret,
    decode_extensions,
    decode_renegotiation_info,
    encode_extensions,
)
from gateway.dtls.keys import VERIFY_DATA_BYTES
from gateway.dtls.suites import EMPTY_RENEGOTIATION_INFO_SCSV
from gateway.dtls.wire import Reader, encode_vector


class HandshakeType(IntEnum):
    """The numbers of handshake messages."""

    HELLO_REQUEST = 0
    CLIENT_HELLO = 1
    SERVER_HELLO = 2
    HELLO_VERIFY_REQUEST = 3
    NEW_SESSION_TICKET = 4
    CERTIFICATE = 11
    SERVER_KEY_EXCHANGE = 12
    CERTIFICATE_REQUEST = 13
    SERVER_HELLO_DONE = 14
    CERTIFICATE_VERIFY = 15
    CLIENT_KEY_EXCHANGE = 16
    FINISHED = 20


HANDSHAKE_HEADER_BYTES: Final = 12
RANDOM_BYTES: Final = 32
MAX_SESSION_ID_BYTES: Final = 32
SESSION_ID_AT: Final = 2 + RANDOM_BYTES
NULL_COMPRESSION: Final = 0

_WHOLE_HEADER: Final = Struct(">IH3xBH")
"Type and length, message_seq, no offset, and the length once more."

_EMS: Final = int(ExtensionType.EXTENDED_MASTER_SECRET)
_RENEGOTIATION_INFO: Final = int(ExtensionType.RENEGOTIATION_INFO)
_CONNECTION_ID: Final = int(ExtensionType.CONNECTION_ID)


class HandshakeFragment(NamedTuple):
    """A piece of a message, often all of it."""

    message_type: int
    length: int
    "Of the whole message."

    message_seq: int
    offset: int
    body: bytes


def decode_fragments(content: bytes) -> list[HandshakeFragment]:
    """The handshake fragments of one record; there may be several.

    Raises:
        DecodeError: nothing there, a header or fragment cut off, or a fragment beyond its message.
    """
    fragments: list[HandshakeFragment] = []
    size = len(content)
    start = 0
    while start < size:
        body = start + HANDSHAKE_HEADER_BYTES
        if body > size:
            raise DecodeError("handshake header cut off", start)
        length = int.from_bytes(content[start + 1 : start + 4], "big")
        offset = int.from_bytes(content[start + 6 : start + 9], "big")
        end = body + int.from_bytes(content[start + 9 : body], "big")
        if end > size:
            raise DecodeError("handshake fragment cut off", start)
        if offset + end - body > length:
            raise DecodeError("handshake fragment beyond its message", start)
        message_seq = content[start + 4] << 8 | content[start + 5]
        fragments.append(HandshakeFragment(content[start], length, message_seq, offset, content[body:end]))
        start = end
    if not fragments:
        raise DecodeError("empty handshake record")
    return fragments


def encode_message(message_type: int, message_seq: int, body: bytes) -> bytes:
    """A whole message with its header: what is sent, and what the handshake hash covers."""
    size = len(body)
    return _WHOLE_HEADER.pack(message_type << 24 | size, message_seq, size >> 16, size & 0xFFFF) + body


class ClientHello(NamedTuple):
    """RFC 5246 §7.4.1.2 with the cookie of RFC 6347 §4.2.1."""

    version: int
    random: bytes
    session_id: bytes
    cookie: bytes
    cipher_suites: tuple[int, ...]
    compression_methods: bytes
    extensions: Extensions
    "All of them, raw, in order; those the engine uses are decoded below."

    has_extended_master_secret: bool = False
    renegotiation_info: bytes | None = None
    "None: not sent."

    connection_id: bytes | None = None
    "None: not offered. Empty: the client can send connection ids and wants none itself."

    @property
    def indicates_renegotiation(self) -> bool:
        """Whether the client wants to hear of secure renegotiation (RFC 5746 §3.6)."""
        return self.renegotiation_info is not None or EMPTY_RENEGOTIATION_INFO_SCSV in self.cipher_suites

    @property
    def has_legacy_connection_id(self) -> bool:
        """Whether it offers connection ids in the way of a draft, which is ignored."""
        return not LEGACY_CONNECTION_ID_TYPES.isdisjoint(self.extensions)


def find_client_hello_parts(body: bytes) -> tuple[int, int, int, int] | None:
    """Where the cookie's vector begins, and where it, the suites and the compression methods end.

    None: the body ends before them.
    """
    try:
        before_cookie = SESSION_ID_AT + 1 + body[SESSION_ID_AT]
        after_cookie = before_cookie + 1 + body[before_cookie]
        after_suites = after_cookie + 2 + (body[after_cookie] << 8 | body[after_cookie + 1])
        end = after_suites + 1 + body[after_suites]
    except IndexError:
        return None
    return (before_cookie, after_cookie, after_suites, end) if end <= len(body) else None


def unchanging_part(body: bytes, parts: tuple[int, int, int, int]) -> bytes:
    """A ClientHello without cookie and extensions: what the two of a client have in common.

    *parts*: of `find_client_hello_parts`.
    """
    before_cookie, after_cookie, _, end = parts
    return body[:before_cookie] + body[after_cookie:end]


def decode_client_hello(body: bytes) -> ClientHello:
    """A ClientHello; whether its version can be served is not judged.

    Raises:
        DecodeError: any length that does not fit, trailing bytes, no suite, no null compression, an
            extension that comes twice, or a malformed one among those decoded here.
    """
    parts = find_client_hello_parts(body)
    if parts is None:
        raise DecodeError("ClientHello cut off", len(body))
    before_cookie, after_cookie, after_suites, end = parts
    if before_cookie - SESSION_ID_AT - 1 > MAX_SESSION_ID_BYTES:
        raise DecodeError("session id longer than 32 bytes", SESSION_ID_AT)
    suites_bytes = after_suites - after_cookie - 2
    if not suites_bytes or suites_bytes & 1:
        raise DecodeError(f"cipher suites of {suites_bytes} bytes", after_suites)
    compression_methods = body[after_suites + 1 : end]
    if NULL_COMPRESSION not in compression_methods:
        raise DecodeError("null compression is not offered", end)
    extensions = _decode_extension_block(Reader(body, end))
    return ClientHello(
        body[0] << 8 | body[1],
        body[2:SESSION_ID_AT],
        body[SESSION_ID_AT + 1 : before_cookie],
        body[before_cookie + 1 : after_cookie],
        unpack_from(f">{suites_bytes >> 1}H", body, after_cookie + 2),
        compression_methods,
        extensions,
        *_decode_used_extensions(extensions),
    )


def _decode_extension_block(reader: Reader) -> Extensions:
    if reader.is_at_end:
        return {}
    block = reader.vector16()
    reader.expect_end()
    return decode_extensions(block)


def _decode_used_extensions(extensions: Extensions) -> tuple[bool, bytes | None, bytes | None]:
    find = extensions.get
    ems = find(_EMS)
    info = find(_RENEGOTIATION_INFO)
    cid = find(_CONNECTION_ID)
    return (
        ems is not None and decode_extended_master_secret(ems),
        None if info is None else decode_renegotiation_info(info),
        None if cid is None else decode_connection_id(cid),
    )


def encode_client_hello(
    version: int,
    random: bytes,
    session_id: bytes,
    cookie: bytes,
    cipher_suites: Sequence[int],
    extensions: Mapping[int, bytes],
) -> bytes:
    """The body of a ClientHello that offers null compression."""
    return b"".join(
        (
            version.to_bytes(2, "big"),
            _checked_random(random),
            encode_vector(session_id, 1),
            encode_vector(cookie, 1),
            encode_vector(b"".join(suite.to_bytes(2, "big") for suite in cipher_suites), 2),
            b"\1\0",
            encode_extensions(extensions),
        )
    )


class ServerHello(NamedTuple):
    """RFC 5246 §7.4.1.3."""

    version: int
    random: bytes
    session_id: bytes
    cipher_suite: int
    extensions: Extensions
    "All of them, raw, in order; those the engine uses are decoded below."

    has_extended_master_secret: bool = False
    renegotiation_info: bytes | None = None
    connection_id: bytes | None = None


def decode_server_hello(body: bytes) -> ServerHello:
    """A ServerHello; whether it answers the ClientHello is not judged.

    Raises:
        DecodeError: as for a ClientHello; also a compression other than null.
    """
    reader = Reader(body)
    version = reader.u16()
    random = reader.take(RANDOM_BYTES)
    session_id = reader.vector8()
    if len(session_id) > MAX_SESSION_ID_BYTES:
        raise DecodeError("session id longer than 32 bytes", 34)
    cipher_suite = reader.u16()
    if reader.u8() != NULL_COMPRESSION:
        raise DecodeError("a compression is chosen", reader.offset - 1)
    extensions = _decode_extension_block(reader)
    return ServerHello(
        version, random, session_id, cipher_suite, extensions, *_decode_used_extensions(extensions)
    )


def encode_server_hello(
    version: int, random: bytes, session_id: bytes, cipher_suite: int, extensions: bytes
) -> bytes:
    """The body of a ServerHello with null compression; *extensions* as of `encode_extensions`."""
    return b"".join(
        (
            version.to_bytes(2, "big"),
            _checked_random(random),
            encode_vector(session_id, 1),
            cipher_suite.to_bytes(2, "big"),
            b"\0",
            extensions,
        )
    )


def _checked_random(random: bytes) -> bytes:
    if len(random) != RANDOM_BYTES:
        raise LocalProtocolError(f"a random of {len(random)} bytes")
    return random


class HelloVerifyRequest(NamedTuple):
    """RFC 6347 §4.2.1. The version is not the negotiated one; servers put DTLS 1.0 or 1.2 there."""

    version: int
    cookie: bytes


def decode_hello_verify_request(body: bytes) -> HelloVerifyRequest:
    """A HelloVerifyRequest; an empty cookie is well-formed.

    Raises:
        DecodeError: any length that does not fit.
    """
    reader = Reader(body)
    version = reader.u16()
    cookie = reader.vector8()
    reader.expect_end()
    return HelloVerifyRequest(version, cookie)


def encode_hello_verify_request(version: int, cookie: bytes) -> bytes:
    """The body of a HelloVerifyRequest."""
    return version.to_bytes(2, "big") + encode_vector(cookie, 1)


def decode_psk_server_key_exchange(body: bytes) -> bytes:
    """The identity hint, which may be empty (RFC 4279 §2).

    Raises:
        DecodeError: any length that does not fit.
    """
    return _decode_single_vector16(body)


def encode_psk_server_key_exchange(hint: bytes) -> bytes:
    """The body that gives *hint*."""
    return encode_vector(hint, 2)


def decode_psk_client_key_exchange(body: bytes) -> bytes:
    """The identity that the client claims: any bytes, of any length, also none (RFC 4279 §2).

    Raises:
        DecodeError: any length that does not fit.
    """
    return _decode_single_vector16(body)


def encode_psk_client_key_exchange(identity: bytes) -> bytes:
    """The body that claims *identity*."""
    return encode_vector(identity, 2)


def _decode_single_vector16(body: bytes) -> bytes:
    reader = Reader(body)
    content = reader.vector16()
    reader.expect_end()
    return content


def decode_server_hello_done(body: bytes) -> None:
    """Raises `DecodeError` unless *body* is empty, as it must be."""
    if body:
        raise DecodeError("ServerHelloDone is not empty")


def decode_finished(body: bytes) -> bytes:
    """The verify_data (RFC 5246 §7.4.9), not yet compared.

    Raises:
        DecodeError: not 12 bytes.
    """
    if len(body) != VERIFY_DATA_BYTES:
        raise DecodeError(f"a Finished of {len(body)} bytes")
    return body
