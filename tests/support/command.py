"""The ``nodegate`` command as a user has it: a command line in, exit status and two texts out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from unittest import mock

from typer.testing import CliRunner

from tests.support.sources import ROOT
from tools.admin.main import app, build


@dataclass(frozen=True)
class Answer:
    """How a command ended and what it said."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one JSON value on stdout of a command that succeeded."""
        assert self.status == 0, self.err
        assert self.err == ""
        return json.loads(self.out)

    @property
    def fault(self) -> str:
        """The one line on stderr of a command that was refused, without the program's name."""
        assert self.status == 1, (self.status, self.out, self.err)
        assert self.out == ""
        assert self.err.startswith("nodegate: ")
        assert self.err.count("\n") == 1, self.err
        assert "Traceback" not in self.err
        return self.err.removeprefix("nodegate: ").rstrip("\n")


class Nodegate:
    """Runs commands in this process, on one registry, with an environment of their own."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.database = folder / "nodegate.db"
        self.environment: dict[str, str | None] = {
            name: None for name in os.environ if name.upper().startswith("NODEGATE_")
        }
        self.environment |= {"NODEGATE_DB": f"sqlite:///{self.database}", **environment}

    def __call__(self, *arguments: str, text: str | bytes | None = None, **environment: str) -> Answer:
        """Run ``nodegate ARGUMENTS`` with *text* on stdin, which is no terminal."""
        # The runner would build the tree of the app alone, without the commands that are loaded late.
        with mock.patch("typer.testing._get_command", return_value=build()):
            result = CliRunner().invoke(
                app, list(arguments), input=text, env={**self.environment, **environment}
            )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Answer(result.exit_code, result.stdout, result.stderr)

    def start(self, *arguments: str, **options: Any) -> subprocess.Popen[str]:
        """Start it as a process of its own. The caller ends it."""
        return start_nodegate(*arguments, environment=self.environment, **options)


def start_nodegate(
    *arguments: str, environment: Mapping[str, str | None], **options: Any
) -> subprocess.Popen[str]:
    """A process of the command, its two outputs as text pipes."""
    merged = {**os.environ, **environment, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-m", "tools.admin.main", *arguments],
        stdin=options.pop("stdin", subprocess.PIPE),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={name: value for name, value in merged.items() if value is not None},
        **options,
    )


def run_nodegate(*arguments: str, environment: Mapping[str, str | None], **options: Any) -> Answer:
    """Run it as a process of its own to its end, with nothing on stdin."""
    with start_nodegate(*arguments, environment=environment, **options) as process:
        out, err = process.communicate()
    return Answer(process.returncode, out, err)
