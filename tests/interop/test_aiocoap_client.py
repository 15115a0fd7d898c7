"""aiocoap's command-line client, which is another program than the server inside the gateway."""

from __future__ import annotations

import pytest

from tests.support.foreign import LINKS, Gateway, Program, register_query, require

pytestmark = pytest.mark.interop


def test_aiocoap_client_registers_over_coap(gateway: Gateway) -> None:
    device = gateway.take(secure=False)
    uri = f"{gateway.coap}/rd?{register_query(device.node_id)}"
    command = [require("aiocoap-client"), "-m", "POST", "--content-format", "application/link-format"]
    with Program([*command, "--payload", LINKS, uri]) as client:
        assert "Location options indicate new resource: /rd/" in client.finish()
    assert gateway.wait_until_online(device.node_id)


def test_aiocoap_client_discovers_the_registration_directory(gateway: Gateway) -> None:
    with Program([require("aiocoap-client"), f"{gateway.coap}/.well-known/core"]) as client:
        assert "</rd>" in client.finish()
