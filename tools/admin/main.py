"""The command tree of ``nodegate`` and its entry point."""

from __future__ import annotations

import sys

import typer

from tools.admin import device, events, serve
from tools.admin.border import CommandGroup, LateCommand, tell_of_a_bug

LATE = (
    LateCommand("simulate", "Let simulated devices register with a gateway.", "tools.simulator.command"),
    LateCommand("bench", "Measure the CPU that each operation costs.", "tools.bench.command"),
)

app = typer.Typer(
    cls=CommandGroup,
    name="nodegate",
    help="Nodegate, a device gateway for LwM2M over CoAP and DTLS.",
    epilog="Exit status: 0 done, 1 refused or failed, 2 not understood.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)
app.command()(serve.serve)
app.add_typer(device.app, name="device")
app.command()(events.events)


def command() -> CommandGroup:
    """The whole tree, ready to be called."""
    group = typer.main.get_command(app)
    assert isinstance(group, CommandGroup)
    for late in LATE:
        group.add_command(late)
    return group


def main() -> None:
    """Entry point of the ``nodegate`` command. Ends in `SystemExit`."""
    sys.excepthook = tell_of_a_bug
    command().main(prog_name="nodegate")


if __name__ == "__main__":
    main()
