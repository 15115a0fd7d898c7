"""How answers look: tables for people, JSON for scripts (docs/operations/administration.md).

Peers' strings are shown as text, never as terminal control or markup.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from gateway.visible import visible

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

WIDE = 100_000
"Columns of an output that is no terminal: nothing is folded there, for ``grep`` and ``awk``."


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


def print_fields(fields: Sequence[tuple[str, object]]) -> None:
    """A name and its value on each line."""
    table = _bare_table(show_header=False)
    table.add_column(style="bold", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in fields:
        table.add_row(name, _literal(text(value)))
    console().print(table)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, chunk_rows: int = 1000) -> int:
    """A table with a heading; gives the number of rows. Long ones come in pieces of *chunk_rows*."""
    count = 0
    out = console()
    table = None
    for row in rows:
        if table is None:
            table = _bare_table(show_header=count == 0)
            for column in columns:
                table.add_column(column, overflow="fold")
        table.add_row(*(_literal(text(cell)) for cell in row))
        count += 1
        if count % chunk_rows == 0:
            out.print(table)
            table = None
    if table is not None:
        out.print(table)
    return count


def _bare_table(*, show_header: bool) -> Table:
    from rich.table import Table

    return Table(box=None, show_header=show_header, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))


def _literal(cell: str) -> Any:
    from rich.text import Text

    return Text(cell)
