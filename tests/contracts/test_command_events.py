"""``nodegate events``: an object a line, in order, from a cursor, until a signal."""

from __future__ import annotations

import json
import re
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import Nodegate


@pytest.fixture
def nodegate(tmp_path: Path) -> Nodegate:
    nodegate = Nodegate(tmp_path)
    nodegate("device", "create", "a", "--timeout", "60")
    nodegate("device", "freeze", "a")
    nodegate("device", "unfreeze", "a")
    nodegate("device", "reset-secret", "a")
    nodegate("device", "delete", "a")
    return nodegate


def lines(nodegate: Nodegate, *arguments: str) -> list[dict[str, Any]]:
    answer = nodegate("events", *arguments, "--json")
    assert answer.status == 0
    return [json.loads(line) for line in answer.out.splitlines()]


def test_every_change_is_told_oldest_first(nodegate: Nodegate) -> None:
    events = lines(nodegate)
    assert [event["type"] for event in events] == [
        "device_created",
        "device_frozen",
        "device_unfrozen",
        "secret_reset",
        "device_deleted",
    ]
    assert [event["id"] for event in events] == sorted({event["id"] for event in events})


def test_line_has_the_promised_fields(nodegate: Nodegate) -> None:
    event = lines(nodegate)[0]
    assert list(event) == ["id", "at", "type", "device_id", "node_id", "data"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["at"])
    assert event["device_id"].startswith("d-")
    assert event["node_id"] == "a"
    assert event["data"] == {"security": "psk", "timeout": 60}


def test_types_are_chosen(nodegate: Nodegate) -> None:
    chosen = lines(nodegate, "--type", "device_created", "--type", "device_deleted")
    assert [event["type"] for event in chosen] == ["device_created", "device_deleted"]


def test_reading_goes_on_behind_an_id(nodegate: Nodegate) -> None:
    events = lines(nodegate)
    assert lines(nodegate, "--after", str(events[2]["id"])) == events[3:]


def test_more_than_a_page_is_read_to_its_end(nodegate: Nodegate, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tools.admin.events.PAGE_ROWS", 2)
    assert len(lines(nodegate)) == 5


def test_text_is_a_line_an_event(nodegate: Nodegate) -> None:
    out = nodegate("events").out.splitlines()
    assert len(out) == 5
    assert out[1].split()[1:] == ["device_frozen", "a"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_follow_tells_old_and_new_until_a_signal(nodegate: Nodegate, number: signal.Signals) -> None:
    with nodegate.start("events", "--follow", "--json") as process:
        assert process.stdout is not None
        for _ in range(5):
            json.loads(process.stdout.readline())
        nodegate("device", "create", "b", "--security", "none")
        event = json.loads(process.stdout.readline())
        process.send_signal(number)
        rest, err = process.communicate()
    assert (event["type"], event["node_id"]) == ("device_created", "b")
    assert process.returncode == 0
    assert rest == ""
    assert err == ""


def test_reader_that_goes_away_is_no_error_message(nodegate: Nodegate) -> None:
    with nodegate.start("events", "--follow") as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.stdout.close()
        nodegate("device", "create", "b", "--security", "none")
        process.wait()
        assert process.stderr is not None
        assert process.stderr.read() == ""
