"""What every case of the catalogue may begin from."""

from __future__ import annotations

import pytest

from tests.support.dtls_pair import Server


@pytest.fixture
def server() -> Server:
    """An endpoint that nobody has talked to."""
    return Server()
