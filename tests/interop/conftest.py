"""One gateway for all foreign programs that a test worker runs."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.foreign import Gateway, started_gateway


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Started, empty of registrations; every test takes devices of its own from it."""
    with started_gateway(tmp_path_factory.mktemp("gateway")) as started:
        yield started
