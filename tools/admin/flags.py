"""How help shows options that take no value: by their name alone, without typer's ``<bool>`` beside it."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup, TyperOption


def show_flags_bare(command: Any) -> None:
    """Let help name no type beside the flags of *command*, one of typer's, and of all commands below it."""
    for parameter in command.get_params(typer.Context(command)):
        if isinstance(parameter, TyperOption) and parameter.is_flag:
            parameter.metavar = ""
    if isinstance(command, TyperGroup):
        for below in command.commands.values():
            show_flags_bare(below)
