"""``nodegate serve`` from outside: listeners, signals, faults (docs/operations)."""

from __future__ import annotations

import json
import resource
import signal
import socket
import sqlite3
import subprocess
from contextlib import closing, suppress
from pathlib import Path

import aiocoap
import pytest

from registry.model import NewDevice, Security
from tests.support.command import run_nodegate
from tests.support.serving import CLEAN, PlainDevice, Serving, import_devices, serving


@pytest.fixture
def database(tmp_path: Path) -> Path:
    file = tmp_path / "nodegate.db"
    import_devices(file, [NewDevice("meter-1", Security.NONE), NewDevice("meter-2", Security.NONE)])
    return file


def fault_of_serve(*flags: str) -> str:
    return run_nodegate("serve", *flags, environment=CLEAN).fault


def test_each_listener_is_announced_by_a_line(database: Path) -> None:
    with serving(database) as gateway:
        assert [(scheme, host) for scheme, host, _ in gateway.listeners] == [
            ("coap", "127.0.0.1"),
            ("coaps", "127.0.0.1"),
        ]


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_by_default_both_families_are_served_on_one_port(database: Path) -> None:
    with serving(database, host="", listeners=4) as gateway:
        assert sorted((scheme, host) for scheme, host, _ in gateway.listeners) == [
            ("coap", "0.0.0.0"),
            ("coap", "[::]"),
            ("coaps", "0.0.0.0"),
            ("coaps", "[::]"),
        ]
        assert len({(scheme, port) for scheme, _, port in gateway.listeners}) == 2
        for host, node_id in (("127.0.0.1", "meter-1"), ("::1", "meter-2")):
            with PlainDevice(gateway.port("coap"), host) as device:
                assert device.register(node_id).code == aiocoap.CREATED


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_a_clean_stop(database: Path, number: signal.Signals) -> None:
    with serving(database) as gateway:
        gateway.process.send_signal(number)
        _, err = gateway.process.communicate(timeout=20)
        assert gateway.process.returncode == 0, err
        assert "Traceback" not in err


def test_what_was_counted_is_told_on_request_and_at_the_end(database: Path) -> None:
    with serving(database, "--log-format", "json") as gateway, PlainDevice(gateway.port("coap")) as device:
        device.register("meter-1")
        device.socket.send(b"no CoAP")
        gateway.process.send_signal(signal.SIGUSR1)
        told = totals(gateway)
        assert (told["coap.received"], told["messages.requests"]) >= (1, 1)
        assert "coaps.received" not in told, "what never happened is left out"
        _, err = gateway.stop()
    [at_the_end] = [line for line in map(json.loads, err.splitlines()) if line["event"] == "counted"]
    assert at_the_end["coap.received"] == 2
    assert at_the_end["messages.dropped_malformed"] == 1


def totals(gateway: Serving) -> dict[str, int]:
    """The next line of the log that tells what was counted."""
    assert gateway.process.stderr is not None
    while (line := json.loads(gateway.process.stderr.readline()))["event"] != "counted":
        pass
    return line


def test_a_second_signal_does_not_wait_for_the_end_of_the_first(database: Path) -> None:
    with serving(database) as gateway, PlainDevice(gateway.port("coap")) as device:
        location = device.register("meter-1").opt.location_path
        with closing(sqlite3.connect(database, isolation_level=None)) as other:
            # Nothing can be written any more, so the clean stop takes its time.
            other.execute("BEGIN IMMEDIATE")
            while gateway.process.poll() is None:
                gateway.process.send_signal(signal.SIGTERM)
                with suppress(subprocess.TimeoutExpired):
                    gateway.process.wait(0.05)
        assert gateway.process.returncode == -signal.SIGTERM
    with serving(database) as second, PlainDevice(second.port("coap")) as device:
        assert device.update(location).code == aiocoap.CHANGED


def test_a_registration_goes_on_after_a_clean_stop(database: Path) -> None:
    with serving(database) as first, PlainDevice(first.port("coap")) as device:
        location = device.register("meter-1").opt.location_path
        assert first.stop()[0] == 0
    with serving(database) as second, PlainDevice(second.port("coap")) as device:
        assert device.update(location).code == aiocoap.CHANGED


def test_a_port_in_use_is_one_line_that_says_what_to_do(database: Path, tmp_path: Path) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
        fault = fault_of_serve(
            "--db", f"sqlite:///{database}", "--host", "127.0.0.1", "--coap-port", str(port)
        )
    assert f"port {port} is in use" in fault
    assert "choose another port" in fault


def test_one_port_for_both_listeners_is_refused_as_what_it_is(database: Path) -> None:
    flags = ("--host", "127.0.0.1", "--coap-port", "40000", "--coaps-port", "40000")
    fault = fault_of_serve("--db", f"sqlite:///{database}", *flags)
    assert fault == "UDP port 40000 was chosen for CoAP and for DTLS: choose two ports"


def test_a_second_gateway_on_the_same_registry_is_refused(database: Path) -> None:
    with serving(database) as first:
        fault = fault_of_serve("--db", f"sqlite:///{database}", "--host", "127.0.0.1", "--coap-port", "0")
        assert str(first.process.pid) in fault


def test_sealed_secrets_without_their_key_stop_the_start(tmp_path: Path) -> None:
    database = tmp_path / "nodegate.db"
    import_devices(database, [NewDevice("modem-1", Security.PSK)])
    key = tmp_path / "nodegate.db.key"
    key.unlink()
    assert "key is missing" in fault_of_serve("--db", f"sqlite:///{database}")
    assert not key.exists()
    key.write_text("00" * 32)
    assert "another key" in fault_of_serve("--db", f"sqlite:///{database}")


def test_a_change_by_the_command_line_bites_while_the_gateway_runs(database: Path) -> None:
    with serving(database) as gateway, PlainDevice(gateway.port("coap")) as device:
        location = device.register("meter-1").opt.location_path
        nodegate(database, "device", "freeze", "meter-1")
        assert until_refused(device, location) == aiocoap.NOT_FOUND
        assert device.register("meter-1").code == aiocoap.FORBIDDEN
        run_nodegate(
            "device",
            "create",
            "meter-9",
            "--security",
            "none",
            "--db",
            f"sqlite:///{database}",
            environment=CLEAN,
        )
        while (answer := device.register("meter-9").code) == aiocoap.FORBIDDEN:
            pass
        assert answer == aiocoap.CREATED


def nodegate(database: Path, *words: str) -> None:
    answer = run_nodegate(*words, "--db", f"sqlite:///{database}", environment=CLEAN)
    assert answer.status == 0, answer.err


def until_refused(device: PlainDevice, location: tuple[str, ...]) -> aiocoap.Code:
    """Update until it is refused; each answer is waited for, so this asks a few thousand times at most."""
    for _ in range(100_000):
        code = device.update(location).code
        if code != aiocoap.CHANGED:
            return code
    raise AssertionError("the freeze was never noticed")


@pytest.mark.skipif(not hasattr(resource, "prlimit"), reason="needs prlimit, which is Linux's")
def test_a_full_disk_refuses_registers_for_a_while_and_nothing_else(database: Path) -> None:
    with serving(database) as gateway, PlainDevice(gateway.port("coap")) as device:
        location = device.register("meter-1").opt.location_path
        limit_file_size(gateway, 0)
        refused = device.register("meter-2")
        assert refused.code == aiocoap.SERVICE_UNAVAILABLE
        assert refused.opt.max_age is not None
        assert device.update(location).code == aiocoap.CHANGED
        limit_file_size(gateway, resource.RLIM_INFINITY)
        assert device.register("meter-2").code == aiocoap.CREATED
        assert device.update(location).code == aiocoap.CHANGED
        status, err = gateway.stop()
        assert status == 0, err


def limit_file_size(gateway: Serving, size_bytes: int) -> None:
    """What a full disk looks like to the process: writes that would extend a file fail."""
    _, hard = resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (size_bytes, hard))
