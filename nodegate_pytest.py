"""The pytest plugin: `lwm2m_gateway`, a gateway of its own for each test. Needs pytest-asyncio."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from nodegate import Gateway


async def _run_gateway() -> AsyncIterator[Gateway]:
    """A started gateway with an empty temporary registry."""
    # Not at the top: pytest loads plugins in every project, and before coverage is measured.
    from nodegate import Gateway

    async with Gateway() as gateway:
        yield gateway


def _say_what_is_missing() -> None:
    """Fails: pytest-asyncio is not there."""
    pytest.fail("lwm2m_gateway needs pytest-asyncio: pip install 'nodegate[pytest]'", pytrace=False)


try:
    import pytest_asyncio
except ModuleNotFoundError:
    lwm2m_gateway: object = pytest.fixture(_say_what_is_missing, name="lwm2m_gateway")
else:
    lwm2m_gateway = pytest_asyncio.fixture(_run_gateway, name="lwm2m_gateway")
