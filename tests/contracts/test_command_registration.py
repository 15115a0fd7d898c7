"""What ``nodegate`` shows of a device that holds a registration, and what ends it."""

from __future__ import annotations

import asyncio
import json
import re
from pathlib import Path

import pytest

from registry.administration import Administration
from registry.model import ObjectLink, ObjectList, Registration, Security
from registry.sqlite import Database
from registry.store import Registry
from tests.support.command import Nodegate

TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
LOCATION = "abcdefghijklmnopqrstuv"


async def register(database: Path, lifetime_s: int, binding: str) -> None:
    with Administration(Database.open(database)) as administration:
        device = administration.create("meter-7", Security.NONE).device
    registry = await Registry.open(Database.open(database))
    committed = asyncio.Event()
    objects = ObjectList((ObjectLink(1, 0, "1.1"), ObjectLink(3, 0)))
    registration = Registration(
        device=device.number,
        device_id=device.device_id,
        node_id=device.node_id,
        location=LOCATION,
        identity=None,
        address="[2001:db8::7]:49152",
        lwm2m="1.1",
        binding=binding,
        lifetime_s=lifetime_s,
        objects=objects,
        registered_at_ms=1_700_000_000_123,
    )
    registry.register(registration, lambda outcome: committed.set())
    await committed.wait()
    await registry.close()


@pytest.fixture
def nodegate(tmp_path: Path) -> Nodegate:
    nodegate = Nodegate(tmp_path)
    asyncio.run(register(nodegate.database, 300, "UQ"))
    return nodegate


def test_show_has_the_registration_to_the_letter(nodegate: Nodegate) -> None:
    shown = nodegate("device", "show", "meter-7", "--json").json
    assert shown["state"] == "online"
    assert re.fullmatch(TIME, shown["connected_at"])
    assert re.fullmatch(TIME, shown["registration"].pop("expires_at"))
    assert shown["registration"] == {
        "location": f"/rd/{LOCATION}",
        "address": "[2001:db8::7]:49152",
        "lwm2m": "1.1",
        "binding": "UQ",
        "lifetime": 300,
        "objects": [{"path": "/1/0", "version": "1.1"}, {"path": "/3/0", "version": None}],
        "registered_at": "2023-11-14T22:13:20.123Z",
    }


def test_text_of_show_has_it_too(nodegate: Nodegate) -> None:
    out = nodegate("device", "show", "meter-7").out
    for part in ("online", f"/rd/{LOCATION}", "[2001:db8::7]:49152", "UQ", "300 s", "/1/0;ver=1.1 /3/0"):
        assert part in out


def test_list_has_address_and_expiry(nodegate: Nodegate) -> None:
    line = nodegate("device", "list", "--state", "online").out.splitlines()[1]
    assert "[2001:db8::7]:49152" in line
    assert re.search(TIME, line)


def test_unlimited_lifetime_never_expires(tmp_path: Path) -> None:
    nodegate = Nodegate(tmp_path)
    asyncio.run(register(nodegate.database, 0, "U"))
    assert nodegate("device", "show", "meter-7", "--json").json["registration"]["expires_at"] is None
    assert "unlimited" in nodegate("device", "show", "meter-7").out
    assert "never" in nodegate("device", "list").out


def test_event_of_the_register_has_the_registration(nodegate: Nodegate) -> None:
    out = nodegate("events", "--type", "registered", "--json").out
    [event] = [json.loads(line) for line in out.splitlines()]
    assert event["node_id"] == "meter-7"
    assert event["data"]["location"] == f"/rd/{LOCATION}"
    assert event["data"]["objects"] == [{"path": "/1/0", "version": "1.1"}, {"path": "/3/0", "version": None}]


def test_freezing_ends_the_registration(nodegate: Nodegate) -> None:
    frozen = nodegate("device", "freeze", "meter-7", "--json").json
    assert (frozen["state"], frozen["registration"]) == ("frozen", None)
    assert nodegate("device", "unfreeze", "meter-7", "--json").json["state"] == "offline"
