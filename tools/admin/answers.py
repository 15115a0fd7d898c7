"""What a device answered, as tables for people."""

from __future__ import annotations

from collections.abc import Mapping

from tools.admin.output import print_table, text, value_text


def has_content(answer: Mapping[str, object]) -> bool:
    """Whether *answer*, as `registry.shapes.describe_answer` gives it, holds values or links."""
    return bool(answer["values"] or answer["links"])


def print_content(answer: Mapping[str, object]) -> None:
    """The values or links of *answer*, a row each."""
    values, links = answer["values"], answer["links"]
    if isinstance(values, dict) and values:
        print_table(("PATH", "VALUE"), ((path, value_text(value)) for path, value in values.items()))
    elif isinstance(links, list):
        print_table(("PATH", "ATTRIBUTES"), ((link["path"], _marks(link["attributes"])) for link in links))


def _marks(attributes: Mapping[str, str | None]) -> str:
    return " ".join(text(name if value is None else f"{name}={value}") for name, value in attributes.items())
