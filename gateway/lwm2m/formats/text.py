"""Plain text, content format 0: the value of one resource or resource instance (OMA Core TS 1.2 §7.4.1)."""

from __future__ import annotations

import base64
import math
from decimal import Decimal

from gateway.lwm2m.errors import DecodeError, TooLarge
from gateway.lwm2m.formats.base64text import decode_base64
from gateway.lwm2m.formats.single import single_record
from gateway.lwm2m.records import Collector, Context, Decoded, EncodeError, Record
from gateway.lwm2m.values import Type, Unfit, Value, parse_text

MAX_PAYLOAD_BYTES = 2_097_152
"Room for a package of 1 MB in Base64."


def decode(payload: bytes, context: Context) -> Decoded:
    """Read the value of the resource that *context* names; without a definition it is a String.

    Raises:
        TooLarge: more than 2 MiB.
        DecodeError: the target is no resource, or the payload is not UTF-8.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise TooLarge(f"{len(payload)} bytes of text, {MAX_PAYLOAD_BYTES} are allowed")
    collector = Collector(context)
    collector.check(context.target)
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        raise DecodeError("text that is not UTF-8", error.start) from None
    type_ = context.find_type(context.target) or Type.STRING
    try:
        value = decode_base64(text.strip()) if type_ is Type.OPAQUE else parse_text(text, type_)
    except Unfit as error:
        collector.leave_out(context.target, error)
    else:
        collector.add(context.target, value, None, type_)
    return collector.finish()


def encode(records: tuple[Record, ...], context: Context) -> bytes:
    """Write the one value of *records*.

    Raises:
        EncodeError: more or less than the value of the target, or one that text cannot say.
    """
    return _write(single_record(records, context).value).encode()


def _write(value: Value) -> str:
    match value:
        case bool():
            return str(int(value))
        case bytes():
            return base64.b64encode(value).decode()
        case float() if not math.isfinite(value):
            raise EncodeError("text has no form for NaN and infinities")
        case float():
            # repr is exact but has exponents, which devices need not read.
            return format(Decimal(repr(value)), "f")
        case _:
            return str(value)
