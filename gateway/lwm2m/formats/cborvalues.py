"""CBOR items (RFC 8949) as far as LwM2M has them, on the library that knows all of CBOR.

Everything else that the library could make of a payload (shared references, regular expressions, big
numbers, sets …) is refused, as are repeated keys, deep nesting and bytes behind the item.
"""

from __future__ import annotations

import io
import re
from calendar import timegm
from collections.abc import Mapping
from typing import NoReturn

import cbor2

from gateway.lwm2m.errors import DecodeError, TooLarge
from gateway.lwm2m.values import Value

MAX_PAYLOAD_BYTES = 131_072
"Keys can be made to collide: the time that this costs grows with the square of the size, here to 0.2 s."
MAX_DEPTH = 8

_MAX_EXPONENT = 400
_TIME = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(?:\.[0-9]{1,9})?"
    r"(?:Z|([+-])([0-9]{2}):([0-9]{2}))",
    re.ASCII,
)
"RFC 3339 §5.6."


def decode_item(payload: bytes) -> object:
    """The one item that *payload* is: int, float, str, bytes, bool, None, list, dict with hashable keys.

    An epoch time (tags 0 and 1) is the number of its seconds, a decimal fraction (tag 4) a float.

    Raises:
        TooLarge: more than 128 KiB.
        DecodeError: not well-formed, something LwM2M does not have, or bytes left over.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise TooLarge(f"{len(payload)} bytes of CBOR, {MAX_PAYLOAD_BYTES} are allowed")
    stream = io.BytesIO(payload)
    decoder = cbor2.CBORDecoder(
        stream,
        tag_hook=_refuse_tag,
        semantic_decoders=_TAGS,
        max_depth=MAX_DEPTH,
        allow_duplicate_keys=False,
    )
    try:
        item = decoder.decode()
    except cbor2.CBORDecodeError as error:
        raise DecodeError(f"no CBOR: {error}") from None
    if stream.tell() != len(payload):
        raise DecodeError("bytes behind the CBOR item", stream.tell())
    return item


def encode_item(item: object) -> bytes:
    """*item* with definite lengths and the shortest integers; floats as binary64."""
    return cbor2.dumps(item)


def to_item(value: Value) -> object:
    """What stands for *value* in CBOR: object links are text (OMA Core TS 1.2 §7.4.7)."""
    return str(value) if isinstance(value, tuple) else value


def _refuse_tag(tag: object, is_immutable: bool) -> NoReturn:
    raise ValueError("a tag that LwM2M does not have")


def _decode_time_text(value: object, is_immutable: bool) -> int:
    match = _TIME.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ValueError("no time")
    *parts, sign, hours, minutes = match.groups()
    year, month, day, hour, minute, second = map(int, parts)
    offset_s = int(f"{sign}1") * (int(hours) * 3600 + int(minutes) * 60) if sign else 0
    # timegm refuses dates that are none; times of day carry over.
    return timegm((year, month, day, hour, minute, second)) - offset_s


def _decode_epoch(value: object, is_immutable: bool) -> int | float:
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError("no time")
    return value


def _decode_fraction(value: object, is_immutable: bool) -> float:
    match value:
        case (int(exponent), int(mantissa)) if abs(exponent) <= _MAX_EXPONENT:
            return float(f"{mantissa}e{exponent}")
    raise ValueError("no decimal fraction")


_LIBRARY_TAGS = (*range(2, 301), 1004, 43_000, 55_799)
"More than those that the library would turn into objects."

_TAGS: Mapping[int, cbor2.SemanticDecoderCallback] = dict.fromkeys(_LIBRARY_TAGS, _refuse_tag) | {
    0: _decode_time_text,
    1: _decode_epoch,
    4: _decode_fraction,
}
