"""How answers look: tables for people, JSON for scripts (docs/operations/administration.md).

Peers' strings are shown as text, never as terminal control or markup.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import TYPE_CHECKING

from gateway.visible import visible

if TYPE_CHECKING:
    from rich.console import Console

WIDE = 100_000
"Columns of an output that is no terminal: nothing is folded there, for ``grep`` and ``awk``."

CHUNK_ROWS = 1000


def to_json(value: object) -> str:
    """*value* on one line: bytes as lower-case hex, NaN and infinities as strings.

    Everything outside ASCII is escaped, so that it is safe on a terminal too.
    """
    return json.dumps(_plain(value), allow_nan=False)


def _plain(value: object) -> object:
    match value:
        case bytes():
            return value.hex()
        case float() if math.isnan(value):
            return "NaN"
        case float() if math.isinf(value):
            return "Infinity" if value > 0 else "-Infinity"
        case dict():
            return {str(name): _plain(item) for name, item in value.items()}
        case list() | tuple():
            return [_plain(item) for item in value]
        case _:
            return value


def print_json(value: object) -> None:
    """One JSON value on one line of stdout, flushed."""
    print(to_json(value), flush=True)


def print_json_array(values: Iterable[object]) -> None:
    """One JSON array, an element a line, without holding it in memory."""
    opening = "["
    for value in values:
        print(f"{opening}\n {to_json(value)}", end="")
        opening = ","
    print("[]" if opening == "[" else "\n]", flush=True)


def console() -> Console:
    """Rich on stdout; text that is printed through it is text, not markup."""
    from rich.console import Console

    width = None if sys.stdout.isatty() else WIDE
    return Console(file=sys.stdout, width=width, markup=False, highlight=False, emoji=False)


def text(value: object) -> str:
    """A table's cell: ``-`` for what is not there."""
    return "-" if value is None or value == "" else visible(str(value))


def value_text(value: object) -> str:
    """A value of a device or of an event as a person reads it: text as it is, anything else as in JSON."""
    return value if isinstance(value, str) else to_json(value)


def print_fields(fields: Sequence[tuple[str, object]]) -> None:
    """A name and its value on each line."""
    _print_rows([], [[name, text(value)] for name, value in fields], [0, 0])


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> int:
    """A table with a heading; gives the number of rows. A long one comes in pieces, as its rows are made."""
    count = 0
    widths = [0] * len(columns)
    remaining = iter(rows)
    while chunk := [[text(cell) for cell in row] for row in islice(remaining, CHUNK_ROWS)]:
        _print_rows(columns if count == 0 else [], chunk, widths)
        count += len(chunk)
    return count


def _print_rows(heading: Sequence[str], rows: Sequence[Sequence[str]], widths: list[int]) -> None:
    """Print a piece of a table; *widths* are those of the pieces before it and grow with this one."""
    if sys.stdout.isatty():
        _print_folded(heading, rows, widths)
        return
    lines = [heading, *rows] if heading else rows
    widths[:] = [
        max(width, *map(_columns_of, cells))
        for width, cells in zip(widths, zip(*lines, strict=True), strict=True)
    ]
    for line in lines:
        print("  ".join(_pad(cell, width) for cell, width in zip(line, widths, strict=True)).rstrip())


def _print_folded(heading: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(
        box=None, show_header=bool(heading), header_style="bold", pad_edge=False, padding=(0, 2, 0, 0)
    )
    for name in heading or [""] * len(widths):
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console().print(table)


def _columns_of(cell: str) -> int:
    """How many columns of a terminal *cell* takes."""
    if cell.isascii():
        return len(cell)
    from rich.cells import cell_len

    return cell_len(cell)


def _pad(cell: str, width: int) -> str:
    return cell + " " * (width - _columns_of(cell))
