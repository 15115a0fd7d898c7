"""The tables of events in ``docs/events.md``, made from the code.

``python -m tools.admin.events_table`` prints them; a structure test holds the page against them.
"""

from __future__ import annotations

from collections.abc import Mapping

from registry.events import EVENT_DATA

HEADING = "| field of `data` | meaning |\n|---|---|"


def events_table() -> str:
    """Markdown: a heading for each type and a table of its data."""
    return "\n".join(_type(kind.value, fields) for kind, fields in EVENT_DATA.items())


def _type(name: str, fields: Mapping[str, str]) -> str:
    rows = "\n".join(f"| `{field}` | {meaning} |" for field, meaning in fields.items())
    return f"## {name}\n\n" + (f"{HEADING}\n{rows}\n" if fields else "No data.\n")


if __name__ == "__main__":
    print(events_table(), end="")
