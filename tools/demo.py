"""``tools/run --demo``: a gateway with a few simulated devices of both kinds, and what to try next.

Everything is one of the commands that users have; this module only starts them and waits.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import IO

_START_S = 20.0
_STOP_S = 15.0
_LISTENERS = 2

_NEXT = """
The events below are devices registering. In a second terminal:

    . {activate}
    export NODEGATE_DB={url}
    nodegate device list                          who may come, who is here
    nodegate device show sim-000001               one of them in full
    nodegate device freeze sim-000001             it is out within a second; unfreeze lets it back
    nodegate device create my-device              a security device; its secret is shown this once
    nodegate events --type registered             what happened
    nodegate simulate --server {coap} --count 100

Ctrl-C ends the demo and removes everything it made.
"""


def main() -> int:
    """Run until interrupted, or for ``--duration`` seconds."""
    parser = argparse.ArgumentParser(prog="tools/run --demo", description="A gateway with simulated devices.")
    parser.add_argument("--duration", type=float, metavar="SECONDS", help="end by itself after this time")
    parser.add_argument("--count", type=int, default=6, metavar="N", help="simulated devices (default 6)")
    options = parser.parse_args()
    with ExitStack() as stack, contextlib.suppress(KeyboardInterrupt):
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="nodegate-demo-")))
        return _run(stack, folder, options.count, options.duration)
    return 0


def _run(stack: ExitStack, folder: Path, count: int, duration_s: float | None) -> int:
    url = f"sqlite:///{folder / 'demo.db'}"
    log = stack.enter_context((folder / "gateway.log").open("w+"))
    ports = ("--coap-port", "0", "--coaps-port", "0")
    gateway = stack.enter_context(_started("serve", "--db", url, "--host", "127.0.0.1", *ports, log=log))
    uris = _listening(gateway)
    if len(uris) < _LISTENERS:
        log.seek(0)
        print(log.read(), end="", file=sys.stderr)
        return 1
    for uri in uris:
        print(f"listening {uri}")
    activate = Path(sys.executable).parent / "activate"
    print(_NEXT.format(activate=activate, url=url, coap=uris[0]), flush=True)
    stack.enter_context(_started("events", "--db", url, "--follow", "--type", "registered"))
    servers = [word for uri in uris for word in ("--server", uri)]
    simulated = stack.enter_context((folder / "devices.log").open("w"))
    until = str(duration_s or 86_400)
    devices = ("simulate", *servers, "--db", url, "--count", str(count), "--duration", until, "--json")
    stack.enter_context(_started(*devices, log=simulated, stdout=simulated))
    try:
        return gateway.wait(duration_s)
    except subprocess.TimeoutExpired:
        return 0


@contextlib.contextmanager
def _started(
    *arguments: str, log: IO[str] | None = None, stdout: IO[str] | int = subprocess.PIPE
) -> Iterator[subprocess.Popen[bytes]]:
    """A nodegate command as a process that ends with the block."""
    is_shown = log is None
    process = subprocess.Popen(
        [sys.executable, "-m", "tools.admin.main", *arguments],
        stdout=None if is_shown else stdout,
        stderr=log,
        bufsize=0,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()


def _listening(gateway: subprocess.Popen[bytes]) -> list[str]:
    """The URIs that the gateway names within its time to start."""
    assert gateway.stdout is not None
    uris: list[str] = []
    deadline = time.monotonic() + _START_S
    while len(uris) < _LISTENERS and time.monotonic() < deadline:
        ready, _, _ = select.select([gateway.stdout], [], [], 0.2)
        if ready:
            line = gateway.stdout.readline().decode()
            if not line:
                break
            uris.append(line.removeprefix("listening ").strip())
    return uris


if __name__ == "__main__":
    sys.exit(main())
