"""TLV, content format 11542 (OMA Core TS 1.2 §7.4.5).

Which ids a payload leaves out is said by the path of its request; both forms in which devices answer
(wrapped in their instance or resource, or bare) are read.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from enum import IntEnum
from itertools import groupby
from typing import NamedTuple

from gateway.lwm2m.errors import DecodeError, TooLarge
from gateway.lwm2m.path import MAX_ID, Path
from gateway.lwm2m.records import Collector, Context, Decoded, EncodeError, Record
from gateway.lwm2m.values import ObjectLink, Type, Unfit, Value

MAX_PAYLOAD_BYTES = 2_097_152

_INTEGER_OCTETS = (1, 2, 4, 8)
_MAX_LENGTH = 2**24 - 1


class Kind(IntEnum):
    """Bits 7 and 6 of the type octet."""

    OBJECT_INSTANCE = 0
    RESOURCE_INSTANCE = 1
    MULTIPLE_RESOURCE = 2
    RESOURCE = 3


class Element(NamedTuple):
    """One entry, its value not read yet."""

    kind: Kind
    id: int
    octets: bytes


def decode(payload: bytes, context: Context) -> Decoded:
    """Read the answer to, or the body of, a request for the target of *context*.

    A value without a definition is Opaque. With ``is_create`` resources without an instance belong to 65535.

    Raises:
        TooLarge: more than 2 MiB or 10,000 values.
        DecodeError: cut off, nested wrongly, a path twice, or not about the target.
    """
    if len(payload) > MAX_PAYLOAD_BYTES:
        raise TooLarge(f"{len(payload)} bytes of TLV, {MAX_PAYLOAD_BYTES} are allowed")
    reader = _Reader(context)
    level = len(context.target)
    elements = list(_split(payload))
    if level == 1:
        reader.read_object(elements, context.is_create)
    elif level == 2:
        reader.read_instance_wrapped_or_bare(elements)
    elif level == 3:
        reader.read_resource_wrapped_or_bare(elements)
    elif level == 4:
        reader.read_resource_instance(elements)
    else:
        raise DecodeError("TLV needs a path below the root")
    return reader.finish()


def encode(records: tuple[Record, ...], context: Context) -> bytes:
    """Write *records*, all of them below the target, as the body of a request (or an answer to it).

    Instances are wrapped at the level of the object, resource instances always; nothing else.

    Raises:
        EncodeError: a record elsewhere, or without a value.
    """
    target = context.target
    if not target or any(not record.path.is_within(target) or len(record.path) < 3 for record in records):
        raise EncodeError("TLV holds values below one object")
    if len(target) > 1:
        return _encode_resources(records)
    payload = b""
    for instance_id, members in groupby(records, lambda record: record.path[1]):
        resources = _encode_resources(tuple(members))
        is_bare = instance_id == MAX_ID
        payload += resources if is_bare else _encode_element(Kind.OBJECT_INSTANCE, instance_id, resources)
    return payload


def encode_empty_instance(instance_id: int) -> bytes:
    """The body of a Create that names its instance and no resource."""
    return _encode_element(Kind.OBJECT_INSTANCE, instance_id, b"")


class _Reader(Collector):
    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.target = context.target
        self._seen: set[Path] = set()

    def read_object(self, elements: list[Element], is_create: bool) -> None:
        for element in elements:
            if element.kind is Kind.OBJECT_INSTANCE:
                instance = self._enter(self.target, element)
                self._read_instance(instance, _split(element.octets))
            elif is_create:
                self._read_instance(self.target.child(MAX_ID), iter((element,)))
            else:
                raise DecodeError("a resource where object instances are expected")

    def read_instance_wrapped_or_bare(self, elements: list[Element]) -> None:
        if len(elements) == 1 and elements[0].kind is Kind.OBJECT_INSTANCE:
            [wrapper] = elements
            if wrapper.id != self.target[1]:
                raise DecodeError(f"object instance {wrapper.id} was not asked for")
            self._read_instance(self.target, _split(wrapper.octets))
        else:
            self._read_instance(self.target, iter(elements))

    def read_resource_wrapped_or_bare(self, elements: list[Element]) -> None:
        if elements and all(element.kind is Kind.RESOURCE_INSTANCE for element in elements):
            self._read_resource_instances(self.target, iter(elements))
            return
        if len(elements) > 1 or any(element.id != self.target[2] for element in elements):
            raise DecodeError("another resource than was asked for")
        self._read_instance(self.target.up_to(2), iter(elements))

    def read_resource_instance(self, elements: list[Element]) -> None:
        if len(elements) == 1 and elements[0].kind is Kind.MULTIPLE_RESOURCE:
            if elements[0].id != self.target[2]:
                raise DecodeError("another resource than was asked for")
            elements = list(_split(elements[0].octets))
        if any(element.id != self.target[3] for element in elements):
            raise DecodeError("another resource instance than was asked for")
        self._read_resource_instances(self.target.up_to(3), iter(elements))

    def _read_instance(self, instance: Path, elements: Iterator[Element]) -> None:
        for element in elements:
            if element.kind is Kind.RESOURCE:
                self._read_value(self._enter(instance, element), element.octets)
            elif element.kind is Kind.MULTIPLE_RESOURCE:
                resource = self._enter(instance, element)
                if element.octets:
                    self._read_resource_instances(resource, _split(element.octets))
                else:
                    self.check(resource)
                    self.records.append(Record(resource, (), Type.MULTIPLE))
            else:
                raise DecodeError("an instance inside an object instance")

    def _read_resource_instances(self, resource: Path, elements: Iterator[Element]) -> None:
        for element in elements:
            if element.kind is not Kind.RESOURCE_INSTANCE:
                raise DecodeError("something else than resource instances inside a multiple resource")
            self._read_value(self._enter(resource, element), element.octets)

    def _read_value(self, path: Path, octets: bytes) -> None:
        self.check(path)
        type_ = self.find_type(path) or Type.OPAQUE
        try:
            self.records.append(Record(path, _decode_value(octets, type_), type_))
        except Unfit as error:
            self.leave_out(path, error)

    def _enter(self, parent: Path, element: Element) -> Path:
        if element.id == MAX_ID:
            raise DecodeError(f"id {MAX_ID}")
        path = parent.child(element.id)
        if path in self._seen:
            raise DecodeError(f"{path} stands twice")
        self._seen.add(path)
        return path


def _split(payload: bytes) -> Iterator[Element]:
    end = len(payload)
    position = 0
    while position < end:
        start = position
        head = payload[position]
        id_octets = 2 if head & 0x20 else 1
        length_octets = (head >> 3) & 3
        if length_octets and head & 7:
            raise DecodeError("a length in two places", start)
        position += 1 + id_octets
        id_ = int.from_bytes(payload[position - id_octets : position])
        length = int.from_bytes(payload[position : position + length_octets]) if length_octets else head & 7
        position += length_octets + length
        if position > end:
            raise DecodeError("an entry that is cut off", start)
        yield Element(Kind(head >> 6), id_, payload[position - length : position])


def _decode_value(octets: bytes, type_: Type) -> Value:
    size = len(octets)
    match type_:
        case Type.STRING | Type.CORELNK:
            try:
                return octets.decode()
            except UnicodeDecodeError:
                raise Unfit("a text that is not UTF-8") from None
        case Type.INTEGER | Type.TIME | Type.UNSIGNED if size in _INTEGER_OCTETS:
            return int.from_bytes(octets, signed=type_ is not Type.UNSIGNED)
        case Type.FLOAT if size in (4, 8):
            [value] = struct.unpack(">f" if size == 4 else ">d", octets)
            return float(value)
        case Type.BOOLEAN if octets in (b"\0", b"\1"):
            return octets == b"\1"
        case Type.OBJLNK if size == 4:
            return ObjectLink(*struct.unpack(">HH", octets))
        case Type.OPAQUE:
            return octets
    raise Unfit(f"{size} bytes are no {type_.value}")


def _encode_resources(records: tuple[Record, ...]) -> bytes:
    payload = b""
    for (_, resource_id), members in groupby(records, lambda record: (record.path[1], record.path[2])):
        instances = b""
        is_multiple = False
        for record in members:
            if record.type is Type.MULTIPLE:
                is_multiple = True
            elif len(record.path) == 4:
                is_multiple = True
                instances += _encode_element(Kind.RESOURCE_INSTANCE, record.path[3], _encode_value(record))
            else:
                payload += _encode_element(Kind.RESOURCE, resource_id, _encode_value(record))
        if is_multiple:
            payload += _encode_element(Kind.MULTIPLE_RESOURCE, resource_id, instances)
    return payload


def _encode_element(kind: Kind, id_: int, octets: bytes) -> bytes:
    length = len(octets)
    if length > _MAX_LENGTH:
        raise EncodeError("TLV ends at 16 MiB")
    head = kind << 6
    name = id_.to_bytes(1 if id_ < 256 else 2)
    if id_ > 255:
        head |= 0x20
    if length < 8:
        return bytes((head | length,)) + name + octets
    length_octets = (length.bit_length() + 7) // 8
    return bytes((head | length_octets << 3,)) + name + length.to_bytes(length_octets) + octets


def _encode_value(record: Record) -> bytes:
    match record.value:
        case bool():
            return bytes((record.value,))
        case int():
            return _encode_integer(record.value, record.type)
        case float():
            return _encode_float(record.value)
        case str():
            return record.value.encode()
        case bytes():
            return record.value
        case ObjectLink():
            return struct.pack(">HH", *record.value)
        case _:
            raise EncodeError("TLV has no way to take a value away")


def _encode_integer(value: int, type_: Type) -> bytes:
    is_signed = type_ is not Type.UNSIGNED
    bits = (value if value >= 0 else ~value).bit_length() + is_signed
    octets = next(octets for octets in _INTEGER_OCTETS if bits <= octets * 8)
    return value.to_bytes(octets, signed=is_signed)


def _encode_float(value: float) -> bytes:
    try:
        short = struct.pack(">f", value)
    except OverflowError:
        return struct.pack(">d", value)
    # NaN is unequal to itself and needs no precision.
    return short if struct.unpack(">f", short)[0] == value or value != value else struct.pack(">d", value)
