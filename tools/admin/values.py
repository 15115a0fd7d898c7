"""``nodegate values`` and ``watch``: what devices have told."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated

import typer

from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.path import parse_path
from registry.events import EventType
from registry.model import EventRow, ReportedValue
from registry.timestamps import format_ms
from tools.admin.border import Refused
from tools.admin.events import read
from tools.admin.following import ended_by_signals
from tools.admin.opening import open_administration
from tools.admin.options import DEFAULT_DATABASE, AsJson, Database, NodeId
from tools.admin.output import print_json, print_json_array, print_table, text, value_text

COLUMNS = ("PATH", "VALUE", "TIME", "ORIGIN")


def values(
    node_id: NodeId,
    path: Annotated[str, typer.Argument(metavar="PATH", help="Only at or below it.")] = "/",
    history: Annotated[bool, typer.Option("--history", help="Also those before, the oldest first.")] = False,
    db: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Show the values that a device has told: read, observed or sent.

    Examples:

        nodegate values meter-7

        nodegate values meter-7 /3303 --history --json
    """
    try:
        below = str(parse_path(path))
    except DecodeError as error:
        raise Refused(str(error)) from error
    with open_administration(db, create=False) as administration:
        found = administration.values(node_id, below, with_history=history)
    if as_json:
        print_json_array(map(_describe, found))
    elif not print_table(COLUMNS, map(_row, found)):
        print("no values")


def watch(
    node_ids: Annotated[
        list[str], typer.Argument(metavar="NODE_ID…", help="Node IDs or device IDs.", show_default=False)
    ],
    db: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Print values as devices tell them, until interrupted.

    Examples:

        nodegate watch meter-7 meter-8 --json
    """
    with open_administration(db, create=False) as administration:
        wanted = {administration.get(node_id).device.node_id for node_id in node_ids}
        last = administration.last_event_id()
        with ended_by_signals():
            for event in read(administration, last, [EventType.VALUES_REPORTED], time.sleep):
                if event.node_id in wanted:
                    _print_event(event, as_json)


def _print_event(event: EventRow, as_json: bool) -> None:
    reported = event.data["values"]
    assert isinstance(reported, Sequence)
    for each in reported:
        told = {"node_id": event.node_id, **each, "origin": event.data["origin"]}
        if as_json:
            print_json(told)
        else:
            words = (told["time"], told["node_id"], told["path"], value_text(told["value"]))
            print("  ".join(map(text, words)), flush=True)


def _describe(value: ReportedValue) -> dict[str, object]:
    return {
        "path": value.path,
        "value": value.value,
        "time": format_ms(value.at_ms),
        "origin": value.origin.value,
    }


def _row(value: ReportedValue) -> tuple[object, ...]:
    return value.path, value_text(value.value), format_ms(value.at_ms), value.origin.value
