"""What the gateway proves itself by, and what administrators see of it."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from gateway.credentials.errors import CredentialError
from gateway.credentials.identity import ServerIdentity
from tests.support.certificates import DAY_S, NOW_S, authority, write_pair
from tests.support.clock import VirtualClock
from tests.support.registry import Place

CA = authority()


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path, VirtualClock(wall_ms=round(NOW_S * 1000)))


async def test_without_files_the_own_key_is_made_and_kept(place: Place) -> None:
    async with place.registry() as registry:
        identity = ServerIdentity(registry, place.clock, None, None)
        first = await identity.load()
        assert (await identity.load()).spki == first.spki
        with capture_logs() as logs:
            identity.warn_of_expiry()
        assert logs == []
        assert place.shown_chain() is None


async def test_given_certificate_is_seen_by_administrators_until_it_is_no_longer_given(
    place: Place, tmp_path: Path
) -> None:
    server = CA.issue("gateway", not_after_s=100 * DAY_S)
    pair = write_pair(tmp_path, server)
    async with place.registry() as registry:
        assert (await ServerIdentity(registry, place.clock, *pair).load()).chain == (server.der,)
        assert place.shown_chain() == server.pem
        await ServerIdentity(registry, place.clock, None, None).load()
        assert place.shown_chain() is None


async def test_files_that_cannot_be_used_leave_what_is_seen_as_it_is(place: Place, tmp_path: Path) -> None:
    server = CA.issue("gateway", not_after_s=10 * DAY_S)
    pair = write_pair(tmp_path, server)
    async with place.registry() as registry:
        identity = ServerIdentity(registry, place.clock, *pair)
        with capture_logs() as logs:
            await identity.load()
        assert [entry["event"] for entry in logs] == ["the server certificate expires in 10 days"]
        pair[1].chmod(0o644)
        with pytest.raises(CredentialError):
            await identity.load()
        assert place.shown_chain() == server.pem
