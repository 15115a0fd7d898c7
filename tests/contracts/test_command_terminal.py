"""What a person at a terminal gets that a script does not: a question, a hidden prompt, a folded table."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.command import Answer, Nodegate

pytest.importorskip("pty", reason="this system has no pseudo-terminals")


@dataclass
class Terminal:
    """A pseudo-terminal: the side of the person, and the side of the program."""

    person: int
    program: int


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    person, program = os.openpty()
    yield Terminal(person, program)
    os.close(person)
    os.close(program)


@pytest.fixture
def nodegate(tmp_path: Path) -> Nodegate:
    nodegate = Nodegate(tmp_path)
    nodegate("device", "create", "meter-7", "--security", "none")
    return nodegate


def at_terminal(nodegate: Nodegate, terminal: Terminal, text: str, *arguments: str) -> Answer:
    """Run a command and type *text* once it has asked; nothing is asked where *text* is empty."""
    # In a session of its own the terminal at hand is the only one.
    with nodegate.start(*arguments, stdin=terminal.program, start_new_session=True) as process:
        assert process.stderr is not None
        prompt = ""
        while text and not prompt.endswith((": ", "] ")):
            prompt += process.stderr.read(1)
        os.write(terminal.person, text.encode())
        out, err = process.communicate()
    return Answer(process.returncode, out, prompt + err)


@pytest.mark.parametrize(("text", "status"), [("y\n", 0), ("n\n", 1), ("\n", 1), ("\x04", 1)])
def test_delete_asks(nodegate: Nodegate, terminal: Terminal, text: str, status: int) -> None:
    answer = at_terminal(nodegate, terminal, text, "device", "delete", "meter-7", "--json")
    assert answer.status == status
    assert answer.err.startswith("Delete meter-7 (d-")
    assert answer.err.endswith("? [y/N] " if status == 0 else "nodegate: nothing was deleted\n")
    assert bool(answer.out) == (status == 0)
    assert nodegate("device", "show", "meter-7").status == 1 - status


def test_delete_with_yes_asks_nothing(nodegate: Nodegate, terminal: Terminal) -> None:
    answer = at_terminal(nodegate, terminal, "", "device", "delete", "meter-7", "--yes")
    assert (answer.status, answer.err) == (0, "")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the prompt is written to the terminal itself")
def test_secret_may_be_typed_unseen(nodegate: Nodegate, terminal: Terminal) -> None:
    arguments = ("device", "create", "meter-8", "--secret", "-", "--json")
    answer = at_terminal(nodegate, terminal, "00" * 16 + "\n", *arguments)
    assert answer.status == 0, answer.err
    assert json.loads(answer.out)["secret"] == "00" * 16
