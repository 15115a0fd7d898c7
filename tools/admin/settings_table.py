"""The table of settings in ``docs/configuration.md``, made from the code.

``python -m tools.admin.settings_table`` prints it; a structure test holds the page against it.
"""

from __future__ import annotations

from itertools import groupby

from gateway.settings import SECTIONS, Described, describe

HEADING = "| setting | default | unit | values | meaning |\n|---|---|---|---|---|"


def settings_table() -> str:
    """Markdown: a heading, what it is about and a table for each section."""
    return "\n".join(
        _section(section, list(rows))
        for section, rows in groupby(describe(), lambda row: row.name.partition(".")[0])
    )


def _section(section: str, rows: list[Described]) -> str:
    about = (SECTIONS[section].__doc__ or "").strip()
    lines = "\n".join(_row(row) for row in rows)
    return f"## {section}\n\n{about}\n\n{HEADING}\n{lines}\n"


def _row(row: Described) -> str:
    return f"| `{row.name}` | {_code(row.default)} | {row.unit} | {row.bounds} | {row.meaning} |"


def _code(default: str) -> str:
    return default if default == "unset" else f"`{default}`"


if __name__ == "__main__":
    print(settings_table(), end="")
