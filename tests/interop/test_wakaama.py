"""Wakaama's example clients: LwM2M 1.1 over coap, and over coaps with tinydtls."""

from __future__ import annotations

import pytest

from tests.support.foreign import Device, Gateway, Program, require

pytestmark = pytest.mark.interop

READY = rb"-> State: STATE_READY"
ANSWERED = rb"bytes received .*?" + READY


def _client(program: str, gateway: Gateway, port: int, device: Device, *more: str) -> Program:
    # It binds IPv6 unless told otherwise; local port 0 lets several run at once.
    command = [require(program), "-4", "-h", gateway.host, "-p", str(port), "-l", "0", "-t", "120"]
    return Program([*command, "-n", device.node_id, *more], terminal=True)


def test_lwm2mclient_registers_updates_and_deregisters_over_coap(gateway: Gateway) -> None:
    device = gateway.take(secure=False)
    with _client("lwm2mclient", gateway, gateway.coap_port, device) as client:
        client.expect(READY)
        registration = gateway.wait_until_online(device.node_id)["registration"]
        assert registration["lwm2m"] == "1.1"
        assert registration["binding"] == "U"
        client.say(b"update 0\n")
        client.expect(ANSWERED)
        client.say(b"list\n")
        client.expect(rb"status: REGISTERED\s+location: \"/rd/")
        client.say(b"quit\n")
        gateway.wait_until_deregistered(device.node_id)


def test_lwm2mclient_tinydtls_registers_updates_and_deregisters_over_coaps(gateway: Gateway) -> None:
    device = gateway.take(secure=True)
    credential = ("-i", device.node_id, "-s", device.key.hex())
    with _client("lwm2mclient_tinydtls", gateway, gateway.coaps_port, device, *credential) as client:
        client.expect(READY)
        gateway.wait_until_online(device.node_id)
        client.say(b"update 0\n")
        client.expect(ANSWERED)
        client.say(b"list\n")
        client.expect(rb"status: REGISTERED\s+location: \"/rd/")
        client.say(b"quit\n")
        gateway.wait_until_deregistered(device.node_id)
