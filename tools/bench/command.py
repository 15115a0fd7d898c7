"""``nodegate bench``: runs the scenarios side by side and prints what they cost."""

from __future__ import annotations

import json
import secrets
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median
from typing import Annotated

import typer
from rich.console import Console

from registry.administration import Administration
from registry.model import NewDevice, Security
from registry.sqlite import Database
from tools.bench import downlink, load, scenarios
from tools.bench.certified import CertifiedFleet, make_fleet
from tools.bench.figures import Promise, Results, figure, print_results
from tools.bench.padding import measure_padding
from tools.bench.process import NotStarted, ServerProcess
from tools.bench.scenarios import PlainDevices, SecureDevices
from tools.bench.secure import Credential, handshake

SECURE_PORTS = 128
"Source ports that the security devices share; a connection id tells them apart."

PROMISED = {
    "Register over coap": Promise(50, 10),
    "Update over coap": Promise(25, 5),
    "Send of ten values": Promise(150),
    "command, stored and done": Promise(300),
    "PSK handshake": Promise(100, 20),
    "Update over coaps": Promise(35, 7),
    "ECDHE-ECDSA handshake, both with certificates": Promise(320),
    "the same, the device's chain not seen before": Promise(320),
    "request to a device, 10,000 at once": Promise(200),
    "notification": Promise(300),
}

ECHO = "drained Python echo"
ECHOES_PER_PLAIN = 5
"Datagrams of an echo, for each plain device."

PLAIN_PER_CERTIFIED = 4
SECURE_PER_CERTIFIED = 5
"Devices of the other kinds, also for the memory figures, for each one with a certificate."

OUTSTANDING_PER_PLAIN = 2.5
"Devices that are asked at once, for each plain device: 10,000 by default."


def bench(
    rounds: Annotated[int, typer.Option(min=1, max=20, help="Repetitions; the median is given.")] = 3,
    count: Annotated[int, typer.Option(min=500, max=8_000, help="Devices of each kind.")] = 4_000,
    memory_devices: Annotated[
        int, typer.Option(min=0, max=100_000, help="Secure devices for the memory figure; 0 leaves it out.")
    ] = 20_000,
    hostile: Annotated[
        int, typer.Option(min=1_000, max=1_000_000, help="Datagrams of each hostile kind.")
    ] = 100_000,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON value.")] = False,
) -> None:
    """Measure the CPU that the server's process spends on each operation.

    Everything runs on loopback in one go: the gateway, a drained Python echo and stock aiocoap, so that
    the ratios hold on any machine. Linux only.

    Examples:

        nodegate bench

        nodegate bench --rounds 5 --json > bench.json
    """
    if not sys.platform.startswith("linux"):
        raise typer.BadParameter("the benchmark reads /proc and runs on Linux only")
    progress = Console(stderr=True)
    try:
        with tempfile.TemporaryDirectory(prefix="nodegate-bench-") as folder:
            results = _run(Path(folder), rounds, count, memory_devices, hostile, progress)
    except (load.Unanswered, NotStarted) as error:
        print(f"nodegate: bench gave no figures: {error}", file=sys.stderr)
        raise typer.Exit(1) from None
    if as_json:
        print(json.dumps(results.as_json()))
    else:
        print_results(results, Console())


def _run(
    folder: Path, rounds: int, count: int, memory_devices: int, hostile: int, progress: Console
) -> Results:
    plain_ids = [f"bench-plain-{index:06}" for index in range(count)]
    credentials = [
        Credential(f"bench-psk-{index:06}", secrets.token_bytes(16)) for index in range(count // 2)
    ]
    with ExitStack() as stack:
        echo_server = stack.enter_context(_echo(folder))
        stock_server = stack.enter_context(_stock(folder))
        fleet = make_fleet("bench-x509", count // PLAIN_PER_CERTIFIED)
        server = stack.enter_context(_gateway(folder, "main", plain_ids, credentials, fleet))
        sockets = stack.enter_context(load.connected_sockets(SECURE_PORTS, server.ports["coaps"]))
        plain_sockets = stack.enter_context(
            load.connected_sockets(scenarios.PLAIN_PORTS, server.ports["coap"])
        )
        plain = PlainDevices(server, plain_ids, plain_sockets)
        # Its receive buffer has the system's size: more outstanding ones would overflow it.
        stock_sockets = stack.enter_context(
            load.connected_sockets(scenarios.WINDOW, stock_server.ports["coap"])
        )
        stock = PlainDevices(stock_server, plain_ids[:1_000], stock_sockets)
        secure = SecureDevices(server, credentials, sockets)

        operations = {
            **_plain(plain),
            "command, stored and done": lambda: downlink.stored_commands(plain, folder / "main.db"),
            **_secure(secure, fleet),
            **_downlink(stack.enter_context(_asker(folder)), int(OUTSTANDING_PER_PLAIN * count)),
            "stock aiocoap, Register": stock.register,
            "stock aiocoap, Update": lambda: stock.update(2),
        }
        times, echoes = _rounds(
            rounds, progress, lambda: scenarios.echo(echo_server, ECHOES_PER_PLAIN * count), operations
        )

        progress.print("burst, hostile datagrams")
        answered = plain.burst()
        hostile_us, growth = _hostile(server, secure, hostile)

    memory, session_bytes = _memories(folder, memory_devices, progress) if memory_devices else (None, None)
    padding = measure_padding(hostile)
    all_echoes = [cost for around in echoes.values() for cost in around]
    return Results(
        figures=(
            figure(ECHO, all_echoes, all_echoes),
            *(figure(name, costs, echoes[name], PROMISED.get(name)) for name, costs in times.items()),
        ),
        speedup={name: _speedup(times, name) for name in ("Update", "Register")},
        memory_bytes_per_device=memory,
        memory_devices=memory_devices,
        burst_sent=len(plain_ids),
        burst_answered=answered,
        hostile_us=hostile_us,
        certificate_session_bytes=session_bytes,
        padding=padding,
        hostile_growth_bytes=growth,
    )


def _plain(devices: PlainDevices) -> dict[str, Callable[[], float]]:
    return {
        "Register over coap": devices.register,
        "Update over coap": lambda: devices.update(5),
        "Send of ten values": lambda: devices.send(1),
    }


def _secure(devices: SecureDevices, fleet: CertifiedFleet) -> dict[str, Callable[[], float]]:
    return {
        "PSK handshake": devices.handshake,
        "Register over coaps": devices.register,
        "Update over coaps": lambda: devices.update(5),
        "ECDHE-ECDSA handshake, both with certificates": lambda: scenarios.certified_handshakes(
            devices.server, devices.sockets, fleet.devices
        ),
        "the same, the device's chain not seen before": lambda: scenarios.certified_handshakes(
            devices.server, devices.sockets, fleet.renewed().devices
        ),
    }


def _downlink(asker: ServerProcess, count: int) -> dict[str, Callable[[], float]]:
    return {
        "request to a device, 10,000 at once": lambda: downlink.outstanding(asker, count),
        "notification": lambda: downlink.notifications(asker, count, 1),
    }


def _speedup(times: Mapping[str, Sequence[float]], name: str) -> float:
    return median(times[f"stock aiocoap, {name}"]) / median(times[f"{name} over coap"])


def _rounds(
    rounds: int, progress: Console, echo: Callable[[], float], operations: Mapping[str, Callable[[], float]]
) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    """Microseconds of each operation in each round, and of the echo around it.

    The operations take turns, and a round warms up. The echo is measured between all of them: what a
    datagram costs on a virtual machine may change by half from one second to the next.
    """
    times: dict[str, list[float]] = {name: [] for name in operations}
    echoes: dict[str, list[float]] = {name: [] for name in operations}
    for turn in range(rounds + 1):
        progress.print(f"round {turn} of {rounds}" if turn else "warming up")
        before = echo()
        for name, operation in operations.items():
            cost = operation()
            after = echo()
            if turn:
                times[name].append(cost)
                echoes[name].append((before + after) / 2)
            before = after
    return times, echoes


def _hostile(server: ServerProcess, secure: SecureDevices, count: int) -> tuple[dict[str, float], int]:
    """Microseconds of each kind, and the bytes that those without an answer left behind."""
    noise = scenarios.random_datagrams(count)
    each = max(1, count // len(secure.clients))
    before = server.resident_bytes()
    costs = {
        "random datagram to the coap port": scenarios.hostile(server, "coap", noise),
        "random datagram to the coaps port": scenarios.hostile(server, "coaps", noise),
        "forged record to the coaps port": scenarios.hostile(server, "coaps", secure.forge(each)),
    }
    growth = server.resident_bytes() - before
    # These are answered, so they are remembered like every request, under the table's cap.
    costs["Update of an unknown registration"] = scenarios.unknown_updates(server, count)
    return costs, growth


def _memories(folder: Path, devices: int, progress: Console) -> tuple[float, float]:
    """Of a registered secure device, and of a session with a certificate."""
    return _memory(folder, devices, progress), _certified_memory(folder, devices // SECURE_PER_CERTIFIED)


def _memory(folder: Path, devices: int, progress: Console) -> float:
    """Bytes that one more registered secure device takes: a full gateway against a nearly empty one."""
    progress.print(f"memory of {devices:,} secure devices")
    few = 500
    resident = []
    for name, number in (("few", few), ("many", devices + few)):
        credentials = [
            Credential(f"bench-{name}-{index:06}", secrets.token_bytes(16)) for index in range(number)
        ]
        with (
            _gateway(folder, name, [], credentials) as server,
            load.connected_sockets(SECURE_PORTS, server.ports["coaps"]) as sockets,
        ):
            for start in range(0, number, few):
                batch = SecureDevices(server, credentials[start : start + few], sockets)
                batch.handshake()
                batch.register()
                batch.update(1)
            resident.append(server.resident_bytes())
    return (resident[1] - resident[0]) / devices


def _certified_memory(folder: Path, devices: int) -> float:
    """Bytes that one more session with a certificate takes, its device being there already."""
    few = 500
    fleet = make_fleet("bench-session", few + devices)
    place = folder / "certified"
    place.mkdir()
    with (
        _gateway(place, "certified", [], [], fleet) as server,
        load.connected_sockets(SECURE_PORTS, server.ports["coaps"]) as sockets,
    ):
        handshake(sockets, fleet.devices[:few])
        before = server.resident_bytes()
        for start in range(few, few + devices, few):
            handshake(sockets, fleet.devices[start : start + few])
        return (server.resident_bytes() - before) / devices


def _echo(folder: Path) -> ServerProcess:
    return ServerProcess(["-m", "tools.bench.echo"], 1, folder / "echo.log")


def _asker(folder: Path) -> ServerProcess:
    return ServerProcess(["-m", "tools.bench.asker"], 1, folder / "asker.log")


def _stock(folder: Path) -> ServerProcess:
    return ServerProcess(["-m", "tools.bench.stock"], 1, folder / "stock.log")


def _gateway(
    folder: Path,
    name: str,
    plain_ids: Sequence[str],
    credentials: Sequence[Credential],
    fleet: CertifiedFleet | None = None,
) -> ServerProcess:
    url = f"sqlite:///{folder / name}.db"
    with Administration(Database.open(url)) as administration:
        administration.import_devices(
            [
                *(NewDevice(node_id, Security.NONE) for node_id in plain_ids),
                *(NewDevice(item.node_id, Security.PSK, item.secret) for item in credentials),
                *(NewDevice(item.node_id, Security.X509) for item in (fleet.devices if fleet else ())),
            ]
        )
    flags = ["--host", "127.0.0.1", "--coap-port", "0", "--coaps-port", "0"]
    # All devices come from one address here: the limit on it would end the run, and costs nothing itself.
    flags += ["--set", "dtls.handshakes_per_minute=0"]
    # On a busy machine a commit may take longer; then the answer to be counted would be a later message.
    flags += ["--set", "coap.empty_ack_delay_s=0.5"]
    if fleet is not None:
        flags += ["--set", f"dtls.trust_dir={fleet.write_trust_folder(folder)}"]
    return ServerProcess(["-m", "tools.admin.main", "serve", "--db", url, *flags], 2, folder / f"{name}.log")
