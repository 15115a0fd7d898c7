"""One operation asked of a device, to its end.

It is checked by the definitions and by what the device registered, stored, and done by the gateway that
runs, or by the next one. Here one waits for its end, for a while, and tells of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import typer

from gateway.commanding import make_command
from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.model import DeviceModel, Model
from gateway.lwm2m.negotiation import DeviceProfile
from gateway.lwm2m.operations import Operation
from gateway.lwm2m.requests import Refusal
from gateway.lwm2m.values import Unfit
from gateway.objectmodel import extend_model, own_model
from registry.commands import Command, CommandState
from registry.lock import is_held
from registry.shapes import describe_answer
from registry.sqlite import parse_url
from tools.admin import answers
from tools.admin.border import Refused, complain
from tools.admin.opening import open_administration
from tools.admin.output import print_fields, print_json

if TYPE_CHECKING:
    from registry.administration import Administration
    from registry.model import DeviceView

_GLANCE_S = 0.05
_NOT_FINISHED = 3


class Asked:
    """The device, as it is known now."""

    def __init__(self, administration: Administration, view: DeviceView, model: Model) -> None:
        self.administration = administration
        registration = view.registration
        self.profile = None if registration is None else DeviceProfile.of(registration, model)
        self.model = DeviceModel(model) if self.profile is None else self.profile.model


def ask(
    db: str,
    node_id: str,
    make: Callable[[Asked], Operation],
    wait_s: float,
    ttl_s: int | None,
    as_json: bool,
) -> None:
    """Store the operation that *make* makes, and tell what becomes of it.

    Raises:
        Refused: the operation fits neither the definitions nor the device; nothing is stored.
        typer.Exit: at the end, always, with the status of the command.
    """
    with open_administration(db, create=False) as administration:
        view = administration.get(node_id)
        asked = Asked(administration, view, extend_model(own_model(), administration.definitions()))
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


@contextmanager
def _told() -> Iterator[None]:
    """What does not fit the device or the model is a line for the user."""
    try:
        yield
    except (DecodeError, Unfit) as error:
        raise Refused(str(error)) from error
