"""Entries of the session journal: how far a session has got, and where its peer is.

Knows how they are written. When one is due, and what must wait for it, is `durability`'s.
"""

from __future__ import annotations

import struct
from struct import Struct
from typing import Final, NamedTuple

from gateway.address import Address
from gateway.dtls.errors import DecodeError

ENTRY_BYTES: Final = 19
"Of an entry without an address."

_NUMBERS: Final = Struct(">BHIHIHI")
_ADDRESS: Final = Struct(">BHIB")
_CONFIRMED: Final = 1
_ADDRESSED: Final = 2


class Entry(NamedTuple):
    """What counts for a session from here on, in place of all its entries before."""

    number: int
    "Of the session; 48 bits, as the other two."

    send_limit: int
    "Numbers below it may have been sent: a restored session begins here."

    ceiling: int
    "Numbers up to it may have been received: a restored session takes none of them."

    is_confirmed: bool
    "Whether it has delivered application data."

    address: Address | None
    "Where the peer is; None: where it was."


def encode_entry(
    number: int, send_limit: int, ceiling: int, is_confirmed: bool, address: Address | None
) -> bytes:
    """One entry; the arguments are the fields of `Entry`. Made for nearly every record received."""
    numbers = number << 96 | send_limit << 48 | ceiling
    if address is None:
        return (is_confirmed << 144 | numbers).to_bytes(ENTRY_BYTES, "big")
    host = address.host.encode()
    return b"".join(
        (
            ((_ADDRESSED | is_confirmed) << 144 | numbers).to_bytes(ENTRY_BYTES, "big"),
            _ADDRESS.pack(len(host), address.port, address.scope, len(address.local)),
            host,
            address.local,
        )
    )


def decode_entries(data: bytes) -> list[Entry]:
    """The entries of one journal row, in order.

    Raises:
        DecodeError: anything but a whole number of entries.
    """
    entries = []
    at = 0
    try:
        while at < len(data):
            kind, *halves = _NUMBERS.unpack_from(data, at)
            if kind > _ADDRESSED | _CONFIRMED:
                raise DecodeError(f"an entry of kind {kind}", at)
            at += ENTRY_BYTES
            address = None
            if kind & _ADDRESSED:
                address, at = _decode_address(data, at)
            number, send_limit, ceiling = (halves[half] << 32 | halves[half + 1] for half in (0, 2, 4))
            entries.append(Entry(number, send_limit, ceiling, bool(kind & _CONFIRMED), address))
    except struct.error:
        raise DecodeError("an entry cut off", at) from None
    return entries


def _decode_address(data: bytes, start: int) -> tuple[Address, int]:
    """The address at *start*, and where it ends."""
    host_length, port, scope, local_length = _ADDRESS.unpack_from(data, start)
    host_at = start + _ADDRESS.size
    local_at = host_at + host_length
    end = local_at + local_length
    if end > len(data):
        raise DecodeError("an address cut off", start)
    try:
        return Address(data[host_at:local_at].decode("ascii"), port, scope, data[local_at:end]), end
    except UnicodeDecodeError:
        raise DecodeError("an address that is no text", start) from None
