"""Scenario files: what simulated devices measure, lose and do in the course of time, as TOML.

Reads a file into frozen values, and says which step is due when. Does nothing itself: a `Device` plays it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from random import Random
from typing import Any

from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.path import Path, parse_path
from gateway.lwm2m.values import Unfit, Value, from_json
from tools.simulator.client.contents import Contents, Instance, Stored, build_contents
from tools.simulator.errors import SimulatorError

MAX_STEPS = 1000

KEYS: Mapping[str, str] = {
    "at_s": "when, in seconds since the device first registered; default 0, with `every_s` one such period",
    "every_s": "again so often",
    "times": "how often in all; default once, with `every_s` without end",
    "set": "a table of paths and their new values",
    "walk": "a table: `path`, `by`, `low`, `high`; the value moves by up to `by` between the bounds",
    "send": "a list of paths whose values are sent unasked (Send)",
    "update": "`true`: an Update goes out",
    "reboot": "`true`: session and registration are lost without a word, the device starts anew",
    "offline_s": "nothing is sent or heard for so long",
    "loss": "from now on this part of the datagrams is lost, each way",
}
"What a step may say."

_ACTIONS = frozenset(KEYS) - {"at_s", "every_s", "times"}


@dataclass(frozen=True, slots=True)
class Walk:
    """A value that wanders."""

    path: Path
    by: float
    low: int | float
    "Of the resource's type, which the value keeps."

    high: float

    def next(self, value: int | float, random: Random) -> int | float:
        """Where it goes from *value*."""
        moved = min(self.high, max(self.low, value + random.uniform(-self.by, self.by)))
        return round(moved) if isinstance(self.low, int) else round(moved, 3)


@dataclass(frozen=True, slots=True)
class Step:
    """What happens at one time, or again and again."""

    at_s: float = 0.0
    every_s: float | None = None
    times: int | None = None
    "None: without end."

    values: tuple[tuple[Path, Value], ...] = ()
    walk: Walk | None = None
    send: tuple[Path, ...] = ()
    is_update: bool = False
    is_reboot: bool = False
    offline_s: float | None = None
    loss: float | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """The contents of a device, and its course."""

    contents: Contents
    steps: tuple[Step, ...] = ()


class Timeline:
    """The course of one device."""

    __slots__ = ("_left", "_next")

    def __init__(self, steps: tuple[Step, ...], begin_s: float) -> None:
        self._next = [(begin_s + step.at_s, number, step) for number, step in enumerate(steps)]
        self._left: dict[int, int] = {}

    def get_timer(self) -> float | None:
        """When the next step is due."""
        return min((at for at, _, _ in self._next), default=None)

    def take_due(self, now: float) -> list[Step]:
        """The steps that are due, in the order of their times; each is due again when its period is over."""
        due = sorted(entry[:2] for entry in self._next if entry[0] <= now)
        steps = {number: step for _, number, step in self._next}
        self._next = [entry for entry in self._next if entry[0] > now]
        for at, number in due:
            step = steps[number]
            left = self._left.get(number, step.times)
            if step.every_s is not None and left != 1:
                if left is not None:
                    self._left[number] = left - 1
                # What was missed while the process stood still is not made up for.
                self._next.append((max(at + step.every_s, now), number, step))
        return [steps[number] for _, number in due]


def parse_scenario(text: str, contents: Contents) -> Scenario:
    """Read a scenario for a device that has *contents* to begin with.

    Raises:
        SimulatorError: no TOML, a key that is not known, or a value that is none; in a line for the user.
    """
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise SimulatorError(f"no TOML: {error}") from None
    _check_keys(document, {"root", "values", "step"}, "the file")
    values = _read_values(document.get("values", {}), contents, "values")
    changed = _add_values(contents, values, document.get("root", contents.root))
    steps = document.get("step", [])
    if not isinstance(steps, list) or len(steps) > MAX_STEPS:
        raise SimulatorError(f"step: up to {MAX_STEPS} tables are expected, written [[step]]")
    return Scenario(
        changed, tuple(_read_step(step, changed, f"step {number}") for number, step in enumerate(steps, 1))
    )


def _add_values(contents: Contents, values: tuple[tuple[Path, Value], ...], root: object) -> Contents:
    if not isinstance(root, str) or not root.startswith("/") or any(map(str.isdigit, root.split("/"))):
        raise SimulatorError("root: a path like /lwm2m is expected, without a number in it")
    instances: dict[Path, dict[int, Stored]] = {
        path: dict(instance) for path, instance in contents.instances.items()
    }
    for path, value in values:
        instance = instances.setdefault(path.up_to(2), {})
        if len(path) == 4:
            before = instance.get(path[2])
            instance[path[2]] = {**(before if isinstance(before, Mapping) else {}), path[3]: value}
        else:
            instance[path[2]] = value
    shared: dict[Path, Instance] = dict(instances)
    return build_contents(
        contents.version, shared, objects=contents.objects, formats=contents.formats, root=root
    )


def _read_step(table: Any, contents: Contents, where: str) -> Step:
    _check_keys(table, KEYS, where)
    if not _ACTIONS & set(table):
        raise SimulatorError(f"{where}: nothing happens in it; there are {', '.join(sorted(_ACTIONS))}")
    every_s = _read_number(table, "every_s", where)
    times = table.get("times")
    if times is not None and (type(times) is not int or times < 1 or every_s is None):
        raise SimulatorError(f"{where}: times is a whole number from 1, beside every_s")
    if every_s == 0:
        raise SimulatorError(f"{where}: every_s has to be more than 0")
    loss = _read_number(table, "loss", where)
    if loss is not None and loss > 1:
        raise SimulatorError(f"{where}: loss is a part of 1")
    at_s = _read_number(table, "at_s", where)
    return Step(
        at_s=at_s if at_s is not None else every_s or 0.0,
        every_s=every_s,
        times=times,
        values=_read_values(table.get("set", {}), contents, where),
        walk=_read_walk(table["walk"], contents, where) if "walk" in table else None,
        send=_read_paths(table.get("send", []), where),
        is_update=_read_flag(table, "update", where),
        is_reboot=_read_flag(table, "reboot", where),
        offline_s=_read_number(table, "offline_s", where),
        loss=loss,
    )


def _read_walk(table: Any, contents: Contents, where: str) -> Walk:
    names = ("by", "low", "high")
    _check_keys(table, {"path", *names}, f"{where}, walk")
    if set(table) != {"path", *names}:
        raise SimulatorError(f"{where}, walk: path, by, low and high are needed")
    by, low, high = (_read_number(table, name, f"{where}, walk", is_signed=True) or 0.0 for name in names)
    ((path, typed),) = _read_values({str(table["path"]): low}, contents, f"{where}, walk")
    if not isinstance(typed, int | float):
        raise SimulatorError(f"{where}, walk: {path} is no number")
    return Walk(path, by, typed, high)


def _read_values(table: Any, contents: Contents, where: str) -> tuple[tuple[Path, Value], ...]:
    if not isinstance(table, dict):
        raise SimulatorError(f"{where}: paths and values are expected")
    found = []
    for text, value in table.items():
        path = _read_path(text, where)
        if len(path) < 3:
            raise SimulatorError(f"{where}: {text} is no resource")
        resource = contents.model.find_resource(path)
        if resource is not None and resource.is_multiple is not (len(path) == 4):
            what = "several values: add the number of one" if resource.is_multiple else "one value"
            raise SimulatorError(f"{where}: {text} ({resource.name}) has {what}")
        try:
            found.append((path, from_json(value, contents.model.find_type(path))))
        except Unfit as error:
            raise SimulatorError(f"{where}: {text}: {error}") from None
    return tuple(found)


def _read_paths(items: Any, where: str) -> tuple[Path, ...]:
    if not isinstance(items, list):
        raise SimulatorError(f"{where}: send takes a list of paths")
    return tuple(_read_path(item, where) for item in items)


def _read_path(text: object, where: str) -> Path:
    try:
        return parse_path(str(text))
    except DecodeError as error:
        raise SimulatorError(f"{where}: {error}") from None


def _read_number(table: dict[str, Any], name: str, where: str, *, is_signed: bool = False) -> float | None:
    value = table.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not (is_signed or value >= 0):
        raise SimulatorError(f"{where}: {name} is a number{'' if is_signed else ' from 0'}")
    return float(value)


def _read_flag(table: dict[str, Any], name: str, where: str) -> bool:
    value = table.get(name, False)
    if not isinstance(value, bool):
        raise SimulatorError(f"{where}: {name} is true or false")
    return value


def _check_keys(table: Any, known: Any, where: str) -> None:
    if not isinstance(table, dict):
        raise SimulatorError(f"{where}: a table is expected")
    for name in table:
        if name not in known:
            raise SimulatorError(f"{where}: {name} is not known; there are {', '.join(sorted(known))}")
