"""OpenSSL's `s_client` carries a Register as bytes over DTLS 1.2."""

from __future__ import annotations

import pytest

from tests.support.foreign import Device, Gateway, Program, register_datagram, require

pytestmark = pytest.mark.interop

SUITES = ("PSK-AES128-CCM8", "PSK-AES128-CCM", "PSK-AES128-GCM-SHA256")


def _client(gateway: Gateway, device: Device, suite: str, *more: str) -> Program:
    # CCM_8 counts as 64 bits of strength: only security level 0 has it.
    return Program(
        [
            require("openssl"), "s_client", "-dtls1_2", "-connect", f"{gateway.host}:{gateway.coaps_port}",
            "-cipher", f"{suite}:@SECLEVEL=0", "-psk_identity", device.node_id, "-psk", device.key.hex(),
            "-brief", "-nocommands", *more,
        ]
    )  # fmt: skip


@pytest.mark.parametrize("suite", SUITES)
def test_s_client_registers(gateway: Gateway, suite: str) -> None:
    device = gateway.take(secure=True)
    with _client(gateway, device, suite) as client:
        client.say(register_datagram(device.node_id))
        client.expect(rb"Ciphersuite: " + suite.encode())
        client.expect(rb"\x61\x41\x12\x34\xb2\x82rd")  # ACK 2.01, the token, Location-Path rd
    assert gateway.wait_until_online(device.node_id)["registration"]["lwm2m"] == "1.1"


def test_s_client_registers_with_a_hello_in_fragments(gateway: Gateway) -> None:
    device = gateway.take(secure=True)
    with _client(gateway, device, "ALL:PSK", "-mtu", "256") as client:
        client.say(register_datagram(device.node_id))
        client.expect(rb"\x61\x41\x12\x34")
    assert gateway.wait_until_online(device.node_id)


def test_s_client_with_a_wrong_key_hears_nothing(gateway: Gateway) -> None:
    device = gateway.take(secure=True)
    with _client(gateway, device._replace(key=bytes(16)), SUITES[0]) as client:
        shown = gateway.wait_for(device.node_id, lambda shown: shown["refused"])
        assert "alert" not in client.text
        assert "ESTABLISHED" not in client.text
    assert shown["state"] == "inactive"
