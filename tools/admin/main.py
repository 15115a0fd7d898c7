"""The command tree of ``nodegate`` and its entry point."""

from __future__ import annotations

import sys
from importlib import metadata
from typing import Annotated

import typer

from tools.admin import command, device, events, model, serve, serverkey
from tools.admin.border import CommandGroup, LateCommand, tell_of_a_bug
from tools.admin.flags import show_flags_bare

_OPERATIONS = {
    "read": "Read resources of a device.",
    "observe": "Have a device tell of changes.",
    "cancel": "End an observation.",
    "discover": "Ask what a device has.",
    "attributes": "Change notification attributes of a device.",
    "write": "Write to a device.",
    "execute": "Run a resource of a device.",
    "create": "Make an object instance on a device.",
    "delete": "Remove an instance from a device.",
}

LATE = (
    *(
        LateCommand(name, text, "tools.admin.operations", takes_minus=name == "write")
        for name, text in _OPERATIONS.items()
    ),
    LateCommand("values", "Show the values that a device has told.", "tools.admin.values"),
    LateCommand("watch", "Print values as devices tell them.", "tools.admin.values"),
    LateCommand("simulate", "Let simulated devices register with a gateway.", "tools.simulator.command"),
    LateCommand("bench", "Measure the CPU that each operation costs.", "tools.bench.command"),
)

ORDER = (
    "serve",
    "device",
    "server-key",
    *_OPERATIONS,
    "command",
    "values",
    "watch",
    "events",
    "model",
    "simulate",
    "bench",
)

app = typer.Typer(
    cls=CommandGroup,
    name="nodegate",
    help="Nodegate, a device gateway for LwM2M over CoAP and DTLS.",
    epilog="Exit status: 0 done, 1 refused or failed, 2 not understood, 3 stored and not finished yet.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command()(serve.serve)
app.add_typer(device.app, name="device")
app.add_typer(command.app, name="command")
app.command()(events.events)
app.add_typer(serverkey.app, name="server-key")
app.add_typer(model.app, name="model")


def _say_version(is_asked: bool) -> None:
    if not is_asked:
        return
    try:
        print(f"nodegate {metadata.version('nodegate')}")
    except metadata.PackageNotFoundError:
        print("nodegate, not installed: run from a checkout")
    raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", is_eager=True, callback=_say_version, help="Say which version this is."),
    ] = False,
) -> None:
    pass


def build() -> CommandGroup:
    """The whole tree, ready to be called, in the order in which help shows it."""
    group = typer.main.get_command(app)
    assert isinstance(group, CommandGroup)
    for late in LATE:
        group.add_command(late)
    group.commands = {name: group.commands[name] for name in ORDER}
    show_flags_bare(group)
    return group


def main() -> None:
    """Entry point of the ``nodegate`` command. Ends in `SystemExit`."""
    sys.excepthook = tell_of_a_bug
    build().main(prog_name="nodegate")


if __name__ == "__main__":
    main()
