"""A started gateway, and foreign programs that talk to it.

Knows where foreign programs are looked for, how to run one and how to wait for what it says. Does not know
what any of them prints: that stands in the test of each. The gateway is seen from outside only, through the
`nodegate` command.
"""

from __future__ import annotations

import json
import os
import pty
import re
import secrets
import select
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import pytest
from aiocoap import CON, POST, Message
from aiocoap.numbers.contentformat import ContentFormat

PROJECT = Path(__file__).resolve().parents[2]
DEADLINE_S = 20.0
"No wait for a foreign program or the gateway is longer."

LINKS = "</1/0>,</3/0>"
POOL = 100
"Devices of each kind that a gateway starts with."

_FROM_SOURCE = "build it outside the project and put it on PATH or into the folder NODEGATE_CLIENTS names"
INSTALL = {
    "openssl": "apt install openssl",
    "gnutls-cli": "apt install gnutls-bin",
    "coap-client-openssl": "apt install libcoap3-bin",
    "coap-client-gnutls": "apt install libcoap3-bin",
    "coap-client-notls": "apt install libcoap3-bin",
    "aiocoap-client": "pip install aiocoap",
    "pion": f"a sender on pion/dtls; {_FROM_SOURCE}",
    "pion-rrc": f"a sender on a pion/dtls after 3.1.15, with return routability check; {_FROM_SOURCE}",
    "wolfssl-sender": f"a sender on wolfSSL with PSK and connection IDs; {_FROM_SOURCE}",
    "demo": f"the demo client of AVSystem/Anjay; {_FROM_SOURCE}",
    "lwm2mclient": f"the client of eclipse-wakaama/wakaama; {_FROM_SOURCE}",
    "lwm2mclient_tinydtls": f"the tinydtls client of eclipse-wakaama/wakaama; {_FROM_SOURCE}",
    "dtls-client": f"the test client of eclipse-tinydtls/tinydtls; {_FROM_SOURCE}",
    "ssl_client2": f"the test client of Mbed-TLS/mbedtls; {_FROM_SOURCE}",
    "ssl_server2": f"the test server of Mbed-TLS/mbedtls; {_FROM_SOURCE}",
    "java": "apt install openjdk-17-jre-headless",
}
COMMON_NAMES = {"demo": b"Anjay"}
"Programs whose name others have too → what stands in the right one."


def clients_folder() -> Path:
    """Where clients built from source are: ``NODEGATE_CLIENTS``, else ``../clients`` beside the project."""
    return Path(os.environ.get("NODEGATE_CLIENTS", PROJECT.parent / "clients"))


def require(name: str) -> str:
    """Path of a foreign program; without it the test is skipped, saying how to get it."""
    folder = clients_folder()
    places = [Path(sys.executable).parent, folder, folder / "bin", folder / name]
    found = shutil.which(name, path=os.pathsep.join(map(str, places))) or shutil.which(name)
    if found is None or COMMON_NAMES.get(name, b"") not in Path(found).read_bytes():
        pytest.skip(f"{name} is not there: {INSTALL[name]}")
    return found


def require_folder(name: str, what: str) -> Path:
    """A folder among the clients built from source; without it the test is skipped, saying how to get it."""
    folder = clients_folder() / name
    if not folder.is_dir():
        pytest.skip(f"{name} is not in {clients_folder()}: {what}; {_FROM_SOURCE}")
    return folder


class Device(NamedTuple):
    """A device the administrator created beforehand."""

    node_id: str
    key: bytes
    "The pre-shared key; empty for a device without security."


def register_query(node_id: str) -> str:
    """What a Register puts after ``/rd?``."""
    return f"ep={node_id}&lt=60&lwm2m=1.1&b=U"


def register_datagram(node_id: str, message_id: int = 0x1234, token: bytes = b"\xb2") -> bytes:
    """A whole confirmable Register, as bytes for clients that only carry datagrams."""
    message = Message(code=POST, _mtype=CON, _mid=message_id, _token=token, payload=LINKS.encode())
    message.opt.uri_path = ("rd",)
    message.opt.uri_query = tuple(register_query(node_id).split("&"))
    message.opt.content_format = ContentFormat.LINKFORMAT
    return message.encode()


class Program:
    """A program under way: says what it printed (both streams, merged) and waits for what it will print.

    With *terminal* it writes to a pseudo-terminal, for programs that hold back their output from a pipe.
    Leaving the context ends the program.
    """

    def __init__(self, command: Sequence[str | bytes], *, terminal: bool = False) -> None:
        self.output = b""
        self._seen = 0
        self._at_end = False
        if terminal:
            self._reader, writer = pty.openpty()
        else:
            self._reader, writer = os.pipe()
        # In our process group: who ends the tests from outside ends the program too.
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=writer, stderr=writer)
        os.close(writer)

    def __enter__(self) -> Program:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.kill()
        self.close_input()
        self._process.wait()
        os.close(self._reader)

    def say(self, data: bytes) -> None:
        """Write to the program's standard input, which stays open."""
        assert self._process.stdin is not None
        self._process.stdin.write(data)
        self._process.stdin.flush()

    def close_input(self) -> None:
        """End of the program's standard input."""
        assert self._process.stdin is not None
        if not self._process.stdin.closed:
            self._process.stdin.close()

    def expect(self, pattern: bytes) -> re.Match[bytes]:
        """Wait until the program prints *pattern*, after what was matched before.

        Fails when the program ends without it, and at the deadline.
        """
        deadline = time.monotonic() + DEADLINE_S
        while (match := re.compile(pattern, re.DOTALL).search(self.output, self._seen)) is None:
            assert not self._at_end, f"ended without {pattern!r}:\n{self.text}"
            assert self._read(deadline), f"did not print {pattern!r}:\n{self.text}"
        self._seen = match.end()
        return match

    def finish(self) -> str:
        """Wait for the program's end by itself; what it printed in all."""
        deadline = time.monotonic() + DEADLINE_S
        while not self._at_end:
            assert self._read(deadline), f"did not end:\n{self.text}"
        self._process.wait(DEADLINE_S)
        return self.text

    @property
    def text(self) -> str:
        """What was printed so far, for people."""
        return self.output.decode(errors="backslashreplace")

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._reader], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return False
        try:
            chunk = os.read(self._reader, 65536)
        except OSError:  # a pseudo-terminal whose other side is closed
            chunk = b""
        self._at_end = not chunk
        self.output += chunk
        return True


class Gateway:
    """A gateway in a process of its own, on ports of the system's choice, with an own registry."""

    def __init__(self, folder: Path, devices: Sequence[Device]) -> None:
        self.host = "127.0.0.1"
        self.coap_port = 0
        self.coaps_port = 0
        self._database = f"sqlite:///{folder / 'nodegate.db'}"
        self._unused = list(devices)

    def create(self, node_id: str, *flags: str) -> None:
        """`nodegate device create`; the gateway notices within a second."""
        run_nodegate("device", "create", node_id, *flags, "--db", self._database)

    def take(self, *, secure: bool) -> Device:
        """A device that no other test uses."""
        device = next(device for device in self._unused if bool(device.key) is secure)
        self._unused.remove(device)
        return device

    @property
    def coap(self) -> str:
        """URI of the plain CoAP listener, without a path."""
        return f"coap://{self.host}:{self.coap_port}"

    @property
    def coaps(self) -> str:
        """URI of the DTLS listener, without a path."""
        return f"coaps://{self.host}:{self.coaps_port}"

    def show(self, node_id: str) -> Any:
        """`nodegate device show`."""
        return json.loads(run_nodegate("device", "show", node_id, "--db", self._database, "--json"))

    def ask(self, *words: str) -> Any:
        """What a `nodegate` command that reads or writes a device answers, which must be done."""
        return json.loads(run_nodegate(*words, "--db", self._database, "--json"))

    def wait_for(self, node_id: str, condition: Callable[[Any], bool]) -> Any:
        """Ask `device show` until *condition* holds of its answer, and give that."""
        deadline = time.monotonic() + DEADLINE_S
        while not condition(shown := self.show(node_id)):
            assert time.monotonic() < deadline, f"never came about: {shown}"
        return shown

    def wait_until_online(self, node_id: str) -> Any:
        """`device show` once the device has a live registration."""
        return self.wait_for(node_id, lambda shown: shown["state"] == "online")

    def wait_until_deregistered(self, node_id: str) -> Any:
        """`device show` once the device, which was registered, has no registration."""
        return self.wait_for(node_id, lambda shown: shown["state"] == "offline")

    def events_of(self, node_id: str) -> list[str]:
        """Types of the device's events, oldest first."""
        lines = run_nodegate("events", "--db", self._database, "--json").splitlines()
        return [event["type"] for event in map(json.loads, lines) if event["node_id"] == node_id]


def _nodegate(*words: str) -> list[str]:
    entry = "import sys; from tools.admin.main import main; sys.exit(main())"
    return [sys.executable, "-c", entry, *words]


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("NODEGATE_")}


def run_nodegate(*words: str) -> str:
    """What a `nodegate` command, which must do what it is told, answers."""
    done = subprocess.run(
        _nodegate(*words),
        cwd=PROJECT,
        env=_environment(),
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=False,
    )
    assert done.returncode == 0, f"nodegate {' '.join(words)}:\n{done.stderr}"
    return done.stdout


def _import_devices(folder: Path) -> list[Device]:
    devices = [Device(f"urn:imei:{imei(number)}", _new_key()) for number in range(POOL)]
    devices += [Device(f"interop-{number:02}", b"") for number in range(POOL)]
    table = folder / "devices.csv"
    rows = [f"{device.node_id},{'psk' if device.key else 'none'},{device.key.hex()}" for device in devices]
    table.write_text("\n".join(["node_id,security,secret", *rows, ""]))
    run_nodegate("device", "import", str(table), "--db", f"sqlite:///{folder / 'nodegate.db'}", "--json")
    return devices


def _new_key() -> bytes:
    # Some programs take the key as an argument, byte for byte: no zero byte and no space.
    return bytes(0x21 + secrets.randbelow(0xDF) for _ in range(16))


def imei(number: int) -> str:
    """A well-formed IMEI: 14 digits and Luhn's check digit."""
    body = f"49015420{number:06}"
    doubled = "".join(str(int(digit) * (1 + index % 2)) for index, digit in enumerate(body))
    return body + str(-sum(map(int, doubled)) % 10)


@contextmanager
def started_gateway(folder: Path, *flags: str) -> Iterator[Gateway]:
    """A gateway that listens on loopback, with its registry in *folder*; it must stop cleanly on SIGTERM."""
    gateway = Gateway(folder, _import_devices(folder))
    log_path = folder / "gateway.log"
    words = ("serve", "--host", gateway.host, "--coap-port", "0", "--coaps-port", "0", *flags)
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            _nodegate(*words, "--db", f"sqlite:///{folder / 'nodegate.db'}"),
            cwd=PROJECT,
            env=_environment(),
            stdout=subprocess.PIPE,
            stderr=log,
        )
    assert process.stdout is not None
    try:
        ports = dict(_listeners(process.stdout.fileno(), log_path))
        gateway.coap_port, gateway.coaps_port = ports["coap"], ports["coaps"]
        yield gateway
        process.send_signal(signal.SIGTERM)
        status = process.wait(DEADLINE_S)
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
    logged = log_path.read_text(errors="backslashreplace")
    assert status == 0, f"the gateway's exit status was {status}:\n{logged}"
    assert "Traceback" not in logged, logged


def _listeners(stdout: int, log_path: Path) -> Iterator[tuple[str, int]]:
    deadline = time.monotonic() + DEADLINE_S
    said = b""
    while said.count(b"\n") < 2:
        ready, _, _ = select.select([stdout], [], [], max(0.0, deadline - time.monotonic()))
        chunk = os.read(stdout, 4096) if ready else b""
        assert chunk, f"the gateway did not start; it said {said!r} and\n{log_path.read_text()}"
        said += chunk
    for scheme, port in re.findall(r"^listening (\w+)://\S*:(\d+)$", said.decode(), re.MULTILINE):
        yield scheme, int(port)
