"""What the formats for one value (text, opaque, CBOR) have in common."""

from __future__ import annotations

from gateway.lwm2m.records import Context, EncodeError, Record
from gateway.lwm2m.values import Type


def single_record(records: tuple[Record, ...], context: Context) -> Record:
    """The one record of the target.

    Raises:
        EncodeError: more, none, another path, or no value.
    """
    if len(records) != 1 or records[0].path != context.target:
        raise EncodeError("the format holds the value of one resource, and nothing else")
    [record] = records
    if record.type in (Type.NONE, Type.MULTIPLE):
        raise EncodeError("the format holds one value")
    return record
