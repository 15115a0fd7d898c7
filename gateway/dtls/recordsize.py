"""How much a record may hold: max_fragment_length (RFC 6066 §4) and record_size_limit (RFC 8449).

Pure choice, for the server and for the client. What fits into a datagram is `flight`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from gateway.dtls.alerts import AlertDescription
from gateway.dtls.errors import AlertError
from gateway.dtls.extensions import (
    ExtensionType,
    decode_max_fragment_length,
    decode_record_size_limit,
    encode_max_fragment_length,
    encode_record_size_limit,
)
from gateway.dtls.record import MAX_PLAINTEXT_BYTES


class RecordSizes(NamedTuple):
    """The limits of one session, in bytes of content."""

    clear_bytes: int = MAX_PLAINTEXT_BYTES
    "Of our records of epoch 0: max_fragment_length holds there, record_size_limit does not."

    protected_bytes: int = MAX_PLAINTEXT_BYTES
    "Of our protected records."

    received_bytes: int = MAX_PLAINTEXT_BYTES
    "Of the peer's."

    def content_bytes(self, has_cid: bool) -> int:
        """What is left for content in a protected record: with a connection ID, the type goes in as well."""
        return self.protected_bytes - has_cid


UNLIMITED = RecordSizes()


def sizes_of(extensions: Mapping[int, bytes], *, is_client: bool) -> RecordSizes:
    """What the extensions of the peer's hello leave us; *is_client*: they are a server's.

    A server goes by record_size_limit where a client sent both; a client refuses both (RFC 8449 §5).

    Raises:
        DecodeError: one of them is not written as it must be.
        AlertError: a length that is not allowed, or both from a server.
    """
    limit_body = extensions.get(ExtensionType.RECORD_SIZE_LIMIT)
    length_body = extensions.get(ExtensionType.MAX_FRAGMENT_LENGTH)
    length = None if length_body is None else decode_max_fragment_length(length_body)
    if limit_body is not None:
        if is_client and length is not None:
            raise AlertError(AlertDescription.ILLEGAL_PARAMETER, "two limits for the size of records")
        return RecordSizes(protected_bytes=min(decode_record_size_limit(limit_body), MAX_PLAINTEXT_BYTES))
    return UNLIMITED if length is None else RecordSizes(length, length, length)


def answer_to(extensions: Mapping[int, bytes]) -> dict[int, bytes]:
    """What a ServerHello says to those of a ClientHello that `sizes_of` accepted: one of them at most."""
    if ExtensionType.RECORD_SIZE_LIMIT in extensions:
        return {ExtensionType.RECORD_SIZE_LIMIT: encode_record_size_limit(MAX_PLAINTEXT_BYTES)}
    length = extensions.get(ExtensionType.MAX_FRAGMENT_LENGTH)
    if length is not None:
        body = encode_max_fragment_length(decode_max_fragment_length(length))
        return {ExtensionType.MAX_FRAGMENT_LENGTH: body}
    return {}
