"""Hello extensions (RFC 5246 §7.4.1.4): the block, and the bodies the engine has a use for.

A block is a dict from type to body, in the order of the wire. Types without a codec here stay
raw and are ignored; so are the two numbers under which drafts of RFC 9146 had their connection ids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from struct import Struct
from typing import Final

from gateway.dtls.alerts import AlertDescription
from gateway.dtls.errors import AlertError, DecodeError, LocalProtocolError
from gateway.dtls.wire import Reader, encode_u16_list, encode_vector

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
    CONNECTION_ID = 54
    RRC = 61
    RENEGOTIATION_INFO = 0xFF01


LEGACY_CONNECTION_ID_TYPES: Final = frozenset((53, 254))
"Connection ids of drafts, still sent by Mbed TLS 2.28. Never answered."

MAX_CID_BYTES: Final = 255

MAX_HOST_NAME_BYTES: Final = 255
"Of a name in the DNS."

MIN_RECORD_SIZE_LIMIT: Final = 64

UNCOMPRESSED_POINTS: Final = 0

_HEADER: Final = Struct(">HH")
_HOST_NAME: Final = 0


class CertificateType(IntEnum):
    """How a side proves who it is (RFC 7250 §3)."""

    X509 = 0
    RAW_PUBLIC_KEY = 2


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
    return _decode_flag(body, "extended_master_secret")


def decode_encrypt_then_mac(body: bytes) -> bool:
    """True: it is there. The extension has no content (RFC 7366 §2)."""
    return _decode_flag(body, "encrypt_then_mac")


def decode_rrc(body: bytes) -> bool:
    """True: it is there. The extension has no content (RFC 9853 §3)."""
    return _decode_flag(body, "rrc")


def _decode_flag(body: bytes, name: str) -> bool:
    if body:
        raise DecodeError(f"{name} is not empty")
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


def decode_supported_groups(body: bytes) -> tuple[int, ...]:
    """The groups a client can use, in its order (RFC 8422 §5.1.1)."""
    return _decode_u16_list(body)


def encode_supported_groups(groups: Sequence[int]) -> bytes:
    """The body that lists *groups*."""
    return encode_u16_list(groups)


def decode_signature_algorithms(body: bytes) -> tuple[int, ...]:
    """Hash and signature as one number each, in the order of the client (RFC 5246 §7.4.1.4.1)."""
    return _decode_u16_list(body)


def encode_signature_algorithms(schemes: Sequence[int]) -> bytes:
    """The body that lists *schemes*."""
    return encode_u16_list(schemes)


def _decode_u16_list(body: bytes) -> tuple[int, ...]:
    reader = Reader(body)
    numbers = reader.u16_list()
    reader.expect_end()
    return numbers


def decode_ec_point_formats(body: bytes) -> bytes:
    """The forms of points that the sender can read (RFC 8422 §5.1.2).

    Raises:
        DecodeError: any length that does not fit, or an empty list.
        AlertError: uncompressed is not among them.
    """
    formats = _decode_bytes(body, "point formats")
    if UNCOMPRESSED_POINTS not in formats:
        raise AlertError(AlertDescription.ILLEGAL_PARAMETER, "points must not be uncompressed")
    return formats


def encode_ec_point_formats(formats: bytes = b"\0") -> bytes:
    """The body that lists *formats*: uncompressed only, unless told otherwise."""
    return encode_vector(formats, 1)


def decode_certificate_types(body: bytes) -> tuple[int, ...]:
    """What a client lists as client_certificate_type or server_certificate_type (RFC 7250 §3)."""
    return tuple(_decode_bytes(body, "certificate types"))


def encode_certificate_types(types: Sequence[int]) -> bytes:
    """The body in which a client lists *types*, in order of preference."""
    return encode_vector(bytes(types), 1)


def decode_certificate_type(body: bytes) -> int:
    """What a server chose as client_certificate_type or server_certificate_type."""
    if len(body) != 1:
        raise DecodeError(f"a certificate type of {len(body)} bytes")
    return body[0]


def encode_certificate_type(chosen: int) -> bytes:
    """The body in which a server says what it chose."""
    return bytes((chosen,))


def _decode_bytes(body: bytes, name: str) -> bytes:
    reader = Reader(body)
    content = reader.vector8()
    reader.expect_end()
    if not content:
        raise DecodeError(f"no {name}")
    return content


def decode_max_fragment_length(body: bytes) -> int:
    """The most bytes of content in a record: 512, 1024, 2048 or 4096 (RFC 6066 §4).

    Raises:
        DecodeError: not one byte.
        AlertError: a number that stands for no length.
    """
    if len(body) != 1:
        raise DecodeError(f"a max_fragment_length of {len(body)} bytes")
    code = body[0]
    if not 1 <= code <= 4:
        raise AlertError(AlertDescription.ILLEGAL_PARAMETER, f"max_fragment_length {code}")
    return 256 << code


def encode_max_fragment_length(length: int) -> bytes:
    """The body for one of the four lengths.

    Raises:
        LocalProtocolError: it is none of them.
    """
    if length not in (512, 1024, 2048, 4096):
        raise LocalProtocolError(f"a max_fragment_length of {length}")
    return bytes(((length >> 8).bit_length() - 1,))


def decode_record_size_limit(body: bytes) -> int:
    """The most bytes that the sender takes in a protected record, before its protection (RFC 8449 §4).

    Raises:
        DecodeError: not two bytes.
        AlertError: less than 64.
    """
    if len(body) != 2:
        raise DecodeError(f"a record_size_limit of {len(body)} bytes")
    limit = body[0] << 8 | body[1]
    if limit < MIN_RECORD_SIZE_LIMIT:
        raise AlertError(AlertDescription.ILLEGAL_PARAMETER, f"record_size_limit {limit}")
    return limit


def encode_record_size_limit(limit: int) -> bytes:
    """The body that says what we take.

    Raises:
        LocalProtocolError: less than 64, or more than two bytes can say.
    """
    if not MIN_RECORD_SIZE_LIMIT <= limit <= 0xFFFF:
        raise LocalProtocolError(f"a record_size_limit of {limit}")
    return limit.to_bytes(2, "big")


def decode_server_name(body: bytes) -> bytes:
    """The one host name a client asks for (RFC 6066 §3), as it stands.

    Raises:
        DecodeError: not exactly one entry of type host_name, or the name is empty, longer than 255
            bytes or holds a NUL.
    """
    reader = Reader(body)
    entries = Reader(reader.vector16())
    reader.expect_end()
    if entries.u8() != _HOST_NAME:
        raise DecodeError("not a host name", 2)
    name = entries.vector16()
    entries.expect_end()
    if not _is_host_name(name):
        raise DecodeError("host name empty, too long or with a NUL", 5)
    return name


def encode_server_name(name: bytes) -> bytes:
    """The body that asks for the host *name*."""
    if not _is_host_name(name):
        raise LocalProtocolError("a host name has 1 to 255 bytes and no NUL")
    return encode_vector(bytes((_HOST_NAME,)) + encode_vector(name, 2), 2)


def _is_host_name(name: bytes) -> bool:
    return 0 < len(name) <= MAX_HOST_NAME_BYTES and b"\0" not in name
