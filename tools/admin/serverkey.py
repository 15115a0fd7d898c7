"""``nodegate server-key``: what devices must know of the gateway to recognise it."""

from __future__ import annotations

import typer

from tools.admin.border import CommandGroup
from tools.admin.opening import open_administration
from tools.admin.options import DEFAULT_DATABASE, AsJson, Database
from tools.admin.output import print_fields, print_json

app = typer.Typer(
    cls=CommandGroup,
    help="Show what the gateway proves itself by.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)


@app.callback()
def _group() -> None:
    """Keep `show` a command of its own, though it is the only one."""


@app.command()
def show(db: Database = DEFAULT_DATABASE, as_json: AsJson = False) -> None:
    """Show the gateway's public key and certificate, for devices that pin one of them.

    Without `dtls.certificate_file` that is a key of the gateway's own, made at its first start or by
    this command; with one, what the gateway showed since its last start.

    Examples:

        nodegate server-key show

        nodegate server-key show --json
    """
    from gateway.credentials.ownkey import make_server_key
    from gateway.credentials.shown import describe_shown

    with open_administration(db) as administration:
        shown = describe_shown(administration.server_key(make_server_key))
    if as_json:
        print_json(shown)
        return
    print_fields([("SHA-256", shown["sha256"])])
    print()
    print(shown["public_key"], end="")
    print(shown["certificate"], end="")
