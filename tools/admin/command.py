"""``nodegate command``: what was asked of devices, and what became of it."""

from __future__ import annotations

from typing import Annotated

import typer

from registry.commands import Command, CommandState
from registry.shapes import describe_command
from tools.admin import answers
from tools.admin.opening import open_administration
from tools.admin.options import DEFAULT_DATABASE, AsJson, Database
from tools.admin.output import print_fields, print_json, print_json_array, print_table

app = typer.Typer(
    help="See commands for devices, take them back.", no_args_is_help=True, rich_markup_mode="markdown"
)

COLUMNS = ("ID", "NODE ID", "OPERATION", "PATHS", "STATE", "CODE", "ERROR")

Id = Annotated[int, typer.Argument(metavar="ID", help="Number of the command.", show_default=False)]


@app.command("list")
def list_commands(
    node_id: Annotated[
        str | None, typer.Argument(metavar="NODE_ID", help="Only this device's.", show_default=False)
    ] = None,
    state: Annotated[CommandState | None, typer.Option(help="Only those in this state.")] = None,
    db: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """List commands in the order in which they are sent.

    Examples:

        nodegate command list meter-7 --state queued
    """
    with open_administration(db, create=False) as administration:
        commands = administration.commands(node_id, state)
    if as_json:
        print_json_array(map(describe_command, commands))
    elif not print_table(COLUMNS, map(_row, commands)):
        print("no commands")


@app.command()
def show(id_: Id, db: Database = DEFAULT_DATABASE, as_json: AsJson = False) -> None:
    """Show one command and its answer.

    Examples:

        nodegate command show 17 --json
    """
    with open_administration(db, create=False) as administration:
        command = administration.get_command(id_)
    _print(command, as_json)


@app.command()
def cancel(id_: Id, db: Database = DEFAULT_DATABASE, as_json: AsJson = False) -> None:
    """Take a command back that is still queued.

    Examples:

        nodegate command cancel 17
    """
    with open_administration(db, create=False) as administration:
        command = administration.cancel_command(id_)
    _print(command, as_json)


def _row(command: Command) -> tuple[object, ...]:
    result = command.result
    return (
        command.id,
        command.node_id,
        command.operation,
        " ".join(command.paths),
        command.state.value,
        result.code,
        result.error,
    )


def _print(command: Command, as_json: bool) -> None:
    description = describe_command(command)
    if as_json:
        print_json(description)
        return
    print_fields(
        [
            ("command", command.id),
            ("node ID", command.node_id),
            ("operation", command.operation),
            ("paths", " ".join(command.paths)),
            ("state", command.state),
            ("code", command.result.code),
            ("format", command.result.format),
            ("error", command.result.error),
            ("created", description["created_at"]),
            ("expires", description["expires_at"]),
            ("attempts", command.attempts),
        ]
    )
    if answers.has_content(description):
        print()
        answers.print_content(description)
