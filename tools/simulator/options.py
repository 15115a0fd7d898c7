"""The options of ``nodegate simulate``, each with its bounds and its help."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Version(StrEnum):
    """Enabler versions a device can speak."""

    V1_0 = "1.0"
    V1_1 = "1.1"
    V1_2 = "1.2"


class Kind(StrEnum):
    """Devices that can be played: those whose secret is all there is to them."""

    NONE = "none"
    PSK = "psk"


_SERVER = "`coap://HOST[:PORT]`, `coaps://HOST[:PORT]`, or one of each."
_COUNT = "Devices in all; of two servers each gets half. Default: one for each server, or the whole file."
_DEVICES = (
    "Devices to play, as `device import` reads them. Without it `sim-000001` and so on are made in --db."
)
_DURATION = "Keep running at least this long, then de-register."
_JITTER = "Updates go out up to this part of their interval early."
_SCENARIO = "What every device measures and does in the course of time; see docs/simulator.md."
_REBIND = "Each device changes its port this often, as behind a NAT."

Servers = Annotated[list[str], typer.Option("--server", metavar="URI", help=_SERVER, show_default=False)]
Count = Annotated[int | None, typer.Option(metavar="N", min=1, help=_COUNT, show_default=False)]
OnlyKind = Annotated[Kind | None, typer.Option(help="Only this kind of device.", show_default=False)]
Devices = Annotated[Path | None, typer.Option(metavar="FILE.csv", help=_DEVICES, show_default=False)]
Duration = Annotated[float | None, typer.Option(metavar="S", min=0, help=_DURATION, show_default=False)]
Prefix = Annotated[str, typer.Option(help="How the names of made devices begin.")]
Cid = Annotated[bool, typer.Option("--cid/--no-cid", help="Offer DTLS connection ids.")]
Lifetime = Annotated[int, typer.Option(metavar="S", min=0, help="Lifetime of each registration.")]
Jitter = Annotated[float, typer.Option(metavar="P", min=0, max=1, help=_JITTER)]
Lwm2m = Annotated[Version, typer.Option(help="LwM2M version.")]
QueueMode = Annotated[
    bool, typer.Option("--queue-mode", "--queue", help="Devices sleep between their messages.")
]
Scenario = Annotated[Path | None, typer.Option(metavar="FILE.toml", help=_SCENARIO, show_default=False)]
Confirmable = Annotated[
    bool, typer.Option("--confirmable", help="Notifications are confirmable where the server does not say.")
]
Rate = Annotated[
    float | None, typer.Option(metavar="N", min=0.01, help="Devices started per second.", show_default=False)
]
Loss = Annotated[float, typer.Option(metavar="P", min=0, max=1, help="Part of the datagrams lost, each way.")]
Duplicate = Annotated[
    float, typer.Option(metavar="P", min=0, max=1, help="Part of the datagrams doubled, each way.")
]
Reorder = Annotated[
    float, typer.Option(metavar="P", min=0, max=1, help="Part of the datagrams held back, each way.")
]
Rebind = Annotated[float | None, typer.Option(metavar="S", min=0.1, help=_REBIND, show_default=False)]
Seed = Annotated[int | None, typer.Option(help="For loss, jitter and back-off.", show_default=False)]
