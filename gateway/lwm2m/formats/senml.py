"""SenML packs (RFC 8428), whatever they are written in: names, times and values of their records.

Knows neither JSON nor CBOR: a record is a sequence of pairs, with the labels of JSON.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from gateway.lwm2m.errors import DecodeError, TooLarge
from gateway.lwm2m.path import Path, parse_name
from gateway.lwm2m.records import MAX_RECORDS, Collector, Context, Decoded, EncodeError, Record
from gateway.lwm2m.values import ObjectLink, Type, Unfit, Value, guess_type, parse_object_link

MAX_VERSION = 10

Fields = Iterable[tuple[object, object]]
"The pairs of one record."

ReadOctets = Callable[[object], bytes]
"How ``vd`` is written; raises `Unfit`."

_VALUES = frozenset({"v", "vs", "vb", "vd", "vlo"})
_IGNORED = frozenset({"u", "s", "ut", "bu", "bs"})
_ABSENT = object()
_SUMMABLE = 2**64


class _Base:
    """What persists from record to record."""

    def __init__(self, context: Context) -> None:
        self.root = context.root
        self.is_create = context.is_create
        self.name = ""
        self.time: int | float | None = None
        self.value: int | float = 0

    def read(self, fields: Fields) -> tuple[Path, int | float | None, str, object]:
        """Path, time, label of the value ("" for none) and value of one record."""
        name, time, label, value = "", None, "", _ABSENT
        for key, item in fields:
            if key == "n":
                name = _text(item)
            elif key in _VALUES:
                if label:
                    raise DecodeError("a record with two values")
                label, value = str(key), item
            elif key == "t":
                time = _number(item)
            elif key == "bn":
                self.name = _text(item)
            elif key == "bt":
                self.time = _number(item)
            elif key == "bv":
                self.value = _number(item)
            elif key == "bver":
                if not isinstance(item, int) or item > MAX_VERSION:
                    raise DecodeError("a SenML version that is not known")
            elif key not in _IGNORED and isinstance(key, str) and key.endswith("_"):
                raise DecodeError(f"a field that must be understood: {key[:32]}")
        if self.time is not None:
            time = self.time + (time or 0)
        return parse_name(self.name + name, self.root, self.is_create), time, label, value


def decode_pack(
    records: Sequence[Fields], context: Context, read_octets: ReadOctets, *, is_patch: bool = False
) -> Decoded:
    """Resolve *records*; with *is_patch* ``"v": null`` takes a resource instance away (RFC 8790).

    Raises:
        TooLarge: more than 10,000 records.
        DecodeError: a record without a value, with two, or with a name that is no path.
    """
    collector = Collector(context)
    base = _Base(context)
    for fields in records:
        path, time_s, label, item = base.read(fields)
        if item is _ABSENT:
            raise DecodeError(f"no value for {path}")
        if is_patch and label == "v" and item is None:
            collector.check(path)
            collector.records.append(Record(path, None, Type.NONE, time_s))
            continue
        try:
            value = _read_value(label, item, base.value, read_octets)
        except Unfit as error:
            collector.check(path)
            collector.leave_out(path, error)
        else:
            collector.add(path, value, time_s, guess_type(value))
    return collector.finish()


def decode_path_pack(records: Sequence[Fields], root: str) -> tuple[Path, ...]:
    """The paths of a Read-Composite or Observe-Composite.

    Raises:
        TooLarge: more than 10,000 records.
        DecodeError: a record with a value, or with a name that is no path.
    """
    if len(records) > MAX_RECORDS:
        raise TooLarge(f"more than {MAX_RECORDS} paths")
    paths = []
    base = _Base(Context(Path(), root=root))
    for fields in records:
        path, _, label, _ = base.read(fields)
        if label:
            raise DecodeError(f"a value for {path} in a list of paths")
        paths.append(path)
    return tuple(paths)


def encode_pack(records: Iterable[Record], context: Context) -> list[dict[str, object]]:
    """What a pack of *records* says, by the labels of JSON; Opaque stays bytes.

    Raises:
        EncodeError: as `plan_names`.
    """
    pack = []
    for base, name, record in plan_names(records, context):
        fields: dict[str, object] = {} if base is None else {"bn": base}
        if name:
            fields["n"] = name
        label, item = value_field(record.value)
        fields[label] = item
        if record.time_s is not None:
            fields["t"] = record.time_s
        pack.append(fields)
    return pack


def plan_names(records: Iterable[Record], context: Context) -> list[tuple[str | None, str, Record]]:
    """Base name (None: unchanged), name and record of each: relative to the target, absolute in composites.

    Raises:
        EncodeError: a record elsewhere, or a multiple resource without instances beside others.
    """
    target, root = context.target, context.root
    planned: list[tuple[str | None, str, Record]] = []
    for record in records:
        if record.type is Type.MULTIPLE:
            continue
        if not record.path.is_within(target):
            raise EncodeError(f"{record.path} is not below {target}")
        if not target:
            planned.append((None, record.path.name(root), record))
            continue
        relative = "/".join(map(str, record.path[len(target) :]))
        base = target.name(root) + ("/" if relative else "")
        planned.append((None if planned else base, relative, record))
    return planned


def value_field(value: Value) -> tuple[str, object]:
    """Label and item of a value; Opaque stays bytes."""
    match value:
        case bool():
            return "vb", value
        case int() | float():
            return "v", value
        case str():
            return "vs", value
        case bytes():
            return "vd", value
        case ObjectLink():
            return "vlo", str(value)
        case _:
            return "v", None


def _read_value(label: str, item: object, base: int | float, read_octets: ReadOctets) -> Value:
    match label:
        case "v" if isinstance(item, int | float) and not isinstance(item, bool):
            if base and abs(item) >= _SUMMABLE:
                raise Unfit("a number too big to be added to a base value")
            return item + base if base else item
        case "vs" if isinstance(item, str):
            return item
        case "vb" if isinstance(item, bool):
            return item
        case "vd":
            return read_octets(item)
        case "vlo" if isinstance(item, str):
            return parse_object_link(item)
    raise Unfit(f"another kind of value than {label} has")


def _text(item: object) -> str:
    if not isinstance(item, str):
        raise DecodeError("a name that is no text")
    return item


def _number(item: object) -> int | float:
    if isinstance(item, bool) or not isinstance(item, int | float) or not -(2**63) <= item < 2**63:
        raise DecodeError("a time or base value that is no number")
    return math.floor(item) if isinstance(item, float) and item.is_integer() else item
