"""What every payload says: values at paths, some with a time, and those that do not fit their type.

Knows no format. Times are Unix seconds as the device wrote them (`absolute_time_s` for the rest).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple, cast

from gateway.lwm2m.errors import DecodeError, TooLarge
from gateway.lwm2m.path import Path
from gateway.lwm2m.values import Type, Unfit, Value, coerce

MAX_RECORDS = 10_000

RELATIVE_TIMES_END = 2**28
"Smaller times count from the receipt (RFC 8428 §4.5.3)."


class EncodeError(Exception):
    """The format has no way to say this."""


class Record(NamedTuple):
    """A value at a path."""

    path: Path
    value: Value
    type: Type
    time_s: int | float | None = None


class Misfit(NamedTuple):
    """A value that was left out."""

    path: Path
    reason: str


@dataclass(frozen=True, slots=True)
class Decoded:
    """The content of a payload, in the order in which it came."""

    records: tuple[Record, ...] = ()
    misfits: tuple[Misfit, ...] = ()

    def paths(self) -> list[Path]:
        """Of everything that was said, fitting or not."""
        return [*(record.path for record in self.records), *(misfit.path for misfit in self.misfits)]


TypeFinder = Callable[[Path], Type | None]
"The type of the resource at a path of three or four ids; None where it has no definition."


def no_type(path: Path) -> None:
    """A `TypeFinder` that knows nothing."""
    return None


@dataclass(frozen=True, slots=True)
class Context:
    """What a decoder has to know besides the bytes."""

    target: Path
    "The path of the request; the root for composites and Send."

    find_type: TypeFinder = no_type

    root: str = "/"
    "The device's alternate path."

    is_create: bool = False
    "Whether instance 65535 may stand for one that is not numbered yet."


class Collector:
    """Gathers what a decoder reads, typed by the definitions as far as there are some."""

    def __init__(self, context: Context) -> None:
        self.find_type = context.find_type
        self.records: list[Record] = []
        self.misfits: list[Misfit] = []

    def add(self, path: Path, value: object, time_s: int | float | None, guessed: Type) -> None:
        """Take *value*, which is one of type *guessed* as far as its format can tell.

        Raises:
            TooLarge: more records than are held.
            DecodeError: no path of a resource.
        """
        self.check(path)
        if guessed is Type.NONE:
            self.leave_out(path, Unfit("no value that LwM2M has"))
            return
        type_ = self.find_type(path)
        if type_ is guessed or type_ is None:
            self.records.append(Record(path, cast("Value", value), guessed, time_s))
            return
        try:
            self.records.append(Record(path, coerce(value, type_), type_, time_s))
        except Unfit as error:
            self.leave_out(path, error)

    def leave_out(self, path: Path, why: Unfit) -> None:
        """Note that the value at *path* does not fit."""
        self.misfits.append(Misfit(path, str(why)))

    def check(self, path: Path) -> None:
        """Make sure that there is room, and that *path* is one of a value."""
        if len(path) < 3:
            raise DecodeError(f"a value at {path}, which is no resource")
        if len(self.records) + len(self.misfits) >= MAX_RECORDS:
            raise TooLarge(f"more than {MAX_RECORDS} values")

    def finish(self) -> Decoded:
        """All that was gathered."""
        return Decoded(tuple(self.records), tuple(self.misfits))


def absolute_time_s(time_s: int | float | None, received_s: int | float) -> int | float:
    """The Unix time of a record that came at *received_s*."""
    if time_s is None:
        return received_s
    return received_s + time_s if time_s < RELATIVE_TIMES_END else time_s


def newest(records: Iterable[Record]) -> dict[Path, Record]:
    """Of several records of a path the one with the greatest time; without one it counts as now.

    Of equal ones the last.
    """
    found: dict[Path, Record] = {}
    for record in records:
        known = found.get(record.path)
        if known is None or _age(record) >= _age(known):
            found[record.path] = record
    return found


def _age(record: Record) -> tuple[bool, int | float]:
    # Relative times count from now and mostly look back: they come after all absolute ones, before "now".
    time_s = record.time_s
    if time_s is None:
        return True, 0
    return time_s < RELATIVE_TIMES_END, time_s
