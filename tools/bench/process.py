"""A server under measurement: started, asked for its ports, its CPU time and memory read from outside.

Linux only: nanoseconds of run time come from ``/proc/PID/task/*/schedstat``.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

_START_S = 20.0
_STOP_S = 20.0


class NotStarted(Exception):
    """A server under measurement did not come up; the text holds the last thing it said."""


class ServerProcess:
    """``with ServerProcess([...], listeners=2) as server``: runs until the block ends."""

    def __init__(
        self,
        arguments: Sequence[str],
        listeners: int,
        log: Path,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self._arguments = [sys.executable, *arguments]
        self._listeners = listeners
        self._log = log
        self._environment = {**os.environ, **(environment or {})}
        self.ports: dict[str, int] = {}

    def __enter__(self) -> ServerProcess:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                self._arguments, stdout=subprocess.PIPE, stderr=log, env=self._environment, bufsize=0
            )
        with ExitStack() as stack:
            stack.callback(self._stop)
            for _ in range(self._listeners):
                scheme, port = self._listening()
                self.ports[scheme] = port
            stack.pop_all()
        _pin(self._process.pid, 0)
        _pin(0, -1)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop()

    def cpu_ns(self) -> int:
        """Run time of all threads so far, nanoseconds."""
        tasks = Path(f"/proc/{self._process.pid}/task")
        return sum(int((task / "schedstat").read_text().split()[0]) for task in tasks.iterdir())

    def resident_bytes(self) -> int:
        """Memory in RAM now."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def _listening(self) -> tuple[str, int]:
        stdout = self._process.stdout
        assert stdout is not None
        ready, _, _ = select.select([stdout], [], [], _START_S)
        line = stdout.readline().decode() if ready else ""
        if not line.startswith("listening "):
            said = self._log.read_text(errors="backslashreplace").strip().splitlines()
            raise NotStarted(
                f"{' '.join(self._arguments[1:])} did not start: {said[-1] if said else 'silence'}"
            )
        uri = urlsplit(line.split()[1])
        return uri.scheme, uri.port or 0

    def _stop(self) -> None:
        self._process.terminate()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


def _pin(pid: int, which: int) -> None:
    """Server and load on different processors where there are two, so that neither waits for the other."""
    available = sorted(os.sched_getaffinity(0)) if pid == 0 else sorted(os.sched_getaffinity(pid))
    everything = range(os.cpu_count() or 1)
    chosen = (available if len(available) > 1 else list(everything))[which]
    for task in Path(f"/proc/{pid or os.getpid()}/task").iterdir():
        os.sched_setaffinity(int(task.name), {chosen})
