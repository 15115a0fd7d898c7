"""docs/events.md says what the code says: every type and the fields of its data."""

from __future__ import annotations

import re

import pytest

from registry.events import EVENT_DATA, EventType
from tests.support.sources import ROOT
from tools.admin.events_table import events_table

PAGE = (ROOT / "docs" / "events.md").read_text()


def test_tables_of_events_are_those_of_the_code() -> None:
    tables = PAGE[PAGE.index("\n## ") + 1 :]
    assert tables == events_table(), "run: python -m tools.admin.events_table, and put it into the page"


def test_every_type_has_its_data_described() -> None:
    assert set(EVENT_DATA) == set(EventType)


@pytest.mark.parametrize("kind", list(EventType))
def test_every_type_has_one_heading(kind: EventType) -> None:
    assert len(re.findall(rf"^## {kind.value}$", PAGE, re.MULTILINE)) == 1


def test_types_are_those_that_the_contract_names() -> None:
    assert {kind.value for kind in EventType} == {
        "device_created",
        "device_deleted",
        "device_purged",
        "secret_reset",
        "device_frozen",
        "device_unfrozen",
        "registered",
        "registration_changed",
        "deregistered",
        "registration_expired",
        "refused",
        "values_reported",
    }
