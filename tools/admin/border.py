"""Where faults become one line on stderr and an exit status, and where commands are loaded late.

Exit status: 0 done, 1 refused or failed, 2 what the argument parser refuses. Does not know any command.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from types import TracebackType
from typing import Any

import typer
from typer.core import TyperCommand, TyperGroup

from gateway.visible import visible
from registry.errors import RegistryError
from tools.admin.flags import show_flags_bare


class Refused(Exception):
    """The command does not do what was asked; a line for each reason."""

    def __init__(self, *faults: str) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


class NoSuchOption(typer.BadParameter):
    """What stands where no argument can, and begins with a minus."""

    def format_message(self) -> str:
        """As the parser of arguments says it."""
        return f"No such option: {self.message}"


def complain(fault: str) -> None:
    """Write one line to stderr."""
    print(f"nodegate: {visible(fault)}", file=sys.stderr)


def faults_of(error: BaseException) -> Sequence[str]:
    """The lines that tell a user of *error*; none where it is a bug of ours."""
    match error:
        case BaseExceptionGroup():
            return [fault for inner in error.exceptions for fault in faults_of(inner)]
        case Refused():
            return error.faults
        case RegistryError():
            return [str(error)]
        case OSError():
            return [": ".join(str(part) for part in (error.filename, error.strerror or error) if part)]
        case _:
            return []


class CommandGroup(TyperGroup):
    """The top of the command tree; sub-commands raise, here it is told."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run a command line to its exit status; with *standalone_mode* it ends in `SystemExit`."""
        run = partial(super().main, args, prog_name, complete_var, False, windows_expand_args, **extra)
        if not standalone_mode:
            return run()
        sys.exit(_run(run))


def _run(command: Callable[[], object]) -> int:
    try:
        status = command()
        sys.stdout.flush()
        return status if isinstance(status, int) else 0
    except typer.Abort:
        complain("stopped")
    except typer.TyperException as error:
        return _tell_of_usage(error)
    except BrokenPipeError:
        _close_stdout()
    except (Refused, RegistryError, OSError, BaseExceptionGroup) as error:
        faults = faults_of(error)
        if not faults:
            raise
        for fault in faults:
            complain(fault)
    return 1


def _tell_of_usage(error: typer.TyperException) -> int:
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "nodegate"
    # Help that was shown for want of a command is an error without a text.
    message = " ".join(error.format_message().split()).rstrip(".").replace("Value error, ", "")
    if message:
        complain(f"{message}; see '{path} --help'")
    return error.exit_code


def _close_stdout() -> None:
    """Let nothing be flushed into the closed pipe when the interpreter ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def tell_of_a_bug(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """`sys.excepthook`: what no border knows is our fault, and still one line."""
    if os.environ.get("NODEGATE_TRACEBACK"):
        sys.__excepthook__(kind, error, trace)
    else:
        complain(f"internal error: {kind.__name__}: {error}; NODEGATE_TRACEBACK=1 shows where, for a report")


class LateCommand(TyperCommand):
    """A command whose module is imported when it is called, so that ``nodegate --help`` stays quick."""

    def __init__(
        self,
        name: str,
        help: str,  # noqa: A002 (typer's name for it)
        module: str,
        *,
        takes_minus: bool = False,
    ) -> None:
        """*takes_minus*: an argument may begin with a minus, as numbers do."""
        super().__init__(name, help=help)
        self.module = module
        self.settings = {"ignore_unknown_options": takes_minus}

    def make_context(self, info_name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        """Parse *args* by the command itself: the function of this name in the module."""
        function = getattr(importlib.import_module(self.module), str(self.name))
        app = typer.Typer(add_completion=False, rich_markup_mode="markdown")
        app.command(self.name, context_settings=self.settings)(function)
        command = typer.main.get_command(app)
        show_flags_bare(command)
        return command.make_context(info_name, args, parent=parent, **extra)
