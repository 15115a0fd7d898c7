"""``nodegate device``: who may come, who is here.

Each command opens the registry, does one thing in one transaction, and answers as text or JSON.
"""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from registry.model import DeviceState, Security
from tools.admin.border import Refused
from tools.admin.options import DEFAULT_DATABASE, AsJson, Database, NodeId
from tools.admin.output import print_fields, print_json, print_json_array, print_table, rfc3339, visible

if TYPE_CHECKING:
    from registry.administration import Created, DeviceView

app = typer.Typer(help="Pre-register devices, see them, take them back.", no_args_is_help=True)

SHOWN_ONCE = "The secret is shown this once."


@app.command()
def create(
    node_id: Annotated[
        str, typer.Argument(metavar="NODE_ID", help="What the device brings: IMEI, MAC, serial number, URN.")
    ],
    security: Annotated[Security, typer.Option(help="How it proves itself.")] = Security.PSK,
    secret: Annotated[
        str | None,
        typer.Option(
            metavar="HEX|-",
            help="Pre-shared key of 8 to 64 bytes; `-` reads it from stdin. Without it one is made.",
        ),
    ] = None,
    timeout: Annotated[
        int, typer.Option(metavar="SECONDS", help="Purge it unless it has connected by then; 0: never.")
    ] = 0,
    db: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Say that a device may come.

    Examples:

        nodegate device create urn:imei:490154203237518

        nodegate device create meter-7 --security none --timeout 3600

        head -c 16 /dev/urandom | xxd -p | nodegate device create meter-8 --secret - --json
    """
    from tools.admin.opening import open_administration

    given = read_secret(secret)
    with open_administration(db) as administration:
        created = administration.create(node_id, security, given, timeout)
    _print_created(created, as_json)


@app.command("list")
def list_devices(
    state: Annotated[DeviceState | None, typer.Option(help="Only devices in this state.")] = None,
    security: Annotated[Security | None, typer.Option(help="Only devices of this kind.")] = None,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="At most so many.")] = None,
    after: Annotated[
        str | None, typer.Option(metavar="NODE_ID", help="Only node IDs behind this one: the next page.")
    ] = None,
    db: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """List devices, ordered by node ID.

    Examples:

        nodegate device list --state online

        nodegate device list --limit 100 --after meter-7 --json
    """
    from tools.admin.opening import open_administration
    from tools.admin.shapes import device_shape

    with open_administration(db) as administration:
        views = administration.list(state=state, security=security, limit=limit, after=after)
        if as_json:
            print_json_array(device_shape(view) for view in views)
            return
        columns = ("NODE ID", "DEVICE ID", "SECURITY", "STATE", "ADDRESS", "EXPIRES")
        if not print_table(columns, (_row(view) for view in views)):
            print("no devices")


def _row(view: DeviceView) -> tuple[object, ...]:
    device, registration = view.device, view.registration
    return (
        device.node_id,
        device.device_id,
        device.security,
        view.state,
        registration and registration.address,
        _expiry(view),
    )


def _expiry(view: DeviceView) -> str | None:
    if view.registration is None:
        return None
    return rfc3339(view.expires_at_ms) or "never"


@app.command()
def show(node_id: NodeId, db: Database = DEFAULT_DATABASE, as_json: AsJson = False) -> None:
    """Show one device: its state, its registration, and why it was refused.

    Examples:

        nodegate device show meter-7

        nodegate device show d-abcdefghijklmnop --json
    """
    from tools.admin.opening import open_administration

    with open_administration(db) as administration:
        view = administration.get(node_id)
    _print_view(view, as_json)


@app.command()
def delete(
    node_id: NodeId,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    db: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Delete a device with its secret and its registration; its session ends.

    Asks first, but only on a terminal.

    Examples:

        nodegate device delete meter-7 --yes
    """
    from tools.admin.opening import open_administration
    from tools.admin.shapes import deleted_shape

    with open_administration(db) as administration:
        device = administration.get(node_id).device
        question = f"Delete {visible(device.node_id)} ({device.device_id})?"
        if sys.stdin.isatty() and not yes and not typer.confirm(question, err=True):
            raise Refused("nothing was deleted")
        administration.delete(device.device_id)
    if as_json:
        print_json(deleted_shape(device))
    else:
        print(f"deleted {visible(device.node_id)} ({device.device_id})")


@app.command()
def freeze(node_id: NodeId, db: Database = DEFAULT_DATABASE, as_json: AsJson = False) -> None:
    """Refuse a device until it is unfrozen; its session and registration end now.

    Examples:

        nodegate device freeze meter-7
    """
    from tools.admin.opening import open_administration

    with open_administration(db) as administration:
        administration.freeze(node_id)
        view = administration.get(node_id)
    _print_view(view, as_json)


@app.command()
def unfreeze(node_id: NodeId, db: Database = DEFAULT_DATABASE, as_json: AsJson = False) -> None:
    """Let a frozen device come again.

    Examples:

        nodegate device unfreeze meter-7
    """
    from tools.admin.opening import open_administration

    with open_administration(db) as administration:
        administration.unfreeze(node_id)
        view = administration.get(node_id)
    _print_view(view, as_json)


@app.command("reset-secret")
def reset_secret(
    node_id: NodeId,
    secret: Annotated[
        str | None,
        typer.Option(metavar="HEX|-", help="The new key; `-` reads it from stdin. Without it one is made."),
    ] = None,
    db: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Give a device a new secret; what it had ends now, its session too.

    Examples:

        nodegate device reset-secret meter-7
    """
    from tools.admin.opening import open_administration

    given = read_secret(secret)
    with open_administration(db) as administration:
        created = administration.reset_secret(node_id, given)
    _print_created(created, as_json)


def read_secret(option: str | None) -> bytes | None:
    """The bytes that ``--secret`` names; None lets the registry make some.

    Raises:
        Refused: it is not hex. The text never repeats it.
    """
    if option is None:
        return None
    if option == "-":
        option = (
            typer.prompt("Secret (hex)", hide_input=True, err=True)
            if sys.stdin.isatty()
            else sys.stdin.readline()
        )
    try:
        return bytes.fromhex(option.strip())
    except ValueError:
        raise Refused("the secret is not hex: give 16 to 128 hex digits, two for each byte") from None


def _print_created(created: Created, as_json: bool) -> None:
    from tools.admin.shapes import created_shape

    shape = created_shape(created)
    if as_json:
        print_json(shape)
        return
    print_fields(
        [
            ("node ID", shape["node_id"]),
            ("device ID", shape["device_id"]),
            ("security", shape["security"]),
            ("secret", created.secret.hex() if created.secret else None),
            ("timeout", f"{shape['timeout']} s" if shape["timeout"] else "none"),
        ]
    )
    if created.secret:
        print(SHOWN_ONCE)


def _print_view(view: DeviceView, as_json: bool) -> None:
    from tools.admin.shapes import shown_shape

    shape = shown_shape(view)
    if as_json:
        print_json(shape)
        return
    fields: list[tuple[str, object]] = [
        ("node ID", shape["node_id"]),
        ("device ID", shape["device_id"]),
        ("security", shape["security"]),
        ("state", shape["state"]),
        ("timeout", f"{shape['timeout']} s" if shape["timeout"] else "none"),
        ("created", shape["created_at"]),
        ("connected", shape["connected_at"] or "never"),
    ]
    registration = shape["registration"]
    if registration:
        fields += [
            ("location", registration["location"]),
            ("address", registration["address"]),
            ("LwM2M", registration["lwm2m"]),
            ("binding", registration["binding"]),
            ("lifetime", f"{registration['lifetime']} s" if registration["lifetime"] else "unlimited"),
            ("registered", registration["registered_at"]),
            ("expires", registration["expires_at"] or "never"),
            ("objects", " ".join(_object_text(link) for link in registration["objects"])),
        ]
    print_fields(fields)
    if shape["refused"]:
        print()
        rows = ((refusal["at"], refusal["address"], refusal["reason"]) for refusal in shape["refused"])
        print_table(("REFUSED", "ADDRESS", "REASON"), rows)


def _object_text(link: dict[str, str | None]) -> str:
    return f"{link['path']};ver={link['version']}" if link["version"] else str(link["path"])
