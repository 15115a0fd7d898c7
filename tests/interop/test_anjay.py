"""Anjay's demo client: a full LwM2M client, with a connection ID over coaps."""

from __future__ import annotations

import pytest

from tests.support.foreign import Gateway, Program, require
from tests.support.nat import Nat

pytestmark = pytest.mark.interop

REGISTERED = rb"registration successful, location = /rd/"
UPDATED = rb"registration successfully updated"
DEREGISTERED = rb"is: DEREGISTERED"


def test_demo_registers_updates_and_deregisters_over_coap(gateway: Gateway) -> None:
    device = gateway.take(secure=False)
    command = [require("demo"), "-e", device.node_id, "-u", gateway.coap, "-s", "nosec", "-l", "120"]
    with Program(command) as client:
        client.expect(REGISTERED)
        registration = gateway.wait_until_online(device.node_id)["registration"]
        assert registration["lwm2m"] == "1.2"
        assert registration["lifetime"] == 120
        assert {"path": "/3/0", "version": None} in registration["objects"]
        client.say(b"send-update 0\n")
        client.expect(UPDATED)
        client.close_input()
        client.expect(DEREGISTERED)
    gateway.wait_until_deregistered(device.node_id)


@pytest.mark.parametrize("version", ["1.0", "1.1"])
def test_demo_registers_with_an_older_version(gateway: Gateway, version: str) -> None:
    device = gateway.take(secure=False)
    command = [require("demo"), "-e", device.node_id, "-u", gateway.coap, "-s", "nosec", "-l", "120"]
    with Program([*command, "-v", version, "-V", version, "-q", "UQ"]) as client:
        client.expect(REGISTERED)
        registration = gateway.wait_until_online(device.node_id)["registration"]
    assert registration["lwm2m"] == version
    assert registration["binding"] == "UQ"


def test_demo_keeps_its_session_over_an_offline_time(gateway: Gateway) -> None:
    device = gateway.take(secure=True)
    command = [require("demo"), "-e", device.node_id, "-u", gateway.coaps, "-s", "psk", "-l", "120"]
    command += ["-i", device.node_id.encode().hex(), "-k", device.key.hex()]
    with Program([*command, "--use-connection-id", "--ciphersuites", "0xC0A8"]) as client:
        client.expect(rb"negotiated CID = ")
        client.expect(REGISTERED)
        assert gateway.wait_until_online(device.node_id)
        client.say(b"send-update 0\n")
        client.expect(UPDATED)
        client.say(b"enter-offline\n")
        client.expect(rb"Server with SSID 1 is offline")
        client.say(b"exit-offline\n")
        client.expect(rb"is: REGISTERED")
        client.say(b"send-update 0\n")
        client.expect(UPDATED)
        client.close_input()
        client.expect(DEREGISTERED)
    gateway.wait_until_deregistered(device.node_id)
    assert gateway.events_of(device.node_id).count("registered") == 1


def test_demo_without_a_connection_id_registers_over_coaps(gateway: Gateway) -> None:
    device = gateway.take(secure=True)
    command = [require("demo"), "-e", device.node_id, "-u", gateway.coaps, "-s", "psk", "-l", "120"]
    with Program([*command, "-i", device.node_id.encode().hex(), "-k", device.key.hex()]) as client:
        client.expect(REGISTERED)
        client.say(b"send-update 0\n")
        client.expect(UPDATED)
        client.close_input()
        client.expect(DEREGISTERED)
    gateway.wait_until_deregistered(device.node_id)


@pytest.mark.parametrize("again", ["send-update 0\n", "reconnect\nsend-update 0\n"])
def test_demo_with_a_connection_id_goes_on_behind_a_nat_that_forgot_it(
    gateway: Gateway, coaps_nat: Nat, again: str
) -> None:
    device = gateway.take(secure=True)
    uri = f"coaps://{gateway.host}:{coaps_nat.port}"
    command = [require("demo"), "-e", device.node_id, "-u", uri, "-s", "psk", "-l", "120"]
    command += ["-i", device.node_id.encode().hex(), "-k", device.key.hex()]
    with Program([*command, "--use-connection-id", "--ciphersuites", "0xC0A8"]) as client:
        client.expect(REGISTERED)
        for _ in range(3):
            coaps_nat.rebind()
            client.say(again.encode())
            client.expect(UPDATED)
        client.close_input()
        client.expect(DEREGISTERED)
    gateway.wait_until_deregistered(device.node_id)
    assert gateway.events_of(device.node_id).count("registered") == 1


def test_demo_over_coap_goes_on_behind_a_nat_that_forgot_it(gateway: Gateway, coap_nat: Nat) -> None:
    device = gateway.take(secure=False)
    uri = f"coap://{gateway.host}:{coap_nat.port}"
    with Program([require("demo"), "-e", device.node_id, "-u", uri, "-s", "nosec", "-l", "120"]) as client:
        client.expect(REGISTERED)
        coap_nat.rebind()
        client.say(b"send-update 0\n")
        client.expect(UPDATED)
        client.close_input()
        client.expect(DEREGISTERED)
    assert gateway.events_of(device.node_id).count("registered") == 1
