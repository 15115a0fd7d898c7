"""SenML CBOR, content format 112, and its ETCH form, 322 (RFC 8428 §6, RFC 8790)."""

from __future__ import annotations

from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.formats.cborvalues import decode_item, encode_item
from gateway.lwm2m.formats.senml import Fields, decode_pack, decode_path_pack, encode_pack
from gateway.lwm2m.path import Path
from gateway.lwm2m.records import Context, Decoded, Record
from gateway.lwm2m.values import Unfit

LABELS = {
    "bs": -6,
    "bv": -5,
    "bu": -4,
    "bt": -3,
    "bn": -2,
    "bver": -1,
    "n": 0,
    "u": 1,
    "v": 2,
    "vs": 3,
    "vb": 4,
    "s": 5,
    "t": 6,
    "ut": 7,
    "vd": 8,
    # Object links have no number of their own (OMA Core TS 1.2 §7.4.6).
    "vlo": "vlo",
}
_NAMES: dict[object, str] = {label: name for name, label in LABELS.items()}


def decode(payload: bytes, context: Context) -> Decoded:
    """Read a pack of values; labels may be text.

    Raises:
        TooLarge: more than 128 KiB or 10,000 records.
        DecodeError: no SenML CBOR, or a record without a value.
    """
    return decode_pack(_split(payload), context, _read_octets)


def decode_patch(payload: bytes, context: Context) -> Decoded:
    """As `decode`, with null for what goes."""
    return decode_pack(_split(payload), context, _read_octets, is_patch=True)


def decode_paths(payload: bytes, root: str = "/") -> tuple[Path, ...]:
    """Read a list of paths; raises as `decode`."""
    return decode_path_pack(_split(payload), root)


def encode(records: tuple[Record, ...], context: Context) -> bytes:
    """Write a pack with numbers for labels.

    Raises:
        EncodeError: a record that is not below the target.
    """
    pack = encode_pack(records, context)
    return encode_item([{LABELS[label]: item for label, item in fields.items()} for fields in pack])


def encode_paths(paths: tuple[Path, ...], root: str = "/") -> bytes:
    """Write a list of paths."""
    return encode_item([{LABELS["n"]: path.name(root)} for path in paths])


def _split(payload: bytes) -> list[Fields]:
    pack = decode_item(payload)
    if not isinstance(pack, list):
        raise DecodeError("a SenML pack is an array")
    records: list[Fields] = []
    for record in pack:
        if not isinstance(record, dict):
            raise DecodeError("a SenML record is a map")
        records.append([(_NAMES.get(label, label), item) for label, item in record.items()])
    return records


def _read_octets(item: object) -> bytes:
    if not isinstance(item, bytes):
        raise Unfit("vd is no byte string")
    return item
