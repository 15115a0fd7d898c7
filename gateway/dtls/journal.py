"""Entries of the session journal: how far a session has got, and where its peer is.

Knows how they are written. When one is due, and what must wait for it, is `durability`'s.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from gateway.address import Address
from gateway.dtls.errors import DecodeError
from gateway.dtls.wire import Reader, encode_vector

ENTRY_BYTES: Final = 19
"Of an entry without an address."

_NUMBERS: Final = Struct(">BHIHIHI")
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
    return b"".join(
        (
            ((_ADDRESSED | is_confirmed) << 144 | numbers).to_bytes(ENTRY_BYTES, "big"),
            encode_vector(address.host.encode(), 1),
            address.port.to_bytes(2, "big"),
            address.scope.to_bytes(4, "big"),
            encode_vector(address.local, 1),
        )
    )


def decode_entries(data: bytes) -> list[Entry]:
    """The entries of one journal row, in order.

    Raises:
        DecodeError: anything but a whole number of entries.
    """
    entries = []
    reader = Reader(data)
    while not reader.is_at_end:
        kind, *halves = _NUMBERS.unpack(reader.take(ENTRY_BYTES))
        if kind > _ADDRESSED | _CONFIRMED:
            raise DecodeError(f"an entry of kind {kind}", reader.offset)
        number, send_limit, ceiling = (halves[at] << 32 | halves[at + 1] for at in (0, 2, 4))
        address = _decode_address(reader) if kind & _ADDRESSED else None
        entries.append(Entry(number, send_limit, ceiling, bool(kind & _CONFIRMED), address))
    return entries


def _decode_address(reader: Reader) -> Address:
    start = reader.offset
    host, port = reader.vector8(), reader.u16()
    scope, local = int.from_bytes(reader.take(4), "big"), reader.vector8()
    try:
        return Address(host.decode("ascii"), port, scope, local)
    except UnicodeDecodeError:
        raise DecodeError("an address that is no text", start) from None
