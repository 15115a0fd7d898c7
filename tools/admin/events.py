"""``nodegate events``: what happened, read from the registry's outbox.

Follows by polling from a cursor, so that nothing is missed or told twice, whether the gateway runs or not.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.visible import visible
from registry.events import EventType
from registry.model import EventRow
from registry.shapes import describe_event
from registry.timestamps import format_ms
from tools.admin.opening import open_administration, open_if_there
from tools.admin.options import DEFAULT_DATABASE, AsJson, Database
from tools.admin.output import print_json, to_json

if TYPE_CHECKING:
    from registry.administration import Administration

POLL_S = 0.25
PAGE_ROWS = 1000


def events(
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until interrupted.")] = False,
    types: Annotated[
        list[EventType] | None,
        typer.Option("--type", metavar="T", help="Only this type; may be given often."),
    ] = None,
    after: Annotated[int, typer.Option(metavar="ID", min=0, help="Only events behind this one.")] = 0,
    db: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Tell what happened to devices, oldest first: as far back as events are kept.

    The types and what each says: docs/events.md. With --json an object a line.

    Examples:

        nodegate events --follow

        nodegate events --type refused --type registration_expired --json
    """
    tell = _print_json if as_json else _print_line
    opened = open_administration(db) if follow else open_if_there(db)
    with opened as administration, ended_by_signals():
        if administration is not None:
            for event in read(administration, after, types or (), time.sleep if follow else None):
                tell(event)


def read(
    administration: Administration,
    after: int,
    types: Sequence[EventType],
    wait: Callable[[float], object] | None,
) -> Iterator[EventRow]:
    """Events behind the cursor *after*; with *wait* for ever, calling it when there is nothing new."""
    while True:
        page = administration.events(after=after, types=types, limit=PAGE_ROWS)
        for event in page:
            after = event.id
            yield event
        if len(page) < PAGE_ROWS:
            if wait is None:
                return
            wait(POLL_S)


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGINT and SIGTERM end the block quietly."""

    def stop(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    except KeyboardInterrupt:
        return
    finally:
        signal.signal(signal.SIGTERM, before)


def _print_json(event: EventRow) -> None:
    print_json(describe_event(event))


def _print_line(event: EventRow) -> None:
    data = "".join(f"  {visible(word)}" for word in _words(event.data))
    print(f"{format_ms(event.at_ms)}  {event.type:<20}  {visible(event.node_id)}{data}", flush=True)


def _words(data: Mapping[str, object]) -> Iterator[str]:
    """``name value`` for each field; an object list as its paths, for a person knows the versions."""
    for name, value in data.items():
        if name == "objects" and isinstance(value, list):
            value = " ".join(item["path"] for item in value)
        yield f"{name} {value if isinstance(value, str) else to_json(value)}"
