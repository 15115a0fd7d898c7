"""``nodegate serve``: settings from file, environment and flags, then the gateway until a signal."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from tools.admin.border import Refused


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


def serve(
    config: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Settings in TOML, a table for each section.")
    ] = None,
    db: Annotated[
        str | None,
        typer.Option("--db", metavar="URL", help="The registry; default `sqlite:///nodegate.db`."),
    ] = None,
    host: Annotated[
        str | None,
        typer.Option(metavar="ADDR", help="IP address to listen on; default every interface, IPv4 and IPv6."),
    ] = None,
    coap_port: Annotated[
        int | None, typer.Option(metavar="N", help="UDP port for CoAP, default 5683; 0: the system's choice.")
    ] = None,
    coaps_port: Annotated[
        int | None, typer.Option(metavar="N", help="UDP port for CoAP over DTLS, default 5684.")
    ] = None,
    log_level: Annotated[LogLevel | None, typer.Option(help="Least severity that is told.")] = None,
    log_format: Annotated[
        LogFormat | None, typer.Option(help="Text for people or JSON for machines.")
    ] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="SECTION.KEY=VALUE", help="Override a setting; may be given often."),
    ] = None,
) -> None:
    """Run the gateway until SIGTERM or SIGINT.

    When it is ready, a line for each listener goes to stdout; logs go to stderr.
    All settings, with default and unit: docs/configuration.md.

    Examples:

        nodegate serve

        nodegate serve --config /etc/nodegate/nodegate.toml --log-format json

        nodegate serve --host 127.0.0.1 --coap-port 0 --set registration.min_lifetime_s=60
    """
    import asyncio

    from gateway import logs
    from gateway.config import ConfigError, Override, load, parse_overrides

    flags = {
        "db.url": ("--db", db),
        "server.host": ("--host", host),
        "server.coap_port": ("--coap-port", coap_port),
        "server.coaps_port": ("--coaps-port", coaps_port),
        "log.level": ("--log-level", log_level),
        "log.format": ("--log-format", log_format),
    }
    named = [Override(key, str(value), flag) for key, (flag, value) in flags.items() if value is not None]
    try:
        resolved = load(config, [*parse_overrides(settings or ()), *named])
    except ConfigError as error:
        raise Refused(*error.faults) from None
    logs.configure(resolved.log.level, resolved.log.format)

    from gateway.app import serve as serve_gateway

    asyncio.run(serve_gateway(resolved, _announce))


def _announce(line: str) -> None:
    print(line, flush=True)
