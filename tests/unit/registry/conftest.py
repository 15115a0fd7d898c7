"""What tests of the registry begin from."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from registry.administration import Administration
from registry.sqlite import Database
from tests.support.registry import Place


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A registry that nobody has opened yet."""
    return Place(tmp_path)


@pytest.fixture
def administration(place: Place) -> Iterator[Administration]:
    """Of that place, as the command line has it."""
    with place.administration() as administration:
        yield administration


@pytest.fixture
def database(place: Place) -> Iterator[Database]:
    """The file of that place, new and with its schema."""
    with place.database() as database:
        yield database
