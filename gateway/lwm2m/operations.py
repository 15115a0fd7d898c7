"""What a server asks of a device (OMA Core TS 1.2 §6.3, §6.4), as values.

Knows neither CoAP (`gateway.lwm2m.requests`) nor what a device answers (`gateway.lwm2m.answers`). Several
paths, or the root, make a composite.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from gateway.lwm2m.attributes import Attributes
from gateway.lwm2m.formats import Format
from gateway.lwm2m.path import ROOT, Path
from gateway.lwm2m.records import Record


def is_composite(paths: tuple[Path, ...]) -> bool:
    """Whether these paths need a composite operation."""
    return paths == (ROOT,) or len(paths) != 1


@dataclass(frozen=True, slots=True)
class Read:
    """Read, or Read-Composite."""

    name: ClassVar[str] = "read"
    paths: tuple[Path, ...]
    format: Format | None = None


@dataclass(frozen=True, slots=True)
class Observe:
    """Observe, or Observe-Composite."""

    name: ClassVar[str] = "observe"
    paths: tuple[Path, ...]
    format: Format | None = None
    attributes: Attributes | None = None
    "For this relation only; devices before 1.2 refuse them."


@dataclass(frozen=True, slots=True)
class Cancel:
    """End the observation of these paths."""

    name: ClassVar[str] = "cancel"
    paths: tuple[Path, ...]
    format: Format | None = None


@dataclass(frozen=True, slots=True)
class Discover:
    """What is there, and which attributes it has."""

    name: ClassVar[str] = "discover"
    path: Path
    depth: int | None = None


@dataclass(frozen=True, slots=True)
class Write:
    """Replace an instance, a resource or a resource instance; or, partially, update it."""

    name: ClassVar[str] = "write"
    path: Path
    records: tuple[Record, ...]
    is_partial: bool = False
    format: Format | None = None


@dataclass(frozen=True, slots=True)
class WriteComposite:
    """Write all of these values or none."""

    name: ClassVar[str] = "write"
    records: tuple[Record, ...]
    format: Format | None = None


@dataclass(frozen=True, slots=True)
class WriteAttributes:
    """Change notification attributes."""

    name: ClassVar[str] = "attributes"
    path: Path
    attributes: Attributes


@dataclass(frozen=True, slots=True)
class Execute:
    """Run a resource."""

    name: ClassVar[str] = "execute"
    path: Path
    arguments: str = ""


@dataclass(frozen=True, slots=True)
class Create:
    """Make an object instance: ``/o/i``, or ``/o`` for the device to choose its number."""

    name: ClassVar[str] = "create"
    path: Path
    records: tuple[Record, ...] = ()
    "Below the path; below instance 65535 where the device chooses."

    format: Format | None = None


@dataclass(frozen=True, slots=True)
class Delete:
    """Remove an object instance or a resource instance."""

    name: ClassVar[str] = "delete"
    path: Path


Operation = (
    Read | Observe | Cancel | Discover | Write | WriteComposite | WriteAttributes | Execute | Create | Delete
)


def is_repeatable(operation: Operation) -> bool:
    """Whether doing it twice does no harm: it may be sent again when nobody knows if it was done."""
    match operation:
        case Execute() | Create():
            return False
        case Write():
            return not operation.is_partial
        case _:
            return True


def paths_of(operation: Operation) -> tuple[Path, ...]:
    """The paths that an operation is about."""
    match operation:
        case Read() | Observe() | Cancel():
            return operation.paths
        case WriteComposite():
            return tuple(record.path for record in operation.records)
        case _:
            return (operation.path,)
