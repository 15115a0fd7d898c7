"""The command tree: what is there, in which order, and that help is quick to load."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.sources import ROOT
from tools.admin.main import LATE, build

HEAVY = {"aiocoap", "pydantic", "sqlite_utils", "cryptography", "structlog", "gateway.app"}


def test_commands_stand_in_the_order_of_their_use() -> None:
    assert list(build().commands) == [
        "serve",
        "device",
        "server-key",
        "read",
        "observe",
        "cancel",
        "discover",
        "attributes",
        "write",
        "execute",
        "create",
        "delete",
        "command",
        "values",
        "watch",
        "events",
        "model",
        "simulate",
        "bench",
    ]


@pytest.mark.parametrize("late", LATE, ids=lambda late: late.name)
def test_late_commands_name_modules_that_exist(late) -> None:
    assert (ROOT / late.module.replace(".", "/")).with_suffix(".py").exists()


def test_help_loads_neither_the_gateway_nor_the_database() -> None:
    program = (
        "import sys; from tools.admin import main\n"
        "try: main.build().main(['--help'])\n"
        "except SystemExit: pass\n"
        f"sys.exit(', '.join(sorted({HEAVY} & set(sys.modules))) or 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False, cwd=ROOT
    )
    assert done.stderr.strip() == ""
    assert done.returncode == 0
    assert "simulate" in done.stdout


def test_version_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        build().main(["--version"], prog_name="nodegate")
    assert caught.value.code == 0
    assert capsys.readouterr().out.startswith("nodegate")
