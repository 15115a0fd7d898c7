"""libcoap's command-line client, with each of its DTLS libraries and without."""

from __future__ import annotations

import re

import pytest

from tests.support.foreign import LINKS, Gateway, Program, register_query, require

pytestmark = pytest.mark.interop

CREATED = r"(ACK|CON) c:2\.01 .*Location-Path:rd, Location-Path:"
REGISTER = ("-B", "10", "-v", "6", "-m", "post", "-t", "40", "-e", LINKS)


def test_coap_client_registers_over_coap(gateway: Gateway) -> None:
    device = gateway.take(secure=False)
    uri = f"{gateway.coap}/rd?{register_query(device.node_id)}"
    with Program([require("coap-client-notls"), *REGISTER, uri]) as client:
        assert re.search(CREATED, client.finish())
    assert gateway.wait_until_online(device.node_id)


@pytest.mark.parametrize("library", ["openssl", "gnutls"])
def test_coap_client_registers_over_coaps(gateway: Gateway, library: str) -> None:
    device = gateway.take(secure=True)
    uri = f"{gateway.coaps}/rd?{register_query(device.node_id)}"
    program = require(f"coap-client-{library}")
    with Program([program, *REGISTER, "-u", device.node_id, "-k", device.key, uri]) as client:
        assert re.search(CREATED, client.finish())
    assert gateway.wait_until_online(device.node_id)


def test_coap_client_without_security_is_refused_for_a_secure_device(gateway: Gateway) -> None:
    device = gateway.take(secure=True)
    uri = f"{gateway.coap}/rd?{register_query(device.node_id)}"
    with Program([require("coap-client-notls"), *REGISTER, uri]) as client:
        assert re.search(r"ACK c:4\.03", client.finish())
    assert gateway.show(device.node_id)["state"] == "inactive"
