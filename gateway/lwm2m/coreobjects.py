"""Nodegate's own table of objects: those of the enabler and the common IPSO ones.

Reads the text of ``objects.txt``. An object is a line ``object ID VERSION INSTANCES PRESENCE NAME``, followed
by a line ``ID OPERATIONS INSTANCES PRESENCE TYPE NAME [| RANGE | UNIT]`` for each resource.
"""

from __future__ import annotations

from gateway.lwm2m.definitions import ObjectDefinition, ResourceDefinition, make_definition
from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.values import Type

FILE = "objects.txt"
"Beside this module; who calls reads it."

_INSTANCES = {"single": False, "multiple": True}
_PRESENCE = {"optional": False, "mandatory": True}
_NO_OPERATION = "-"


def decode_table(text: str) -> tuple[ObjectDefinition, ...]:
    """Read the table.

    Raises:
        DecodeError: a line that is none, named by its number.
    """
    objects: list[tuple[list[str], list[ResourceDefinition]]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        try:
            if line.startswith("object "):
                objects.append((line.split(" ", 5)[1:], []))
            else:
                objects[-1][1].append(_read_resource(line))
        except (IndexError, KeyError, ValueError):
            raise DecodeError(f"line {number} is none of the table") from None
    return tuple(_make_object(fields, resources) for fields, resources in objects)


def _make_object(fields: list[str], resources: list[ResourceDefinition]) -> ObjectDefinition:
    try:
        id_, version, instances, presence, name = fields
        return make_definition(
            int(id_),
            name,
            version,
            is_multiple=_INSTANCES[instances],
            is_mandatory=_PRESENCE[presence],
            resources=resources,
        )
    except (KeyError, ValueError):
        raise DecodeError(f"object {' '.join(fields)} is none of the table") from None


def _read_resource(line: str) -> ResourceDefinition:
    id_, operations, instances, presence, type_, rest = line.split(" ", 5)
    name, _, bounds = rest.partition(" | ")
    range_, _, unit = bounds.partition(" | ")
    return ResourceDefinition(
        int(id_),
        name,
        "" if operations == _NO_OPERATION else operations,
        _INSTANCES[instances],
        _PRESENCE[presence],
        Type(type_),
        range_.strip(),
        unit.strip(),
    )
