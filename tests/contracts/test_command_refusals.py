"""What cannot be asked of a device that is registered: one line on stderr, status 1, nothing stored."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.support.command import Nodegate
from tests.support.registry import Place, register


def device(folder: Path, lwm2m: str = "1.1") -> Nodegate:
    """The command line, on a registry where meter-7 holds a registration."""
    place = Place(folder)
    place.create("meter-7")
    asyncio.run(_register(place, lwm2m))
    return Nodegate(folder)


async def _register(place: Place, lwm2m: str) -> None:
    async with place.registry() as registry:
        await register(registry, "meter-7", lwm2m=lwm2m)


def check_refused(nodegate: Nodegate, arguments: tuple[str, ...], said: str) -> None:
    assert said in nodegate(*arguments).fault
    assert nodegate("command", "list", "--json").json == []
    assert nodegate("values", "meter-7", "--json").json == []


@pytest.mark.parametrize(
    "path", ["3/0", "", "/3//0", "/3/", "/03", "/x", "/65535", "/3/0/65535", "/3/0/0/0/0", "/3/0/0?pmin=1"]
)
@pytest.mark.parametrize("command", [("read",), ("write", "1")])
def test_path_that_is_none_is_refused(tmp_path: Path, path: str, command: tuple[str, ...]) -> None:
    name, *more = command
    check_refused(device(tmp_path), (name, "meter-7", path, *more), f"{path} is no path")


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        ("/1/0/1", "soon", "'soon' is no integer"),
        ("/1/0/1", "1.5", "'1.5' is no integer"),
        ("/1/0/1", "9223372036854775808", "outside the range of integer"),
        ("/1/0/27", "-1", "-1"),
        ("/1/0/27", "256", "256 is outside 0..255"),
        ("/1/0/26", "2", "2 is outside 0..1"),
        ("/1/0/6", "perhaps", "'perhaps' is no boolean"),
        ("/3/0/13", "noon", "'noon' is no time"),
        ("/1/0/10", "3", "'3' is no object link"),
        ("/5/0/0", "text", "bytes are written hex:"),
        ("/5/0/0", "hex:abc", "pairs of hexadecimal digits"),
        ("/5/0/0", "@no-such-file", "no-such-file"),
        ("/3/0", "7", "an object by id is expected"),
        ("/3/0", '{"x": 1}', "x"),
        ("/3/0", '{"13": "noon"}', "'noon'"),
        ("/3/0", '{"13": 1', "an object by id is expected"),
    ],
)
def test_value_that_does_not_fit_type_or_range_is_refused(
    tmp_path: Path, path: str, value: str, said: str
) -> None:
    check_refused(device(tmp_path), ("write", "meter-7", path, value), said)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("read", "meter-7", "/3/0/4"), "/3/0/4 (Reboot) is executable, not readable"),
        (("observe", "meter-7", "/3/0/4"), "/3/0/4 (Reboot) is executable, not readable"),
        (("execute", "meter-7", "/3/0/0"), "/3/0/0 (Manufacturer) is not executable"),
        (("execute", "meter-7", "/3/0"), "execute takes a resource"),
        (("execute", "meter-7", "/3/0/4", "now"), "arguments are written"),
        (("write", "meter-7", "/3/0/0", "ACME"), "/3/0/0 (Manufacturer) is not writable"),
        (("write", "meter-7", "/3/0/4", "1"), "an executable resource has no value"),
        (("write", "meter-7", "/3/0/15", "UTC", "/3/0/0", "ACME"), "/3/0/0 (Manufacturer) is not writable"),
        (("write", "meter-7", "/3/0/15", "UTC", "/3/0/15", "CET"), "one for each path"),
        (("write", "meter-7", "/3", "{}"), "write takes an instance"),
        (("create", "meter-7", "/3/0/0", "{}"), "create takes an object"),
        (("create", "meter-7", "/1", "[]"), "a JSON object by id"),
        (("delete", "meter-7", "/3"), "delete takes an object instance"),
        (("discover", "meter-7", "/"), "discover takes an object"),
        (("read", "meter-7", "/3", "--format", "text"), "text holds the value of a single resource"),
        (("read", "meter-7", "/3/0", "/3/0"), "each of them once"),
        (("attributes", "meter-7", "/3303/0", "gt=1"), "gt belongs to a resource"),
        (("attributes", "meter-7", "/3303/0/5700", "lt=5", "gt=4"), "lt (5) has to be less than gt (4)"),
        (("attributes", "meter-7", "/3303/0/5700", "lt=1", "gt=5", "st=2"), "lt + 2·st"),
        (("attributes", "meter-7", "/3303/0/5700", "often=1"), "no attribute"),
        (("cancel", "meter-7", "/3/0"), "not observed"),
    ],
)
def test_operation_that_the_definition_forbids_is_refused(
    tmp_path: Path, arguments: tuple[str, ...], said: str
) -> None:
    check_refused(device(tmp_path), arguments, said)


@pytest.mark.parametrize(
    "arguments", [("read", "/"), ("observe", "/3/0/0", "/3/0/1"), ("write", "/3/0/15", "a", "/3/0/14", "b")]
)
def test_composite_is_refused_for_a_device_of_1_0(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    name, *more = arguments
    check_refused(device(tmp_path, "1.0"), (name, "meter-7", *more), "LwM2M 1.0, which has no composites")


def test_device_that_is_gone_or_frozen_is_asked_nothing(tmp_path: Path) -> None:
    nodegate = device(tmp_path)
    assert "no device has the node ID or device ID nobody" in nodegate("read", "nobody", "/3").fault
    nodegate("device", "freeze", "meter-7")
    check_refused(nodegate, ("read", "meter-7", "/3"), "meter-7 is frozen; unfreeze it first")
    nodegate("device", "delete", "meter-7", "--yes")
    assert "no device has the node ID or device ID meter-7" in nodegate("read", "meter-7", "/3").fault
    assert nodegate("command", "list", "--json").json == []
