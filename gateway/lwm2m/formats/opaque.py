"""Octets, content format 42: the value of one Opaque resource (OMA Core TS 1.2 §7.4.2)."""

from __future__ import annotations

from gateway.lwm2m.errors import TooLarge
from gateway.lwm2m.formats.single import single_record
from gateway.lwm2m.records import Collector, Context, Decoded, EncodeError, Record
from gateway.lwm2m.values import Type

MAX_PAYLOAD_BYTES = 16_777_216


def decode(payload: bytes, context: Context) -> Decoded:
    """Take the payload as the value.

    Raises:
        TooLarge: more than 16 MiB.
        DecodeError: the target is no resource.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise TooLarge(f"{len(payload)} bytes, {MAX_PAYLOAD_BYTES} are allowed")
    collector = Collector(context)
    collector.add(context.target, payload, None, Type.OPAQUE)
    return collector.finish()


def encode(records: tuple[Record, ...], context: Context) -> bytes:
    """Write the one Opaque value of *records*.

    Raises:
        EncodeError: anything else.
    """
    value = single_record(records, context).value
    if not isinstance(value, bytes):
        raise EncodeError("octets hold an Opaque value only")
    return value
