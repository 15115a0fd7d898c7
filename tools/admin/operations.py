"""``nodegate read``, ``write``, ``observe`` and the others: from what was typed to an operation.

What is done with it stands in `asking`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path as File
from typing import Annotated

import typer

from gateway.lwm2m.arguments import parse_arguments
from gateway.lwm2m.attributes import parse_attributes
from gateway.lwm2m.formats import Format
from gateway.lwm2m.inputs import read_argument, read_value, takes_bytes
from gateway.lwm2m.model import DeviceModel
from gateway.lwm2m.operations import (
    Cancel,
    Create,
    Delete,
    Discover,
    Execute,
    Observe,
    Operation,
    Read,
    Write,
    WriteAttributes,
    WriteComposite,
)
from gateway.lwm2m.path import Path, parse_path
from gateway.lwm2m.requests import MAX_DEPTH
from gateway.lwm2m.values import parse_object
from registry.commands import MAX_TTL_S
from tools.admin.asking import Asked, ask
from tools.admin.border import NoSuchOption, Refused
from tools.admin.options import DEFAULT_DATABASE, AsJson, Database, NodeId

DEFAULT_WAIT_S = 30.0
_STDIN = "-"

APath = Annotated[
    str, typer.Argument(metavar="PATH", help="`/o`, `/o/i`, `/o/i/r` or `/o/i/r/ri`.", show_default=False)
]
Paths = Annotated[
    list[str], typer.Argument(metavar="PATH…", help="Several, or `/`, make a composite.", show_default=False)
]
AFormat = Annotated[
    Format | None, typer.Option("--format", help="Data format. Without it what the device understands.")
]
Wait = Annotated[
    float, typer.Option(metavar="SECONDS", min=0, help="How long to wait for the end; 0: not at all.")
]
Ttl = Annotated[
    int | None,
    typer.Option(
        metavar="SECONDS",
        min=1,
        max=MAX_TTL_S,
        help="How long it may wait for the device. Without it as the gateway's `commands.ttl_s` says: a day.",
    ),
]


def read(
    node_id: NodeId,
    paths: Paths,
    format_: AFormat = None,
    wait: Wait = DEFAULT_WAIT_S,
    ttl: Ttl = None,
    db: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Read resources of a device.

    Examples:

        nodegate read meter-7 /3/0

        nodegate read meter-7 /3/0/0 /3303/0/5700 --json
    """
    ask(db, node_id, lambda _: Read(_paths(paths), format_), wait, ttl, as_json)


def observe(
    node_id: NodeId,
    paths: Paths,
    format_: AFormat = None,
    wait: Wait = DEFAULT_WAIT_S,
    ttl: Ttl = None,
    db: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Have a device tell of changes, until `nodegate cancel`; `nodegate watch` shows them.

    Examples:

        nodegate observe meter-7 /3303/0/5700
    """
    ask(db, node_id, lambda _: Observe(_paths(paths), format_), wait, ttl, as_json)


def cancel(
    node_id: NodeId,
    paths: Paths,
    format_: AFormat = None,
    wait: Wait = DEFAULT_WAIT_S,
    ttl: Ttl = None,
    db: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """End an observation of exactly these paths.

    Examples:

        nodegate cancel meter-7 /3303/0/5700
    """
    wanted = tuple(map(str, _paths(paths)))

    def make(asked: Asked) -> Operation:
        if wanted not in (each.paths for each in asked.administration.observations(node_id)):
            raise Refused(f"{' '.join(wanted)} of {node_id} is not observed")
        return Cancel(_paths(paths), format_)

    ask(db, node_id, make, wait, ttl, as_json)


def discover(
    node_id: NodeId,
    path: APath,
    depth: Annotated[
        int | None, typer.Option(min=0, max=MAX_DEPTH, help="Levels below the path; since LwM2M 1.2.")
    ] = None,
    format_: AFormat = None,
    wait: Wait = DEFAULT_WAIT_S,
    ttl: Ttl = None,
    db: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Ask what a device has, and with which attributes.

    Examples:

        nodegate discover meter-7 /3/0
    """
    _check_format(format_, Format.LINK)
    ask(db, node_id, lambda _: Discover(parse_path(path), depth), wait, ttl, as_json)


def attributes(
    node_id: NodeId,
    path: APath,
    changes: Annotated[
        list[str],
        typer.Argument(metavar="NAME=VALUE|NAME…", help="A name alone takes it away.", show_default=False),
    ],
    format_: AFormat = None,
    wait: Wait = DEFAULT_WAIT_S,
    ttl: Ttl = None,
    db: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Change notification attributes of a device.

    Examples:

        nodegate attributes meter-7 /3303/0/5700 pmin=10 pmax=60 gt=25.5

        nodegate attributes meter-7 /3303/0/5700 gt
    """
    _check_format(format_)
    ask(
        db,
        node_id,
        lambda _: WriteAttributes(parse_path(path), parse_attributes(changes)),
        wait,
        ttl,
        as_json,
    )


def write(
    node_id: NodeId,
    what: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH VALUE…",
            help="A value, `hex:…`, `@FILE`, `-` (stdin), a JSON object by id. Several pairs: a composite.",
            show_default=False,
        ),
    ],
    partial: Annotated[
        bool, typer.Option("--partial", help="Update what is given instead of replacing the whole.")
    ] = False,
    format_: AFormat = None,
    wait: Wait = DEFAULT_WAIT_S,
    ttl: Ttl = None,
    db: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Write to a device.

    Examples:

        nodegate write meter-7 /3/0/15 Europe/Vienna

        nodegate write meter-7 /5/0/0 @firmware.bin --wait 600

        nodegate write meter-7 /3/0 '{"14": "+02:00"}' --partial
    """
    for path in what[::2]:
        if path.startswith("-"):
            raise NoSuchOption(path)
    if len(what) % 2:
        raise Refused("a path and a value are needed, or several pairs of them")
    pairs = list(zip(what[::2], what[1::2], strict=True))

    def make(asked: Asked) -> Operation:
        records = tuple(
            record
            for path, given in pairs
            for record in read_argument(
                parse_path(path), _given(given, parse_path(path), asked.model), asked.model
            )
        )
        if len(pairs) > 1:
            return WriteComposite(records, format_)
        return Write(parse_path(what[0]), records, partial, format_)

    ask(db, node_id, make, wait, ttl, as_json)


def execute(
    node_id: NodeId,
    path: APath,
    arguments: Annotated[
        str, typer.Argument(metavar="ARGS", help="Digits with texts: `0='now',1`.", show_default=False)
    ] = "",
    format_: AFormat = None,
    wait: Wait = DEFAULT_WAIT_S,
    ttl: Ttl = None,
    db: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Run a resource of a device. Never sent twice.

    Examples:

        nodegate execute meter-7 /3/0/4
    """
    _check_format(format_, Format.TEXT)

    def make(_: Asked) -> Operation:
        parse_arguments(arguments)
        return Execute(parse_path(path), arguments)

    ask(db, node_id, make, wait, ttl, as_json)


def create(
    node_id: NodeId,
    path: APath,
    content: Annotated[
        str, typer.Argument(metavar="JSON", help="Values by resource id.", show_default=False)
    ],
    format_: AFormat = None,
    wait: Wait = DEFAULT_WAIT_S,
    ttl: Ttl = None,
    db: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Make an object instance on a device; with `/o` the device chooses its number. Never sent twice.

    Examples:

        nodegate create meter-7 /1 '{"0": 102, "1": 300}'
    """

    def make(asked: Asked) -> Operation:
        by_id = parse_object(content)
        if by_id is None:
            raise Refused('the content is a JSON object by id, like {"0": 1}')
        target = parse_path(path)
        return Create(target, read_value(target, by_id, asked.model) if by_id else (), format_)

    ask(db, node_id, make, wait, ttl, as_json)


def delete(
    node_id: NodeId,
    path: APath,
    format_: AFormat = None,
    wait: Wait = DEFAULT_WAIT_S,
    ttl: Ttl = None,
    db: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Remove an object instance or a resource instance from a device.

    Examples:

        nodegate delete meter-7 /1/2
    """
    _check_format(format_)
    ask(db, node_id, lambda _: Delete(parse_path(path)), wait, ttl, as_json)


def _check_format(given: Format | None, own: Format | None = None) -> None:
    """Operations without values have at most a format of their *own*."""
    if given not in (None, own):
        what = "has no data format" if own is None else f"is always {own.value}"
        raise Refused(f"what is sent and answered here {what}; leave --format out")


def _paths(given: Sequence[str]) -> tuple[Path, ...]:
    return tuple(map(parse_path, given))


def _given(given: str, path: Path, model: DeviceModel) -> str | bytes:
    """What stands for a value on the command line: itself, or bytes from elsewhere."""
    if given == _STDIN and takes_bytes(path, model):
        return sys.stdin.buffer.read()
    if given.startswith("@") and takes_bytes(path, model):
        return File(given[1:]).read_bytes()
    return given
