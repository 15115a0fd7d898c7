"""What people and programs ask to be written, as records: typed by the definitions, checked, complete.

Reads the notation of the command line (text, or bytes of a file) and of the Python face (values, and
mappings by id). Knows nothing of formats.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.lwm2m.definitions import check_range
from gateway.lwm2m.model import DeviceModel
from gateway.lwm2m.path import MAX_ID, Path
from gateway.lwm2m.records import Record
from gateway.lwm2m.values import Type, Unfit, Value, from_json, guess_type, parse_argument, parse_object

_BY_ID = 'an object by id is expected, like {"0": 1}'


def takes_bytes(path: Path, model: DeviceModel) -> bool:
    """Whether bytes of a file or of stdin may be written to *path*: Opaque, or without a definition."""
    return len(path) > 2 and model.find_type(path) in (None, Type.OPAQUE)


def read_argument(path: Path, given: str | bytes, model: DeviceModel) -> tuple[Record, ...]:
    """What *given* on a command line means for *path*: a value for a resource or a resource instance, a JSON
    object by id for an instance or a multiple resource. At ``/o`` it belongs to an instance without a number.

    Raises:
        Unfit: it means nothing there; the text names the path.
    """
    if isinstance(given, bytes):
        return read_value(path, given, model)
    resource = model.find_resource(path)
    try:
        if len(path) < 3 or (len(path) == 3 and resource is not None and resource.is_multiple):
            value: object = parse_object(given)
            if value is None:
                raise Unfit(_BY_ID)
        else:
            value = parse_argument(given, model.find_type(path))
    except Unfit as error:
        raise Unfit(f"{path}: {error}") from None
    if isinstance(value, dict):
        return read_value(path, value, model)
    return (_record(path, value, model),)


def read_value(path: Path, value: object, model: DeviceModel) -> tuple[Record, ...]:
    """The records that *value* is at *path*: a scalar, or mappings by id (numbers or their text).

    Raises:
        Unfit: it means nothing there; the text names the path.
    """
    if not path:
        raise Unfit("/ has no value of its own")
    if len(path) == 1:
        return read_value(path.child(MAX_ID), value, model)
    if len(path) == 2:
        if not isinstance(value, Mapping):
            raise Unfit(f"{path}: {_BY_ID}")
        return tuple(
            record
            for key, item in value.items()
            for record in read_value(path.child(_read_id(key, path)), item, model)
        )
    if len(path) == 3:
        return _read_resource(path, value, model)
    return (_record(path, value, model),)


def _read_resource(path: Path, value: object, model: DeviceModel) -> tuple[Record, ...]:
    resource = model.find_resource(path)
    if isinstance(value, Mapping):
        if resource is not None and not resource.is_multiple:
            raise Unfit(f"{path}: {resource.name} has one value, not several by id")
        if not value:
            return (Record(path, (), Type.MULTIPLE),)
        return tuple(_record(path.child(_read_id(key, path)), item, model) for key, item in value.items())
    if resource is not None and resource.is_multiple:
        raise Unfit(f"{path}: {resource.name} is a multiple resource; {_BY_ID}")
    return (_record(path, value, model),)


def _record(path: Path, value: object, model: DeviceModel) -> Record:
    resource = model.find_resource(path)
    type_ = model.find_type(path)
    try:
        typed: Value = from_json(value, type_)
        if resource is not None:
            check_range(typed, resource)
    except Unfit as error:
        name = "" if resource is None else f" ({resource.name})"
        raise Unfit(f"{path}{name}: {error}") from None
    return Record(path, typed, guess_type(typed) if type_ is None else type_)


def _read_id(key: object, path: Path) -> int:
    text = str(key)
    if isinstance(key, bool) or not (text.isascii() and text.isdigit() and len(text) <= 5):
        raise Unfit(f"{path}: {text[:32]!r} is no id")
    id_ = int(text)
    if id_ >= MAX_ID:
        raise Unfit(f"{path}: {id_} is no id: they end at {MAX_ID - 1}")
    return id_
