"""One gateway for all foreign programs that a test worker runs, and a NAT to put before it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.foreign import Gateway, started_gateway
from tests.support.nat import Nat


@pytest.fixture(scope="session")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """Started, empty of registrations; every test takes devices of its own from it."""
    with started_gateway(tmp_path_factory.mktemp("gateway")) as started:
        yield started


@pytest.fixture
def coap_nat(gateway: Gateway) -> Iterator[Nat]:
    """A NAT before the plain CoAP port."""
    nat = Nat(gateway.host, gateway.coap_port)
    yield nat
    nat.close()


@pytest.fixture
def coaps_nat(gateway: Gateway) -> Iterator[Nat]:
    """A NAT before the DTLS port."""
    nat = Nat(gateway.host, gateway.coaps_port)
    yield nat
    nat.close()
