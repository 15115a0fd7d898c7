"""OMA JSON, content format 11543: the JSON of LwM2M 1.0 (OMA Core TS 1.0 §6.4.4)."""

from __future__ import annotations

import base64
import json
import math

from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.formats.base64text import decode_base64
from gateway.lwm2m.formats.jsonvalues import Object, decode_json
from gateway.lwm2m.path import Path, parse_name
from gateway.lwm2m.records import Collector, Context, Decoded, EncodeError, Record
from gateway.lwm2m.values import ObjectLink, Type, Unfit, Value, guess_type, parse_object_link

_VALUES = frozenset({"v", "sv", "bv", "ov"})


def decode(payload: bytes, context: Context) -> Decoded:
    """Read the entries; without a base name they are relative to the target, or absolute.

    Raises:
        TooLarge: more than 1 MiB or 10,000 entries.
        DecodeError: no OMA JSON.
    """
    document = decode_json(payload)
    if not isinstance(document, Object):
        raise DecodeError("OMA JSON is an object")
    fields = dict(document)
    base, base_time_s, entries = fields.get("bn", ""), _time(fields.get("bt", 0)), fields.get("e")
    if not isinstance(base, str) or isinstance(entries, Object) or not isinstance(entries, list):
        raise DecodeError("OMA JSON has a base name of text and an array of entries")
    collector = Collector(context)
    for entry in entries:
        if not isinstance(entry, Object):
            raise DecodeError("an entry that is no object")
        _read_entry(entry, base, base_time_s, context, collector)
    return collector.finish()


def encode(records: tuple[Record, ...], context: Context) -> bytes:
    """Write *records* relative to the target.

    Raises:
        EncodeError: a record elsewhere, NaN or an infinity, or no value.
    """
    target = context.target
    entries = []
    for record in records:
        if not record.path.is_within(target):
            raise EncodeError(f"{record.path} is not below {target}")
        if record.type is Type.MULTIPLE:
            continue
        label, item = _field(record.value)
        entry = {"n": "/".join(map(str, record.path[len(target) :])), label: item}
        if record.time_s is not None:
            entry["t"] = record.time_s
        entries.append(entry)
    is_value = len(target) > 2 and all(not entry["n"] for entry in entries)
    base = target.name(context.root) + ("" if is_value or not target else "/")
    document = {"bn": base, "e": entries}
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def _read_entry(
    entry: Object, base: str, base_time_s: int | float, context: Context, collector: Collector
) -> None:
    fields = dict(entry)
    name = fields.get("n", "")
    if not isinstance(name, str):
        raise DecodeError("a name that is no text")
    path = _resolve(base, name, context)
    labels = [label for label, _ in entry if label in _VALUES]
    if len(labels) != 1:
        raise DecodeError(f"{len(labels)} values for {path}")
    collector.check(path)
    time_s = _time(fields["t"]) + base_time_s if "t" in fields else base_time_s or None
    try:
        value = _read_value(labels[0], fields[labels[0]], context.find_type(path))
    except Unfit as error:
        collector.leave_out(path, error)
    else:
        collector.add(path, value, time_s, guess_type(value))


def _resolve(base: str, name: str, context: Context) -> Path:
    if base:
        joined = f"{base.rstrip('/')}/{name.lstrip('/')}"
    elif name.startswith("/"):
        joined = name
    else:
        joined = f"{str(context.target).rstrip('/')}/{name}"
    return parse_name(joined, context.root, context.is_create)


def _read_value(label: str, item: object, type_: Type | None) -> Value:
    match label:
        case "v" if isinstance(item, int | float) and not isinstance(item, bool):
            return item
        case "bv" if isinstance(item, bool):
            return item
        case "sv" if isinstance(item, str):
            return decode_base64(item) if type_ is Type.OPAQUE else item
        case "ov" if isinstance(item, str):
            return parse_object_link(item)
    raise Unfit(f"another kind of value than {label} has")


def _time(item: object) -> int | float:
    if isinstance(item, bool) or not isinstance(item, int | float) or not -(2**63) <= item < 2**63:
        raise DecodeError("a time that is no number")
    return item


def _field(value: Value) -> tuple[str, object]:
    match value:
        case bool():
            return "bv", value
        case float() if not math.isfinite(value):
            raise EncodeError("JSON has no form for NaN and infinities")
        case int() | float():
            return "v", value
        case str():
            return "sv", value
        case bytes():
            return "sv", base64.b64encode(value).decode()
        case ObjectLink():
            return "ov", str(value)
        case _:
            raise EncodeError("OMA JSON has no way to take a value away")
