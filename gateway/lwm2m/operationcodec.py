"""Operations as bytes, for what is stored and sent later: CBOR, so that a package of 1 MB stays 1 MB.

The bytes are ours: nothing that a device sent is read here.
"""

from __future__ import annotations

from typing import Any

import cbor2

from gateway.lwm2m.attributes import Attributes
from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.formats import Format
from gateway.lwm2m.operations import (
    Cancel,
    Create,
    Delete,
    Discover,
    Execute,
    Observe,
    Operation,
    Read,
    Write,
    WriteAttributes,
    WriteComposite,
)
from gateway.lwm2m.path import Path
from gateway.lwm2m.records import Record
from gateway.lwm2m.values import ObjectLink, Type

_CLASSES: dict[str, type[Operation]] = {
    "read": Read,
    "observe": Observe,
    "cancel": Cancel,
    "discover": Discover,
    "write": Write,
    "write-composite": WriteComposite,
    "attributes": WriteAttributes,
    "execute": Execute,
    "create": Create,
    "delete": Delete,
}
_NAMES = {class_: name for name, class_ in _CLASSES.items()}


def encode_operation(operation: Operation) -> bytes:
    """*operation* as bytes."""
    fields = {name: _pack(getattr(operation, name)) for name in type(operation).__slots__}
    return cbor2.dumps(
        [_NAMES[type(operation)], {name: item for name, item in fields.items() if item is not None}]
    )


def decode_operation(content: bytes) -> Operation:
    """The operation that `encode_operation` wrote.

    Raises:
        DecodeError: it did not.
    """
    try:
        name, fields = cbor2.loads(content)
        return _CLASSES[name](**{field: _READERS[field](item) for field, item in fields.items()})
    except (cbor2.CBORDecodeError, LookupError, TypeError, ValueError, AttributeError) as error:
        raise DecodeError(f"no stored operation: {error!r}") from None


def _pack(value: object) -> object:
    match value:
        case Path():
            return list(value)
        case Record():
            link = isinstance(value.value, ObjectLink)
            item = list(value.value) if isinstance(value.value, tuple) else value.value
            return [list(value.path), item, value.type.value, value.time_s, link]
        case tuple():
            return [_pack(item) for item in value]
        case Format():
            return value.value
        case Attributes():
            return [list(change) for change in value.changes]
        case _:
            return value


def _read_record(item: Any) -> Record:
    ids, value, type_, time_s, is_link = item
    if isinstance(value, list):
        value = ObjectLink(*value) if is_link else ()
    return Record(Path(ids), value, Type(type_), time_s)


def _read_attributes(item: Any) -> Attributes:
    return Attributes(tuple((str(name), value) for name, value in item))


_READERS: dict[str, Any] = {
    "paths": lambda item: tuple(map(Path, item)),
    "path": Path,
    "records": lambda item: tuple(map(_read_record, item)),
    "format": Format,
    "attributes": _read_attributes,
    "depth": int,
    "arguments": str,
    "is_partial": bool,
}
