"""LwM2M CBOR, content format 11544: values in maps by id (OMA Core TS 1.2 §7.4.7).

Keys are absolute, also in the bodies of requests; there are no times.
"""

from __future__ import annotations

from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.formats.cborvalues import decode_item, encode_item, to_item
from gateway.lwm2m.path import MAX_ID, MAX_LEVELS, Path
from gateway.lwm2m.records import Collector, Context, Decoded, EncodeError, Record
from gateway.lwm2m.values import Type, guess_type


def decode(payload: bytes, context: Context) -> Decoded:
    """Read the values; no bytes and an empty map are none.

    Raises:
        TooLarge: more than 128 KiB or 10,000 values.
        DecodeError: no LwM2M CBOR, an empty map inside, or a path twice.
    """
    collector = Collector(context)
    if payload:
        item = decode_item(payload)
        if not isinstance(item, dict):
            raise DecodeError("LwM2M CBOR is a map")
        _Reader(collector, context.is_create).read_map(Path(), item)
    return collector.finish()


def encode(records: tuple[Record, ...], context: Context) -> bytes:
    """Write *records* in maps by instance, resource and resource instance.

    Raises:
        EncodeError: no record, or one without a value.
    """
    if not records:
        raise EncodeError("LwM2M CBOR has no form for nothing")
    if len(records) == 1:
        [record] = records
        return encode_item({tuple(record.path): _item(record)})
    instances: dict[tuple[int, ...], dict[int, object]] = {}
    for record in records:
        resources = instances.setdefault(tuple(record.path[:2]), {})
        resource_id = record.path[2]
        if len(record.path) == 3:
            resources[resource_id] = _item(record)
            continue
        by_instance = resources.setdefault(resource_id, {})
        if not isinstance(by_instance, dict):
            raise EncodeError(f"{record.path.up_to(3)} is a value and has instances")
        by_instance[record.path[3]] = _item(record)
    return encode_item(instances)


class _Reader:
    def __init__(self, collector: Collector, is_create: bool) -> None:
        self._collector = collector
        self._is_create = is_create
        self._seen: set[Path] = set()

    def read_map(self, parent: Path, entries: dict[object, object]) -> None:
        for key, item in entries.items():
            path = self._enter(parent, key)
            if isinstance(item, dict):
                if not item:
                    raise DecodeError(f"an empty map at {path}")
                self.read_map(path, item)
                continue
            if path in self._seen:
                raise DecodeError(f"{path} stands twice")
            self._seen.add(path)
            self._collector.add(path, item, None, guess_type(item))

    def _enter(self, parent: Path, key: object) -> Path:
        ids = key if isinstance(key, tuple) else (key,)
        path = parent
        for id_ in ids:
            if type(id_) is not int or not self._is_id(id_, len(path)):
                raise DecodeError("a key that is no id")
            path = path.child(id_)
        if not ids or len(path) > MAX_LEVELS:
            raise DecodeError("a key of no id, or of more than four levels")
        return path

    def _is_id(self, id_: int, level: int) -> bool:
        return 0 <= id_ < MAX_ID or (id_ == MAX_ID and level == 1 and self._is_create)


def _item(record: Record) -> object:
    if record.type in (Type.NONE, Type.MULTIPLE):
        raise EncodeError("LwM2M CBOR holds values only")
    return to_item(record.value)
