"""CBOR, content format 60: the value of one resource or resource instance (OMA Core TS 1.2 §7.4.3)."""

from __future__ import annotations

from gateway.lwm2m.formats.cborvalues import decode_item, encode_item, to_item
from gateway.lwm2m.formats.single import single_record
from gateway.lwm2m.records import Collector, Context, Decoded, Record
from gateway.lwm2m.values import guess_type


def decode(payload: bytes, context: Context) -> Decoded:
    """Read the value of the resource that *context* names.

    Raises:
        TooLarge: more than 128 KiB.
        DecodeError: the target is no resource, or the payload is no single CBOR item.
    """
    collector = Collector(context)
    collector.check(context.target)
    item = decode_item(payload)
    collector.add(context.target, item, None, guess_type(item))
    return collector.finish()


def encode(records: tuple[Record, ...], context: Context) -> bytes:
    """Write the one value of *records*.

    Raises:
        EncodeError: more or less than the value of the target.
    """
    return encode_item(to_item(single_record(records, context).value))
