"""Hello extensions (RFC 5246 §7.4.1.4): the block, and the bodies the engine has a use for.

A block is a dict from type to body, in the order of the wire. Types without a codec here stay
raw and are ignored; so are the two numbers under which drafts of RFC 9146 had their connection ids.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from struct import Struct
from typing import Final

from gateway.dtls.errors import DecodeError, LocalProtocolError
from gateway.dtls.wire import Reader, encode_vector

Extensions = dict[int, bytes]


class ExtensionType(IntEnum):
    """Numbers of extensions, as IANA lists them."""

    SERVER_NAME = 0
    MAX_FRAGMENT_LENGTH = 1
    SUPPORTED_GROUPS = 10
    EC_POINT_FORMATS = 11
    SIGNATURE_ALGORITHMS = 13
    CLIENT_CERTIFICATE_TYPE = 19
    SERVER_CERTIFICATE_TYPE = 20
    ENCRYPT_THEN_MAC = 22
    EXTENDED_MASTER_SECRET = 23
    RECORD_SIZE_LIMIT = 28
    SESSION_TICKET = 35
    CONNECTION_ID = 54
    RENEGOTIATION_INFO = 0xFF01


LEGACY_CONNECTION_ID_TYPES: Final = frozenset((53, 254))
"Connection ids of drafts, still sent by Mbed TLS 2.28. Never answered."

MAX_CID_BYTES: Final = 255

_HEADER: Final = Struct(">HH")
_HOST_NAME: Final = 0


def decode_extensions(block: bytes) -> Extensions:
    """The extensions of a hello, without the length before the block.

    Raises:
        DecodeError: an extension runs out of the block, or a type comes twice.
    """
    extensions: Extensions = {}
    unpack = _HEADER.unpack_from
    offset = 0
    end = len(block)
    while offset < end:
        if offset + 4 > end:
            raise DecodeError("extension header cut off", offset)
        kind, length = unpack(block, offset)
        if kind in extensions:
            raise DecodeError(f"extension {kind} comes twice", offset)
        offset += 4
        if offset + length > end:
            raise DecodeError(f"extension {kind} runs out of its block", offset)
        extensions[kind] = block[offset : offset + length]
        offset += length
    return extensions


def encode_extensions(extensions: Mapping[int, bytes]) -> bytes:
    """The block with its length before it; nothing at all when there is no extension."""
    if not extensions:
        return b""
    block = b"".join(kind.to_bytes(2, "big") + encode_vector(body, 2) for kind, body in extensions.items())
    return encode_vector(block, 2)


def decode_extended_master_secret(body: bytes) -> bool:
    """True: it is there. The extension has no content (RFC 7627 §5.1)."""
    if body:
        raise DecodeError("extended_master_secret is not empty")
    return True


def decode_renegotiation_info(body: bytes) -> bytes:
    """The renegotiated_connection; empty in every first handshake (RFC 5746 §3.2)."""
    reader = Reader(body)
    connection = reader.vector8()
    reader.expect_end()
    return connection


def encode_renegotiation_info(connection: bytes = b"") -> bytes:
    """The body for *connection*, which is empty in a first handshake."""
    return encode_vector(connection, 1)


def decode_connection_id(body: bytes) -> bytes:
    """What records towards the sender of this hello must carry; empty: none (RFC 9146 §3)."""
    reader = Reader(body)
    cid = reader.vector8()
    reader.expect_end()
    return cid


def encode_connection_id(cid: bytes) -> bytes:
    """The body that asks for *cid* in records towards us."""
    return encode_vector(cid, 1)


def decode_server_name(body: bytes) -> bytes:
    """The one host name a client asks for (RFC 6066 §3), as it stands.

    Raises:
        DecodeError: not exactly one entry of type host_name, or the name is empty or holds a NUL.
    """
    reader = Reader(body)
    entries = Reader(reader.vector16())
    reader.expect_end()
    if entries.u8() != _HOST_NAME:
        raise DecodeError("not a host name", 2)
    name = entries.vector16()
    entries.expect_end()
    if not name or b"\0" in name:
        raise DecodeError("host name empty or with a NUL", 5)
    return name


def encode_server_name(name: bytes) -> bytes:
    """The body that asks for the host *name*."""
    if not name or b"\0" in name:
        raise LocalProtocolError("a host name is neither empty nor holds a NUL")
    return encode_vector(bytes((_HOST_NAME,)) + encode_vector(name, 2), 2)
