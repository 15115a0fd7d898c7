"""``nodegate simulate``: the command line of the simulator. What it does is done elsewhere."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import typer
from rich.console import Console

from registry.lock import is_held
from registry.model import Security
from registry.sqlite import parse_url
from tools.admin.border import Refused, complain
from tools.admin.options import DEFAULT_DATABASE, AsJson, Database
from tools.admin.output import console, print_json
from tools.simulator import options
from tools.simulator.client.contents import Contents, factory_contents
from tools.simulator.display import LiveLine, build_table, build_times, describe_failure
from tools.simulator.errors import SimulatorError
from tools.simulator.fleet import Fleet, FleetSettings, Target
from tools.simulator.identities import Identity, create_identities, read_identities, split_by_kind
from tools.simulator.network import Impairment
from tools.simulator.report import Report
from tools.simulator.scenario import Scenario, parse_scenario
from tools.simulator.servers import Server, parse_servers
from tools.simulator.settings import DeviceSettings

_NOTICED_AFTER_S = 1.0
"A running gateway has noticed by then what was changed in its registry."

_REDRAWN_EVERY_S = 0.25

_QUICK_RATE = 500.0
_STEADY_RATE = 75.0
_QUICK_UP_TO = 4_000
"More security devices than this are started so slowly that no gateway limits them per address."


@dataclass(frozen=True, slots=True)
class Manner:
    """How every device of the simulation behaves."""

    has_cid: bool
    lifetime_s: int
    jitter: float
    lwm2m: str
    is_queue_mode: bool
    is_confirmable: bool


def simulate(
    server: options.Servers,
    count: options.Count = None,
    security: options.OnlyKind = None,
    devices: options.Devices = None,
    duration: options.Duration = None,
    db: Database = DEFAULT_DATABASE,
    prefix: options.Prefix = "sim-",
    cid: options.Cid = True,
    lifetime: options.Lifetime = 300,
    jitter: options.Jitter = 0.1,
    lwm2m: options.Lwm2m = options.Version.V1_1,
    queue_mode: options.QueueMode = False,
    confirmable: options.Confirmable = False,
    scenario: options.Scenario = None,
    rate: options.Rate = None,
    loss: options.Loss = 0.0,
    duplicate: options.Duplicate = 0.0,
    reorder: options.Reorder = 0.0,
    rebind: options.Rebind = None,
    seed: options.Seed = None,
    as_json: AsJson = False,
) -> None:
    """Let simulated devices register with a gateway, keep them registered, and answer what they are asked.

    Ends once each device has registered or given up (the first try and five more, with back-off);
    the registrations stay. With `--duration` it goes on that long, renews, and de-registers.
    The exit status is 0 only if all registered.

    Examples:

        nodegate simulate --server coap://127.0.0.1 --count 100 --duration 600 --scenario meters.toml

        nodegate simulate --server coap://127.0.0.1 --server coaps://127.0.0.1 --count 1000 --duration 600

        nodegate simulate --server coaps://gateway.example --devices made.csv --loss 0.3 --seed 1
    """
    servers = _select_servers(server, security)
    if count is not None and devices is None and count < len(servers):
        raise typer.BadParameter("fewer devices than servers", param_hint="--count")
    manner = Manner(cid, lifetime, jitter, lwm2m.value, queue_mode, confirmable)
    impairment = Impairment(loss=loss, duplicate=duplicate, reorder=reorder)
    try:
        course = _read_scenario(scenario, factory_contents(lwm2m.value, lifetime, queue_mode))
        targets = {kind: one.resolve() for kind, one in servers.items()}
        if devices is not None:
            identities = _choose(read_identities(devices), servers, security, devices)[:count]
        else:
            identities = _make(db, prefix, count or len(servers), servers)
        settings = FleetSettings(
            rate=rate or _default_rate(identities),
            uplink=impairment,
            downlink=impairment,
            rebind_s=rebind,
            seed=seed,
        )
        _run(_plan(identities, targets, manner, course), settings, duration, as_json)
    except SimulatorError as error:
        raise Refused(*error.lines) from error


def _select_servers(uris: Sequence[str], security: options.Kind | None) -> dict[Security, Server]:
    """The servers by the kind of device that they are for."""
    try:
        servers = {Security.PSK if one.is_secure else Security.NONE: one for one in parse_servers(uris)}
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--server") from error
    if security is None:
        return servers
    kind = Security(security)
    if kind not in servers:
        scheme = "coaps" if kind is Security.PSK else "coap"
        raise typer.BadParameter(f"{kind} devices need a {scheme}:// server", param_hint="--security")
    return {kind: servers[kind]}


def _choose(
    identities: list[Identity],
    servers: Mapping[Security, Server],
    security: options.Kind | None,
    path: Path,
) -> list[Identity]:
    """The devices of the file that are asked for."""
    kinds = split_by_kind(identities)
    lost = [kind for kind in kinds if kind not in servers]
    if security is None and lost:
        raise SimulatorError(
            f"{path}: no server is given for its {lost[0]} devices, such as {kinds[lost[0]][0].node_id}; "
            f"add one, or choose with --security"
        )
    chosen = [identity for identity in identities if identity.security in servers]
    if not chosen:
        raise SimulatorError(f"{path}: no devices to simulate")
    return chosen


def _read_scenario(path: Path | None, contents: Contents) -> Scenario:
    if path is None:
        return Scenario(contents)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SimulatorError(f"{path}: cannot be read: {error}") from error
    try:
        return parse_scenario(text, contents)
    except SimulatorError as error:
        raise SimulatorError(*(f"{path}: {line}" for line in error.lines)) from error


def _make(db: str, prefix: str, count: int, servers: Mapping[Security, Server]) -> list[Identity]:
    """Make the devices in the registry; what a running gateway knows of them is up to date afterwards."""
    from tools.admin.opening import open_administration

    share, rest = divmod(count, len(servers))
    kinds = sorted(servers, reverse=True)
    wanted = {kind: share + (number < rest) for number, kind in enumerate(kinds)}
    with open_administration(db) as administration:
        identities = create_identities(administration, prefix, wanted)
    if is_held(parse_url(db)):
        time.sleep(_NOTICED_AFTER_S)
    else:
        complain(f"no gateway runs on {db}, where the devices were made; another will not know them")
    return identities


def _default_rate(identities: Sequence[Identity]) -> float:
    secure = sum(identity.psk is not None for identity in identities)
    return _QUICK_RATE if secure <= _QUICK_UP_TO else _STEADY_RATE


def _plan(
    identities: Sequence[Identity],
    targets: Mapping[Security, Target],
    manner: Manner,
    course: Scenario,
) -> list[tuple[DeviceSettings, Target]]:
    return [
        (
            DeviceSettings(
                node_id=identity.node_id,
                psk=identity.psk,
                cid=b"" if manner.has_cid else None,
                lwm2m=manner.lwm2m,
                lifetime_s=manner.lifetime_s,
                is_queue_mode=manner.is_queue_mode,
                update_jitter=manner.jitter,
                contents=course.contents,
                steps=course.steps,
                is_confirmable=manner.is_confirmable,
            ),
            targets[identity.security],
        )
        for identity in identities
    ]


def _run(
    devices: Sequence[tuple[DeviceSettings, Target]],
    settings: FleetSettings,
    duration_s: float | None,
    as_json: bool,
) -> None:
    report = Report()
    begin = time.monotonic()
    asyncio.run(_run_fleet(devices, settings, report, duration_s))
    elapsed_s = time.monotonic() - begin
    if as_json:
        print_json(report.as_dict(elapsed_s))
    else:
        times = build_times(report)
        console().print(build_table(report, elapsed_s), *([times] if times.row_count else []))
    if not report.is_success:
        raise Refused(describe_failure(report))


async def _run_fleet(
    devices: Sequence[tuple[DeviceSettings, Target]],
    settings: FleetSettings,
    report: Report,
    duration_s: float | None,
) -> None:
    """Run the fleet with its live line; a signal ends it early, a second one at once."""
    fleet = Fleet(devices, settings, report)
    loop = asyncio.get_running_loop()
    for signal_number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signal_number, fleet.interrupt)
    begin = loop.time()
    with LiveLine(report, Console(file=sys.stderr)) as line:

        def redraw() -> None:
            line.update(loop.time() - begin)
            loop.call_later(_REDRAWN_EVERY_S, redraw)

        redraw()
        await fleet.run(duration_s, deregisters=duration_s is not None)
