"""The steps that lead from an empty file to today's tables, numbered and never edited once released."""

from __future__ import annotations

from collections.abc import Callable

from sqlite_utils import Database

from registry.migrations import (
    m0001_initial,
    m0002_object_definitions,
    m0003_credentials,
    m0004_values,
    m0005_commands,
)

MIGRATIONS: tuple[tuple[int, Callable[[Database], None]], ...] = (
    (1, m0001_initial.apply),
    (2, m0002_object_definitions.apply),
    (3, m0003_credentials.apply),
    (4, m0004_values.apply),
    (5, m0005_commands.apply),
)
"Number and step, ascending; each runs inside the transaction that records it."
