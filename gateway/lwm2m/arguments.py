"""Arguments of Execute (OMA Core TS 1.2 §6.3.5): a digit each, some with a text."""

from __future__ import annotations

import re

from gateway.lwm2m.errors import DecodeError

Argument = tuple[int, str | None]

_STRICT = re.compile(r"([0-9])(?:='([!\x23-\x26\x28-\x5b\x5d-\x7e]*)')?", re.ASCII)
_LENIENT = re.compile(r"([0-9])(?:='([^']*)')?", re.ASCII)


def parse_arguments(text: str, *, is_lenient: bool = False) -> tuple[Argument, ...]:
    """Read ``DIGIT`` and ``DIGIT='TEXT'``, separated by commas; an empty text has none.

    The grammar leaves blanks, quotes and backslashes out of texts; with *is_lenient* all but the apostrophe
    is taken.

    Raises:
        DecodeError: anything else, or a digit that stands twice.
    """
    if not text:
        return ()
    pattern = _LENIENT if is_lenient else _STRICT
    found: list[Argument] = []
    position = 0
    while True:
        match = pattern.match(text, position)
        if match is None:
            raise DecodeError("arguments are written 0='text',1: a digit, then = and a text", position)
        found.append((int(match[1]), match[2]))
        position = match.end()
        if position == len(text):
            break
        if text[position] != ",":
            raise DecodeError("arguments are separated by commas", position)
        position += 1
    digits = [digit for digit, _ in found]
    if len(set(digits)) < len(digits):
        raise DecodeError("an argument stands twice")
    return tuple(found)


def format_arguments(arguments: tuple[Argument, ...]) -> str:
    """The text that `parse_arguments` reads."""
    return ",".join(str(digit) if text is None else f"{digit}='{text}'" for digit, text in arguments)
