"""What is asked of devices: ``nodegate read``, ``write``, ``observe`` and the others.

A command is checked by the definitions and by what the device registered, stored, and done by the gateway
that runs, or by the next one. Here one waits for its end, for a while.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path as File
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.commanding import make_command
from gateway.lwm2m.arguments import parse_arguments
from gateway.lwm2m.attributes import parse_attributes
from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.formats import Format
from gateway.lwm2m.inputs import read_argument, read_value, takes_bytes
from gateway.lwm2m.model import DeviceModel, Model
from gateway.lwm2m.negotiation import DeviceProfile
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
from gateway.lwm2m.requests import MAX_DEPTH, Refusal
from gateway.lwm2m.values import Unfit, parse_object
from gateway.objectmodel import extend_model, own_model
from registry.commands import MAX_TTL_S, Command, CommandState
from registry.lock import is_held
from registry.shapes import describe_answer
from registry.sqlite import parse_url
from tools.admin import answers
from tools.admin.border import NoSuchOption, Refused, complain
from tools.admin.opening import open_administration
from tools.admin.options import DEFAULT_DATABASE, AsJson, Database, NodeId
from tools.admin.output import print_fields, print_json

if TYPE_CHECKING:
    from registry.administration import Administration
    from registry.model import DeviceView

DEFAULT_WAIT_S = 30.0
_GLANCE_S = 0.05
_NOT_FINISHED = 3
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
    _do(db, node_id, lambda _: Read(_paths(paths), format_), wait, ttl, as_json)


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
    _do(db, node_id, lambda _: Observe(_paths(paths), format_), wait, ttl, as_json)


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

    def make(asked: _Asked) -> Operation:
        if wanted not in (each.paths for each in asked.administration.observations(node_id)):
            raise Refused(f"{' '.join(wanted)} of {node_id} is not observed")
        return Cancel(_paths(paths), format_)

    _do(db, node_id, make, wait, ttl, as_json)


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
    _do(db, node_id, lambda _: Discover(_path(path), depth), wait, ttl, as_json)


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
    _do(db, node_id, lambda _: WriteAttributes(_path(path), parse_attributes(changes)), wait, ttl, as_json)


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

    def make(asked: _Asked) -> Operation:
        records = tuple(
            record
            for path, given in pairs
            for record in read_argument(_path(path), _given(given, _path(path), asked.model), asked.model)
        )
        if len(pairs) > 1:
            return WriteComposite(records, format_)
        return Write(_path(what[0]), records, partial, format_)

    _do(db, node_id, make, wait, ttl, as_json)


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

    def make(_: _Asked) -> Operation:
        parse_arguments(arguments)
        return Execute(_path(path), arguments)

    _do(db, node_id, make, wait, ttl, as_json)


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

    def make(asked: _Asked) -> Operation:
        by_id = parse_object(content)
        if by_id is None:
            raise Refused('the content is a JSON object by id, like {"0": 1}')
        target = _path(path)
        return Create(target, read_value(target, by_id, asked.model) if by_id else (), format_)

    _do(db, node_id, make, wait, ttl, as_json)


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
    _do(db, node_id, lambda _: Delete(_path(path)), wait, ttl, as_json)


class _Asked:
    """The device, as it is known now."""

    def __init__(self, administration: Administration, view: DeviceView, model: Model) -> None:
        self.administration = administration
        registration = view.registration
        self.profile = None if registration is None else DeviceProfile.of(registration, model)
        self.model = DeviceModel(model) if self.profile is None else self.profile.model


def _do(
    db: str,
    node_id: str,
    make: Callable[[_Asked], Operation],
    wait_s: float,
    ttl_s: int | None,
    as_json: bool,
) -> None:
    """Store the operation that *make* makes, and tell what becomes of it."""
    with open_administration(db, create=False) as administration:
        view = administration.get(node_id)
        asked = _Asked(administration, view, extend_model(own_model(), administration.definitions()))
        with _told():
            operation = make(asked)
        new = make_command(operation, asked.profile, ttl_s)
        if isinstance(new, Refusal):
            raise Refused(new.text)
        command = administration.store_command(node_id, new)
        if not is_held(parse_url(db)):
            complain("no gateway runs on this registry; the command waits for one")
        if wait_s:
            command = _await(administration, command, wait_s)
    _print(command, as_json)
    if wait_s and not command.has_ended:
        complain(f"no answer yet; `nodegate command show {command.id}` tells what became of it")
    raise typer.Exit(_status(command, wait_s))


def _await(administration: Administration, command: Command, wait_s: float) -> Command:
    deadline = time.monotonic() + wait_s
    while not command.has_ended and (left_s := deadline - time.monotonic()) > 0:
        time.sleep(min(_GLANCE_S, left_s))
        command = administration.get_command(command.id)
    return command


def _status(command: Command, wait_s: float) -> int:
    if not command.has_ended:
        return _NOT_FINISHED if wait_s else 0
    is_done = command.state is CommandState.ANSWERED and (command.result.code or "").startswith("2.")
    return 0 if is_done else 1


def _print(command: Command, as_json: bool) -> None:
    answer = describe_answer(command)
    if as_json:
        print_json(answer)
        return
    if answers.has_content(answer):
        answers.print_content(answer)
    elif command.has_ended:
        print_fields([("state", command.state.value), ("code", command.result.code)])
    else:
        print_fields([("command", command.id), ("state", command.state.value)])
    if command.result.error:
        complain(f"command {command.id}: {command.result.error}")


def _check_format(given: Format | None, own: Format | None = None) -> None:
    """Operations without values have at most a format of their *own*."""
    if given not in (None, own):
        what = "has no data format" if own is None else f"is always {own.value}"
        raise Refused(f"what is sent and answered here {what}; leave --format out")


def _path(given: str) -> Path:
    return parse_path(given)


def _paths(given: Sequence[str]) -> tuple[Path, ...]:
    return tuple(map(parse_path, given))


def _given(given: str, path: Path, model: DeviceModel) -> str | bytes:
    """What stands for a value on the command line: itself, or bytes from elsewhere."""
    if given == _STDIN and takes_bytes(path, model):
        return sys.stdin.buffer.read()
    if given.startswith("@") and takes_bytes(path, model):
        return File(given[1:]).read_bytes()
    return given


@contextmanager
def _told() -> Iterator[None]:
    """What does not fit the device or the model is a line for the user."""
    try:
        yield
    except (DecodeError, Unfit) as error:
        raise Refused(str(error)) from error
