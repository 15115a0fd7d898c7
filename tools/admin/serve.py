"""``nodegate serve``: settings from file, environment and flags, then the gateway until a signal."""

from __future__ import annotations

import asyncio
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tools.admin.border import Refused

if TYPE_CHECKING:
    from gateway.settings import GatewayConfig


class LogLevel(StrEnum):
    """Least severity that is told."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class LogFormat(StrEnum):
    """For people or for machines."""

    TEXT = "text"
    JSON = "json"


Config = Annotated[
    Path | None, typer.Option(metavar="FILE", help="Settings in TOML, a table for each section.")
]
Registry = Annotated[
    str | None, typer.Option("--db", metavar="URL", help="The registry; default `sqlite:///nodegate.db`.")
]
Host = Annotated[
    str | None,
    typer.Option(metavar="ADDR", help="IP address to listen on; default every interface, IPv4 and IPv6."),
]
CoapPort = Annotated[
    int | None, typer.Option(metavar="N", help="UDP port for CoAP, default 5683; 0: the system's choice.")
]
CoapsPort = Annotated[
    int | None, typer.Option(metavar="N", help="UDP port for CoAP over DTLS, default 5684.")
]
Level = Annotated[LogLevel | None, typer.Option(help="Least severity that is told; default info.")]
Format = Annotated[LogFormat | None, typer.Option(help="Text for people (default) or JSON for machines.")]
Sets = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Override a setting; may be given often."),
]


def serve(
    config: Config = None,
    db: Registry = None,
    host: Host = None,
    coap_port: CoapPort = None,
    coaps_port: CoapsPort = None,
    log_level: Level = None,
    log_format: Format = None,
    sets: Sets = None,
) -> None:
    """Run the gateway until SIGTERM or SIGINT.

    When it is ready, a line for each listener goes to stdout; logs go to stderr.
    All settings, with default and unit: docs/configuration.md.

    Examples:

        nodegate serve

        nodegate serve --config /etc/nodegate/nodegate.toml --log-format json

        nodegate serve --host 127.0.0.1 --coap-port 0 --set registration.min_lifetime_s=60
    """
    from gateway.config import ConfigError, Override, load

    flags: dict[str, tuple[str, object]] = {
        "db.url": ("--db", db),
        "server.host": ("--host", host),
        "server.coap_port": ("--coap-port", coap_port),
        "server.coaps_port": ("--coaps-port", coaps_port),
        "log.level": ("--log-level", log_level),
        "log.format": ("--log-format", log_format),
    }
    overrides = [Override(key, str(value), flag) for key, (flag, value) in flags.items() if value is not None]
    try:
        settings = load(config, sets or (), overrides)
    except ConfigError as error:
        raise Refused(*error.faults) from None
    run(settings)


def run(settings: GatewayConfig) -> None:
    """Set up the logs and run the gateway to its end.

    Raises:
        RegistryError: the database or its key cannot be used.
        Refused: an address cannot be listened on, or a certificate, key or trust folder cannot be used.
    """
    from gateway import app, logs
    from gateway.credentials.errors import CredentialError
    from gateway.transport.errors import BindError

    logs.configure(settings.log.level, settings.log.format)
    try:
        asyncio.run(app.serve(settings, _announce))
    except (BindError, CredentialError) as error:
        raise Refused(str(error)) from None


def _announce(line: str) -> None:
    print(line, flush=True)
