"""``nodegate device``: who may come, who is here.

Each command opens the registry, does one thing in one transaction, and answers as text or JSON.
"""

from __future__ import annotations

import sys
from getpass import getpass
from pathlib import Path
from typing import Annotated

import typer

from gateway.visible import visible
from registry.identifiers import parse_secret
from registry.model import Created, Device, DeviceState, DeviceView, ObjectLink, Security
from registry.shapes import describe_created, describe_device
from registry.timestamps import format_ms
from tools.admin import credentials, importing
from tools.admin.border import Refused, complain
from tools.admin.opening import open_administration, open_if_there
from tools.admin.options import DEFAULT_DATABASE, AsJson, Database, NodeId
from tools.admin.output import print_fields, print_json, print_json_array, print_table

app = typer.Typer(
    help="Pre-register devices, see them, take them back.", no_args_is_help=True, rich_markup_mode="markdown"
)

COLUMNS = ("NODE ID", "DEVICE ID", "SECURITY", "STATE", "ADDRESS", "EXPIRES")
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
    certificate: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="With x509: the one certificate it may bring. Without it: any of a trusted CA.",
            show_default=False,
        ),
    ] = None,
    public_key: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="With rpk: its public key, PEM or DER.", show_default=False),
    ] = None,
    db: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """Say that a device may come.

    Examples:

        nodegate device create urn:imei:490154203237518

        nodegate device create meter-7 --security none --timeout 3600

        head -c 16 /dev/urandom | xxd -p | nodegate device create meter-8 --secret - --json

        nodegate device create meter-9 --security x509

        nodegate device create meter-10 --security rpk --public-key meter-10.pub
    """
    if security is Security.RPK and public_key is None:
        raise Refused("--security rpk needs --public-key FILE")
    given = read_secret(secret)
    pinned = None if certificate is None else credentials.read_certificate(certificate, node_id)
    key = None if public_key is None else credentials.read_public_key(public_key)
    with open_administration(db) as administration:
        created = administration.create(node_id, security, given, timeout, certificate=pinned, public_key=key)
    _print_created(created, as_json)
    if pinned is not None:
        _warn_of_dates(node_id, pinned)


def _warn_of_dates(node_id: str, certificate: bytes) -> None:
    fault = credentials.fault_of_dates(certificate)
    if fault is not None:
        complain(f"{node_id} was created, but cannot come today: its {fault}")


@app.command("list")
def list_devices(
    state: Annotated[DeviceState | None, typer.Option(help="Only devices in this state.")] = None,
    security: Annotated[Security | None, typer.Option(help="Only devices of this kind.")] = None,
    limit: Annotated[int | None, typer.Option(metavar="N", min=1, help="At most so many.")] = None,
    after: Annotated[
        str | None, typer.Option(metavar="NODE_ID", help="Only devices behind this one: the next page.")
    ] = None,
    db: Database = DEFAULT_DATABASE,
    as_json: AsJson = False,
) -> None:
    """List devices, ordered by node ID.

    Examples:

        nodegate device list --state online

        nodegate device list --limit 100 --after meter-7 --json
    """
    with open_if_there(db) as administration:
        views = (
            administration.list(state=state, security=security, limit=limit, after=after)
            if administration
            else ()
        )
        if as_json:
            print_json_array(describe_device(view, with_refusals=False) for view in views)
        elif not print_table(COLUMNS, (_row(view) for view in views)):
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
    return "never" if view.expires_at_ms is None else format_ms(view.expires_at_ms)


@app.command()
def show(node_id: NodeId, db: Database = DEFAULT_DATABASE, as_json: AsJson = False) -> None:
    """Show one device: its state, its registration, and why it was refused.

    Examples:

        nodegate device show meter-7

        nodegate device show d-abcdefghijklmnop --json
    """
    with open_administration(db, create=False) as administration:
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
    with open_administration(db, create=False) as administration:
        device = administration.get(node_id).device
        question = f"Delete {visible(device.node_id)} ({device.device_id})?"
        if sys.stdin.isatty() and not yes and not _is_confirmed(question):
            raise Refused("nothing was deleted")
        administration.delete(device.device_id)
    if as_json:
        print_json({"device_id": device.device_id, "node_id": device.node_id})
    else:
        print(f"deleted {visible(device.node_id)} ({device.device_id})")


def _is_confirmed(question: str) -> bool:
    # Not by typer.confirm, which writes to stdout, where the answer of --json belongs.
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


@app.command()
def freeze(node_id: NodeId, db: Database = DEFAULT_DATABASE, as_json: AsJson = False) -> None:
    """Refuse a device until it is unfrozen; its session and registration end now.

    Examples:

        nodegate device freeze meter-7
    """
    with open_administration(db, create=False) as administration:
        view = administration.freeze(node_id)
    _print_view(view, as_json)


@app.command()
def unfreeze(node_id: NodeId, db: Database = DEFAULT_DATABASE, as_json: AsJson = False) -> None:
    """Let a frozen device come again.

    Examples:

        nodegate device unfreeze meter-7
    """
    with open_administration(db, create=False) as administration:
        view = administration.unfreeze(node_id)
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
    given = read_secret(secret)
    with open_administration(db, create=False) as administration:
        created = administration.reset_secret(node_id, given)
    _print_created(created, as_json)


app.command("import")(importing.import_devices)


def read_secret(option: str | None) -> bytes | None:
    """The bytes that ``--secret`` names; None lets the registry make some.

    Raises:
        InvalidValue: it is not hex, too short or too long.
    """
    if option is None:
        return None
    if option == "-":
        option = getpass("Secret (hex): ") if sys.stdin.isatty() else sys.stdin.readline()
    return parse_secret(option.strip())


def _print_created(created: Created, as_json: bool) -> None:
    if as_json:
        print_json(describe_created(created))
        return
    device = created.device
    print_fields(
        [
            ("node ID", device.node_id),
            ("device ID", device.device_id),
            ("security", device.security),
            ("secret", created.secret.hex() if created.secret else None),
            ("timeout", _seconds(device.timeout_s, "none")),
        ]
    )
    if created.secret:
        print(SHOWN_ONCE)


def _print_view(view: DeviceView, as_json: bool) -> None:
    if as_json:
        print_json(describe_device(view, with_refusals=True))
        return
    print_fields([*_device_fields(view), *_registration_fields(view)])
    if view.refusals:
        print()
        rows = ((format_ms(refusal.at_ms), refusal.address, refusal.reason) for refusal in view.refusals)
        print_table(("REFUSED", "ADDRESS", "REASON"), rows)


def _device_fields(view: DeviceView) -> list[tuple[str, object]]:
    device = view.device
    return [
        ("node ID", device.node_id),
        ("device ID", device.device_id),
        ("security", device.security),
        ("state", view.state),
        ("timeout", _seconds(device.timeout_s, "none")),
        ("created", format_ms(device.created_at_ms)),
        ("connected", "never" if device.connected_at_ms is None else format_ms(device.connected_at_ms)),
        *_credential_fields(device),
    ]


def _credential_fields(device: Device) -> list[tuple[str, object]]:
    digests = (("certificate", device.certificate_sha256), ("public key", device.public_key_sha256))
    return [(f"{name} SHA-256", digest.hex()) for name, digest in digests if digest is not None]


def _registration_fields(view: DeviceView) -> list[tuple[str, object]]:
    registration = view.registration
    if registration is None:
        return []
    return [
        ("location", f"/rd/{registration.location}"),
        ("address", registration.address),
        ("LwM2M", registration.lwm2m),
        ("binding", registration.binding),
        ("lifetime", _seconds(registration.lifetime_s, "unlimited")),
        ("registered", format_ms(registration.registered_at_ms)),
        ("expires", _expiry(view)),
        ("objects", " ".join(_object_text(link) for link in registration.objects.links)),
    ]


def _seconds(duration_s: int, none: str) -> str:
    return f"{duration_s} s" if duration_s else none


def _object_text(link: ObjectLink) -> str:
    return f"{link.path};ver={link.version}" if link.version else link.path
