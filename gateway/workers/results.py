"""Answers of devices as the registry keeps them: text and JSON. Pure."""

from __future__ import annotations

import json

from gateway.lwm2m.answers import Answer
from registry.commands import CommandResult


def describe_answer(answer: Answer) -> CommandResult:
    """What `nodegate command show` will say of *answer*."""
    values = answer.values()
    links = answer.links
    return CommandResult(
        answer.code,
        answer.format,
        None if values is None else json.dumps(values),
        None if links is None else json.dumps([link.describe() for link in links]),
        answer.error,
    )
