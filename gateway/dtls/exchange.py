"""Handshake messages of key exchange and authentication (RFC 5246 §7.4, RFC 8422 §5, RFC 5489, RFC 7250).

As `messages`: bodies only, how each is written, no state. Those of plain PSK are there.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from gateway.dtls.alerts import AlertDescription
from gateway.dtls.errors import AlertError, DecodeError
from gateway.dtls.signatures import DigitallySigned, encode_digitally_signed, take_digitally_signed
from gateway.dtls.wire import Reader, encode_u16_list, encode_vector

MAX_CERTIFICATES: Final = 16
"In one message; more is nobody's chain. Which chains are good is `trust`'s."

ECDSA_SIGN: Final = 64
"The ClientCertificateType of a key that makes ECDSA signatures (RFC 8422 §5.5)."

_NAMED_CURVE: Final = 3


# --- Certificate


def decode_certificate(body: bytes) -> tuple[bytes, ...]:
    """The X.509 certificates, leaf first; none at all is well-formed and means: I have none.

    Raises:
        DecodeError: any length that does not fit, an empty entry, or more entries than 16.
    """
    reader = Reader(body)
    entries = Reader(reader.vector24(), 0)
    reader.expect_end()
    chain: list[bytes] = []
    while not entries.is_at_end:
        if len(chain) == MAX_CERTIFICATES:
            raise DecodeError(f"more than {MAX_CERTIFICATES} certificates", 3 + entries.offset)
        certificate = entries.vector24()
        if not certificate:
            raise DecodeError("an empty certificate", 3 + entries.offset)
        chain.append(certificate)
    return tuple(chain)


def encode_certificate(chain: Sequence[bytes]) -> bytes:
    """The body with these certificates, leaf first."""
    return encode_vector(b"".join(encode_vector(certificate, 3) for certificate in chain), 3)


def decode_raw_public_key(body: bytes) -> bytes:
    """The SubjectPublicKeyInfo in a Certificate where raw public keys were negotiated (RFC 7250 §3).

    Empty: the sender has none. A chain of certificates comes back as bytes that are no key.

    Raises:
        DecodeError: any length that does not fit.
    """
    reader = Reader(body)
    spki = reader.vector24()
    reader.expect_end()
    return spki


def encode_raw_public_key(spki: bytes) -> bytes:
    """The body with this SubjectPublicKeyInfo."""
    return encode_vector(spki, 3)


# --- ServerKeyExchange


class ShareParameters(NamedTuple):
    """ServerECDHParams: the server's share."""

    group: int
    "A plain number: whether we offered it is not judged."

    public: bytes
    encoded: bytes
    "As on the wire, which is what gets signed."


def signed_parameters(client_random: bytes, server_random: bytes, encoded: bytes) -> bytes:
    """What the signature in a ServerKeyExchange covers (RFC 8422 §5.4)."""
    return client_random + server_random + encoded


def encode_share_parameters(group: int, public: bytes) -> bytes:
    """ServerECDHParams for a named curve."""
    return bytes((_NAMED_CURVE,)) + group.to_bytes(2, "big") + encode_vector(public, 1)


def _take_share_parameters(reader: Reader) -> ShareParameters:
    start = reader.offset
    if reader.u8() != _NAMED_CURVE:
        raise AlertError(AlertDescription.ILLEGAL_PARAMETER, "a curve without a name")
    group = reader.u16()
    public = _take_public(reader)
    return ShareParameters(group, public, reader.data[start : reader.offset])


def _take_public(reader: Reader) -> bytes:
    public = reader.vector8()
    if not public:
        raise DecodeError("an empty public value", reader.offset)
    return public


def decode_ecdhe_server_key_exchange(body: bytes) -> tuple[ShareParameters, DigitallySigned]:
    """The signed share of ECDHE_ECDSA (RFC 8422 §5.4); the signature is not checked yet.

    Raises:
        DecodeError: any length that does not fit; there must be a signature.
        AlertError: the curve is described instead of named.
    """
    reader = Reader(body)
    parameters = _take_share_parameters(reader)
    signed = take_digitally_signed(reader)
    reader.expect_end()
    return parameters, signed


def encode_ecdhe_server_key_exchange(encoded: bytes, signed: DigitallySigned) -> bytes:
    """The body. *encoded*: by `encode_share_parameters`."""
    return encoded + encode_digitally_signed(signed)


def decode_ecdhe_psk_server_key_exchange(body: bytes) -> tuple[bytes, ShareParameters]:
    """The identity hint, which may be empty, and the share of ECDHE_PSK (RFC 5489 §2).

    Raises:
        DecodeError: any length that does not fit.
        AlertError: the curve is described instead of named.
    """
    reader = Reader(body)
    hint = reader.vector16()
    parameters = _take_share_parameters(reader)
    reader.expect_end()
    return hint, parameters


def encode_ecdhe_psk_server_key_exchange(hint: bytes, encoded: bytes) -> bytes:
    """The body. *encoded*: by `encode_share_parameters`."""
    return encode_vector(hint, 2) + encoded


# --- CertificateRequest


class CertificateRequest(NamedTuple):
    """RFC 5246 §7.4.4."""

    types: tuple[int, ...]
    schemes: tuple[int, ...]
    "Hash and signature as one number, in order of preference."

    authorities: tuple[bytes, ...] = ()
    "Distinguished names in DER; none: any."


def decode_certificate_request(body: bytes) -> CertificateRequest:
    """What the server wants to see.

    Raises:
        DecodeError: any length that does not fit, no type, no scheme, or an empty name.
    """
    reader = Reader(body)
    types = reader.vector8()
    if not types:
        raise DecodeError("no type of certificate is asked for", 1)
    schemes = reader.u16_list()
    names = Reader(reader.vector16())
    reader.expect_end()
    authorities: list[bytes] = []
    while not names.is_at_end:
        name = names.vector16()
        if not name:
            raise DecodeError("an empty distinguished name", reader.offset - len(names.data) + names.offset)
        authorities.append(name)
    return CertificateRequest(tuple(types), schemes, tuple(authorities))


def encode_certificate_request(request: CertificateRequest) -> bytes:
    """The body that asks for this."""
    names = b"".join(encode_vector(name, 2) for name in request.authorities)
    return encode_vector(bytes(request.types), 1) + encode_u16_list(request.schemes) + encode_vector(names, 2)


# --- CertificateVerify


def decode_certificate_verify(body: bytes) -> DigitallySigned:
    """The signature over all handshake messages before (RFC 5246 §7.4.8), not checked yet.

    Raises:
        DecodeError: any length that does not fit.
    """
    reader = Reader(body)
    signed = take_digitally_signed(reader)
    reader.expect_end()
    return signed


def encode_certificate_verify(signed: DigitallySigned) -> bytes:
    """The body with this signature."""
    return encode_digitally_signed(signed)


# --- ClientKeyExchange


def decode_ecdhe_client_key_exchange(body: bytes) -> bytes:
    """The client's share (RFC 8422 §5.7), not checked yet.

    Raises:
        DecodeError: any length that does not fit, or nothing there.
    """
    reader = Reader(body)
    public = _take_public(reader)
    reader.expect_end()
    return public


def encode_ecdhe_client_key_exchange(public: bytes) -> bytes:
    """The body with this share."""
    return encode_vector(public, 1)


def decode_ecdhe_psk_client_key_exchange(body: bytes) -> tuple[bytes, bytes]:
    """The identity that the client claims, and its share (RFC 5489 §2).

    Raises:
        DecodeError: any length that does not fit, or no share.
    """
    reader = Reader(body)
    identity = reader.vector16()
    public = _take_public(reader)
    reader.expect_end()
    return identity, public


def encode_ecdhe_psk_client_key_exchange(identity: bytes, public: bytes) -> bytes:
    """The body with both."""
    return encode_vector(identity, 2) + encode_vector(public, 1)
