"""Exceptions become lines on stderr and an exit status; nothing else does."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import pytest
import typer

from registry.errors import NotFound
from tools.admin.border import CommandGroup, LateCommand, Refused, complain, faults_of, tell_of_a_bug


def run(command: Callable[..., Any], *arguments: str) -> int:
    app = typer.Typer(cls=CommandGroup, pretty_exceptions_enable=False)
    app.command("go")(command)
    app.command("stay")(lambda: None)
    with pytest.raises(SystemExit) as caught:
        typer.main.get_command(app).main(["go", *arguments], prog_name="nodegate")
    assert isinstance(caught.value.code, int)
    return caught.value.code


def raising(error: BaseException) -> Callable[[], None]:
    def go() -> None:
        raise error

    return go


def test_done_is_0_and_silent(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(lambda: None) == 0
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (Refused("first", "second"), ["first", "second"]),
        (NotFound("no device has it"), ["no device has it"]),
        (FileNotFoundError(2, "No such file or directory", "a.csv"), ["a.csv: No such file or directory"]),
        (OSError(28, "No space left on device"), ["No space left on device"]),
        (OSError("odd"), ["odd"]),
        (ExceptionGroup("workers", [NotFound("a"), ExceptionGroup("more", [Refused("b")])]), ["a", "b"]),
        (typer.Abort(), ["stopped"]),
    ],
)
def test_fault_is_1_and_a_line_each(
    error: BaseException, lines: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(raising(error)) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == [f"nodegate: {line}" for line in lines]


def test_what_is_not_understood_is_2_and_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(lambda: None, "--colour") == 2
    assert capsys.readouterr().err == "nodegate: No such option: --colour; see 'nodegate go --help'\n"


def test_exit_status_of_a_command_is_kept() -> None:
    assert run(raising(typer.Exit(3))) == 3


def test_interrupt_is_the_status_of_the_shell(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(raising(KeyboardInterrupt())) == 130
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("error", [ZeroDivisionError("x"), ExceptionGroup("g", [ZeroDivisionError("x")])])
def test_bug_is_not_taken_for_a_fault(error: Exception) -> None:
    app = typer.Typer(cls=CommandGroup)
    app.command("go")(raising(error))
    app.command("stay")(lambda: None)
    with pytest.raises(type(error)):
        typer.main.get_command(app).main(["go"])


def test_group_with_a_bug_beside_a_fault_tells_of_the_fault(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(raising(ExceptionGroup("g", [ZeroDivisionError("x"), Refused("port in use")]))) == 1
    assert capsys.readouterr().err == "nodegate: port in use\n"


def test_without_standalone_mode_errors_pass() -> None:
    app = typer.Typer(cls=CommandGroup)
    app.command("go")(raising(Refused("no")))
    app.command("stay")(lambda: None)
    with pytest.raises(Refused):
        typer.main.get_command(app).main(["go"], standalone_mode=False)


def test_errors_of_nobody_have_no_lines() -> None:
    assert faults_of(ZeroDivisionError("x")) == []


def test_line_has_no_control_characters(capsys: pytest.CaptureFixture[str]) -> None:
    complain("a\x1b[2J\nb")
    assert capsys.readouterr().err == "nodegate: a\\x1b[2J\\nb\n"


def test_bug_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NODEGATE_TRACEBACK", raising=False)
    tell_of_a_bug(ZeroDivisionError, ZeroDivisionError("a\nb"), None)
    assert capsys.readouterr().err == (
        "nodegate: internal error: ZeroDivisionError: a\\nb; NODEGATE_TRACEBACK=1 shows where, for a report\n"
    )


def test_bug_is_told_in_full_when_asked(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NODEGATE_TRACEBACK", "1")
    tell_of_a_bug(ZeroDivisionError, ZeroDivisionError("x"), None)
    assert "ZeroDivisionError: x" in capsys.readouterr().err


def test_late_command_imports_its_module_when_it_is_called(
    tmp_path: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    name = f"late_{os.getpid()}"
    (tmp_path / f"{name}.py").write_text(
        "def greet(who: str, loud: bool = False) -> None:\n    print(who, loud)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    app = typer.Typer(cls=CommandGroup)
    app.command("go")(lambda: None)
    app.callback()(lambda: None)
    group = typer.main.get_command(app)
    assert isinstance(group, CommandGroup)
    group.add_command(LateCommand("greet", "Greet somebody.", name))
    with pytest.raises(SystemExit):
        group.main(["--help"], prog_name="nodegate")
    assert "Greet somebody." in capsys.readouterr().out
    assert name not in sys.modules
    with pytest.raises(SystemExit) as caught:
        group.main(["greet", "you", "--loud"], prog_name="nodegate")
    assert caught.value.code == 0
    assert capsys.readouterr().out == "you True\n"
    with pytest.raises(SystemExit) as caught:
        group.main(["greet"], prog_name="nodegate")
    assert caught.value.code == 2
    assert capsys.readouterr().err == "nodegate: Missing argument 'who'; see 'nodegate greet --help'\n"
    del sys.modules[name]
