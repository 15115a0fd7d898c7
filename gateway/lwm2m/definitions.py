"""Definitions of objects and resources (OMA Core TS 1.2 §6.1, appendix C), and the ranges of their values."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from types import MappingProxyType

from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.path import MAX_ID
from gateway.lwm2m.values import Type, Unfit, Value

OPERATIONS = frozenset({"", "R", "W", "RW", "E"})

Version = tuple[int, int]
"Of an object: major and minor."

_VERSION = re.compile(r"([0-9]{1,5})\.([0-9]{1,5})", re.ASCII)
_INTERVAL = re.compile(
    r"\[? ( [+-]?[0-9]+(?:\.[0-9]+)? ) (?: \s* (?: \.{2,3} | [:-] ) \s* ( [+-]?[0-9]+(?:\.[0-9]+)? ) )? \]?",
    re.ASCII | re.VERBOSE,
)
_BYTES = re.compile(r"\s*bytes?\s*$", re.ASCII | re.IGNORECASE)
_LIST = re.compile(r"\s*(?:,|;|\bor\b)\s*")

_NUMBERS = frozenset({Type.INTEGER, Type.UNSIGNED, Type.FLOAT})
_LENGTHS = frozenset({Type.STRING, Type.OPAQUE, Type.CORELNK})


@dataclass(frozen=True, slots=True)
class ResourceDefinition:
    """What a resource is."""

    id: int
    name: str

    operations: str
    "``R``, ``W``, ``RW``, ``E``, or nothing where no server may touch it."

    is_multiple: bool
    is_mandatory: bool

    type: Type
    "`Type.NONE` for an executable one, and where the definition forgets it."

    range: str = ""
    "As the definition writes it; what `check_range` understands is checked."

    unit: str = ""

    @property
    def is_executable(self) -> bool:
        """Whether Execute is its one operation."""
        return self.operations == "E"


@dataclass(frozen=True, slots=True)
class ObjectDefinition:
    """What an object is, in one version."""

    id: int
    name: str

    version: str
    "``MAJOR.MINOR``"

    is_multiple: bool
    is_mandatory: bool
    resources: Mapping[int, ResourceDefinition] = field(default_factory=dict, hash=False)

    @property
    def number(self) -> Version:
        """The version, comparable."""
        return parse_version(self.version)


@lru_cache(maxsize=4096)
def parse_version(text: str) -> Version:
    """Read ``MAJOR.MINOR``.

    Raises:
        DecodeError: anything else.
    """
    match = _VERSION.fullmatch(text)
    if match is None:
        raise DecodeError(f"{text[:32]} is no version, which is written MAJOR.MINOR")
    return int(match[1]), int(match[2])


def check_range(value: Value, resource: ResourceDefinition) -> None:
    """Make sure that *value* is in the range of *resource*: a number, or the length of a text or of bytes.

    Ranges that are prose hold everything.

    Raises:
        Unfit: it is not.
    """
    intervals = _read_range(resource.range, resource.type)
    if not intervals:
        return
    size: int | float
    if isinstance(value, int | float):
        what, size = "", value
    elif isinstance(value, str | bytes):
        what, size = "length ", len(value)
    else:
        return
    if not any(low <= size <= high for low, high in intervals):
        raise Unfit(f"{what}{size} is outside {resource.range}")


@lru_cache(maxsize=4096)
def _read_range(text: str, type_: Type) -> tuple[tuple[float, float], ...]:
    is_length = type_ in _LENGTHS
    if not is_length and type_ not in _NUMBERS:
        return ()
    if is_length:
        text = _BYTES.sub("", text)
    intervals = []
    parts = _LIST.split(text.strip())
    for part in parts:
        match = _INTERVAL.fullmatch(part)
        if match is None:
            return ()
        low = _to_number(match[1])
        high = low if match[2] is None else _to_number(match[2])
        if match[2] is None and len(parts) == 1:
            # A single number is the greatest length; for a number it could mean anything.
            if not is_length:
                return ()
            low = 0
        intervals.append((min(low, high), max(low, high)))
    return tuple(intervals)


def _to_number(text: str) -> int | float:
    # Integers stay exact: ranges reach 2^64 - 1.
    return float(text) if "." in text else int(text)


def describe_definition(definition: ObjectDefinition) -> dict[str, object]:
    """*definition* as JSON, for people, scripts and the registry; `read_definition` is the way back."""
    return {
        "object_id": definition.id,
        "version": definition.version,
        "name": definition.name,
        "multiple": definition.is_multiple,
        "mandatory": definition.is_mandatory,
        "resources": [
            {
                "id": resource.id,
                "name": resource.name,
                "operations": resource.operations,
                "multiple": resource.is_multiple,
                "mandatory": resource.is_mandatory,
                "type": resource.type.value,
                "range": resource.range,
                "unit": resource.unit,
            }
            for resource in definition.resources.values()
        ],
    }


def read_definition(description: Mapping[str, object]) -> ObjectDefinition:
    """The definition that `describe_definition` described.

    Raises:
        DecodeError: it did not.
    """
    try:
        return _read_definition(description)
    except (KeyError, TypeError, ValueError) as error:
        raise DecodeError(f"no object definition: {error!r}") from None


def make_definition(
    id_: int,
    name: str,
    version: str,
    *,
    is_multiple: bool,
    is_mandatory: bool,
    resources: list[ResourceDefinition],
) -> ObjectDefinition:
    """A definition, checked as a whole.

    Raises:
        DecodeError: an id out of range, one that stands twice, or a version that is none.
    """
    parse_version(version)
    ids = [resource.id for resource in resources]
    for number in (id_, *ids):
        if not 0 <= number < MAX_ID:
            raise DecodeError(f"id {number}: ids end at {MAX_ID - 1}")
    if len(set(ids)) < len(ids):
        raise DecodeError(f"object {id_} has a resource twice")
    by_id = MappingProxyType({resource.id: resource for resource in resources})
    return ObjectDefinition(id_, name, version, is_multiple, is_mandatory, by_id)


def _read_definition(description: Mapping[str, object]) -> ObjectDefinition:
    resources = description["resources"]
    if not isinstance(resources, list):
        raise TypeError("resources")
    return make_definition(
        int(str(description["object_id"])),
        str(description["name"]),
        str(description["version"]),
        is_multiple=bool(description["multiple"]),
        is_mandatory=bool(description["mandatory"]),
        resources=[
            ResourceDefinition(
                int(resource["id"]),
                str(resource["name"]),
                str(resource["operations"]),
                bool(resource["multiple"]),
                bool(resource["mandatory"]),
                Type(resource["type"]),
                str(resource["range"]),
                str(resource["unit"]),
            )
            for resource in resources
        ],
    )
