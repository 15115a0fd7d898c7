"""SenML JSON, content format 110, and its ETCH form, 320 (RFC 8428 §5, RFC 8790)."""

from __future__ import annotations

import json
import math

from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.formats.base64text import decode_base64, encode_url
from gateway.lwm2m.formats.jsonvalues import Object, decode_json
from gateway.lwm2m.formats.senml import decode_pack, decode_path_pack, encode_pack
from gateway.lwm2m.path import Path
from gateway.lwm2m.records import Context, Decoded, EncodeError, Record
from gateway.lwm2m.values import Unfit


def decode(payload: bytes, context: Context) -> Decoded:
    """Read a pack of values.

    Raises:
        TooLarge: more than 1 MiB or 10,000 records.
        DecodeError: no SenML JSON, or a record without a value.
    """
    return decode_pack(_split(payload), context, _read_octets)


def decode_patch(payload: bytes, context: Context) -> Decoded:
    """As `decode`, with null for what goes."""
    return decode_pack(_split(payload), context, _read_octets, is_patch=True)


def decode_paths(payload: bytes, root: str = "/") -> tuple[Path, ...]:
    """Read a list of paths; raises as `decode`."""
    return decode_path_pack(_split(payload), root)


def encode(records: tuple[Record, ...], context: Context) -> bytes:
    """Write a pack.

    Raises:
        EncodeError: a record that is not below the target, NaN or an infinity.
    """
    pack = encode_pack(records, context)
    return _dump([{label: _form_of(item) for label, item in fields.items()} for fields in pack])


def encode_paths(paths: tuple[Path, ...], root: str = "/") -> bytes:
    """Write a list of paths."""
    return _dump([{"n": path.name(root)} for path in paths])


def _form_of(item: object) -> object:
    if isinstance(item, float) and not math.isfinite(item):
        raise EncodeError("JSON has no form for NaN and infinities")
    return encode_url(item) if isinstance(item, bytes) else item


def _dump(pack: list[dict[str, object]]) -> bytes:
    return json.dumps(pack, separators=(",", ":"), ensure_ascii=False).encode()


def _split(payload: bytes) -> list[Object]:
    pack = decode_json(payload)
    if isinstance(pack, Object) or not isinstance(pack, list):
        raise DecodeError("a SenML pack is an array")
    if not all(isinstance(record, Object) for record in pack):
        raise DecodeError("a SenML record is an object")
    return pack


def _read_octets(item: object) -> bytes:
    if not isinstance(item, str):
        raise Unfit("vd is no text")
    return decode_base64(item)
