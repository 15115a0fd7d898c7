"""``nodegate read`` and the others, ``command``, ``values``: shapes and exit statuses, without a gateway."""

from __future__ import annotations

import json
import select
import signal
from pathlib import Path

import pytest

from registry import commands, defaults, outbox, values
from registry.administration import Administration
from registry.commands import CommandResult, CommandState
from registry.events import EventType
from registry.model import Origin, Reading
from registry.settings import RegistrySettings
from registry.sqlite import Database
from tests.support.command import Nodegate

WAITS = "no gateway runs on this registry; the command waits for one"


@pytest.fixture
def nodegate(tmp_path: Path) -> Nodegate:
    nodegate = Nodegate(tmp_path)
    nodegate("device", "create", "meter-7", "--security", "none")
    return nodegate


def test_command_is_stored_and_shown(nodegate: Nodegate) -> None:
    answer = nodegate("read", "meter-7", "/3/0/0", "--wait", "0", "--json")
    assert answer.status == 0
    assert WAITS in answer.err
    shown = nodegate("command", "show", "1", "--json").json
    assert list(shown) == [
        "command_id",
        "state",
        "code",
        "format",
        "values",
        "links",
        "error",
        "node_id",
        "operation",
        "paths",
        "created_at",
        "expires_at",
        "attempts",
    ]
    assert (shown["state"], shown["operation"], shown["paths"]) == ("queued", "read", ["/3/0/0"])
    assert [each["command_id"] for each in nodegate("command", "list", "meter-7", "--json").json] == [1]
    assert nodegate("command", "list", "--state", "sent", "--json").json == []


@pytest.mark.parametrize(
    ("words", "format_"),
    [
        (("read", "/3/0/0"), "text"),
        (("read", "/3/0", "/1/0"), "senml-etch-cbor"),
        (("observe", "/3/0"), "tlv"),
        (("write", "/3/0/15", "UTC"), "cbor"),
        (("create", "/1", "{}"), "senml-json"),
        (("discover", "/3"), "link"),
        (("execute", "/3/0/4"), "text"),
    ],
)
def test_each_operation_takes_the_formats_it_has(
    nodegate: Nodegate, words: tuple[str, ...], format_: str
) -> None:
    command, *rest = words
    assert nodegate(command, "meter-7", *rest, "--format", format_, "--wait", "0").status == 0


def test_wait_that_runs_out_is_told_by_its_status(nodegate: Nodegate) -> None:
    answer = nodegate("execute", "meter-7", "/3/0/4", "--wait", "0.1")
    assert answer.status == 3
    assert "queued" in answer.out
    assert "no answer yet; `nodegate command show 1` tells what became of it" in answer.err


def test_time_that_no_clock_reaches_is_refused(nodegate: Nodegate) -> None:
    assert nodegate("read", "meter-7", "/3", "--ttl", "315360000", "--wait", "0").status == 0
    assert nodegate("read", "meter-7", "/3", "--ttl", "315360001", "--wait", "0").status == 2


def test_only_a_queued_command_is_taken_back(nodegate: Nodegate) -> None:
    nodegate("delete", "meter-7", "/1/2", "--wait", "0")
    assert nodegate("command", "cancel", "1", "--json").json["state"] == "cancelled"
    assert "only queued ones" in nodegate("command", "cancel", "1").fault
    assert "there is no command 9" in nodegate("command", "show", "9").fault


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("read", "meter-7", "3/0"), "3/0 is no path"),
        (("read", "meter-7", "/65535"), "/65535"),
        (("read", "nobody", "/3"), "nobody"),
        (("write", "meter-7", "/3/0/15"), "a path and a value"),
        (("write", "meter-7", "/1/0/1", "soon"), "/1/0/1"),
        (("execute", "meter-7", "/3/0/4", "now"), "arguments"),
        (("attributes", "meter-7", "/3303/0/5700", "lt=5", "gt=4"), "lt"),
        (("attributes", "meter-7", "/3303/0/5700", "often=1"), "no attribute"),
        (("create", "meter-7", "/1", "[]"), "JSON object"),
        (("cancel", "meter-7", "/3/0"), "not observed"),
        (("values", "meter-7", "3"), "no path"),
        (("discover", "meter-7", "/3", "--format", "tlv"), "is always link"),
        (("execute", "meter-7", "/3/0/4", "--format", "tlv"), "is always text"),
        (("delete", "meter-7", "/1/2", "--format", "text"), "has no data format"),
        (("attributes", "meter-7", "/3", "pmin=1", "--format", "text"), "has no data format"),
        (("write", "meter-7", "/5/0/0", "@missing"), "missing"),
    ],
)
def test_what_cannot_be_is_refused_before_it_is_stored(
    nodegate: Nodegate, arguments: tuple[str, ...], said: str
) -> None:
    assert said in nodegate(*arguments).fault
    assert nodegate("command", "list", "--json").json == []


def test_frozen_device_is_asked_nothing(nodegate: Nodegate) -> None:
    nodegate("device", "freeze", "meter-7")
    assert "unfreeze" in nodegate("read", "meter-7", "/3").fault


def test_values_are_told_with_their_time_and_origin(nodegate: Nodegate) -> None:
    with Administration(Database.open(nodegate.database)) as administration:
        device = administration.get("meter-7").device
    with Database.open(nodegate.database) as database, database.transaction() as connection:
        for at_ms, text in ((1_000, "20.5"), (2_000, "21.5")):
            values.put(connection, device.number, [Reading("/3303/0/5700", text, at_ms)], Origin.NOTIFY, 100)
    assert nodegate("values", "meter-7", "--json").json == [
        {
            "path": "/3303/0/5700",
            "value": 21.5,
            "time": "1970-01-01T00:00:02.000Z",
            "origin": "notify",
        }
    ]
    history = nodegate("values", "meter-7", "/3303", "--history", "--json").json
    assert [each["value"] for each in history] == [20.5, 21.5]
    assert nodegate("values", "meter-7", "/4").out == "no values\n"


def report(nodegate: Nodegate, readings: list[Reading], history: int = 100) -> None:
    """What the gateway writes when meter-7 tells of values."""
    with Administration(Database.open(nodegate.database)) as administration:
        device = administration.get("meter-7").device
    with Database.open(nodegate.database) as database, database.transaction() as connection:
        values.put(connection, device.number, readings, Origin.SEND, history)
        data = values.encode_event(readings, Origin.SEND)
        type_ = EventType.VALUES_REPORTED.value
        outbox.append(connection, [(0, type_, device.device_id, device.node_id, data, None, 0)])


def test_history_is_told_whole_however_long_it_was_kept(nodegate: Nodegate) -> None:
    with Database.open(nodegate.database) as database:
        defaults.note(database, RegistrySettings(value_history=300))
    report(nodegate, [Reading("/3303/0/5700", str(number), number) for number in range(250)], history=300)
    told = nodegate("values", "meter-7", "--history", "--json").json
    assert [each["value"] for each in told] == list(range(250))


def test_values_are_shown_alike_wherever_they_are_shown(nodegate: Nodegate) -> None:
    report(nodegate, [Reading("/3342/0/5500", "true", 1_000)])
    assert "/3342/0/5500  true " in nodegate("values", "meter-7").out


@pytest.mark.parametrize("value", ["-5", "-12345", "-0"])
def test_value_may_begin_with_a_minus(nodegate: Nodegate, value: str) -> None:
    assert nodegate("write", "meter-7", "/3/0/13", value, "--wait", "0").status == 0
    (stored,) = nodegate("command", "list", "--json").json
    assert (stored["operation"], stored["paths"]) == ("write", ["/3/0/13"])


@pytest.mark.parametrize(
    "words", [("read", "/3", "--wiat"), ("write", "/3/0/15", "UTC", "--partail"), ("write", "-p", "/3", "1")]
)
def test_option_that_there_is_not_is_not_understood(nodegate: Nodegate, words: tuple[str, ...]) -> None:
    command, *rest = words
    answer = nodegate(command, "meter-7", *rest)
    assert answer.status == 2
    assert answer.err.startswith("nodegate: No such option: ")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_watch_tells_what_comes_until_a_signal(nodegate: Nodegate, number: signal.Signals) -> None:
    report(nodegate, [Reading("/3/0/9", "1", 500)])
    with nodegate.start("watch", "meter-7", "--json") as process:
        assert process.stdout is not None
        told = None
        while told is None:
            # It watches from some moment on; so there is something new until it saw it.
            report(nodegate, [Reading("/3/0/9", "2", 1_000)])
            if select.select([process.stdout], [], [], 0.1)[0]:
                told = json.loads(process.stdout.readline())
        process.send_signal(number)
        _, err = process.communicate()
    assert told == {
        "node_id": "meter-7",
        "path": "/3/0/9",
        "value": 2,
        "time": "1970-01-01T00:00:01.000Z",
        "origin": "send",
    }
    assert (process.returncode, err) == (0, "")


def test_end_of_a_command_is_shown_as_it_was(nodegate: Nodegate) -> None:
    nodegate("read", "meter-7", "/3/0/0", "--wait", "0")
    result = CommandResult("2.05", "text", '{"/3/0/0": "Maker"}')
    with Database.open(nodegate.database) as database, database.transaction() as connection:
        assert commands.end(connection, 1, CommandState.ANSWERED, result, 5)
    shown = nodegate("command", "show", "1", "--json").json
    assert shown["values"] == {"/3/0/0": "Maker"}
    text = nodegate("command", "show", "1").out
    assert text.splitlines()[3].split() == ["paths", "/3/0/0"]
    assert text.endswith("\nPATH    VALUE\n/3/0/0  Maker\n")
