"""Payloads of answers: which format a reading goes out in, and the bytes of it."""

from __future__ import annotations

from collections.abc import Sequence

from aiocoap.numbers.codes import Code

from gateway.lwm2m.formats import Format, encode, find_format
from gateway.lwm2m.path import ROOT, Path
from gateway.lwm2m.records import Context, EncodeError, Record
from gateway.lwm2m.values import Type
from tools.simulator.client.contents import V1_1, Contents
from tools.simulator.client.exchanges import Response

_COMPOSITES = (Format.SENML_CBOR, Format.SENML_JSON, Format.LWM2M_CBOR)
"What several paths at once are told in."


def find_accepted(accept: int | None, contents: Contents, *, is_composite: bool) -> Format | Code | None:
    """The format asked for, None where the device is to choose, or 4.06."""
    if accept is None:
        return None
    format_ = find_format(accept)
    if format_ not in contents.formats or (is_composite and format_ not in _COMPOSITES):
        return Code.NOT_ACCEPTABLE
    return format_


def tell_values(
    records: Sequence[Record],
    target: Path,
    accept: Format | None,
    contents: Contents,
    observe: int | None = None,
) -> Response:
    """2.05 with *records*, which lie at or below *target* (the root for composites), or 4.06."""
    format_ = accept or _choose(records, target, contents)
    try:
        payload = encode_values(format_, tuple(records), Context(target, root=contents.root))
    except EncodeError:
        return Response(Code.NOT_ACCEPTABLE)
    return Response(Code.CONTENT, payload, format_.number, observe=observe)


def encode_values(format_: Format, records: tuple[Record, ...], context: Context) -> bytes:
    """*records* in *format_*.

    Raises:
        EncodeError: it cannot say them.
    """
    if format_ is Format.LWM2M_CBOR:
        records = tuple(record for record in records if record.type is not Type.MULTIPLE)
        if not records:
            return b""
    return encode(format_, records, context)


def _choose(records: Sequence[Record], target: Path, contents: Contents) -> Format:
    """What a device that may choose answers in."""
    if len(target) > 2 and len(records) == 1 and records[0].path == target:
        if records[0].type is Type.OPAQUE:
            return Format.OPAQUE
        if records[0].type is not Type.MULTIPLE:
            return Format.TEXT
    if contents.version < V1_1 and target != ROOT:
        return Format.TLV
    return next((one for one in contents.formats if one in _COMPOSITES), Format.TLV)
