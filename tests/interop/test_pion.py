"""A client on pion/dtls: connection IDs, and a session that goes on from another port."""

from __future__ import annotations

import pytest

from tests.support.foreign import Gateway, Program, register_datagram, require

pytestmark = pytest.mark.interop

SUITES = {
    "psk-ccm8": "TLS_PSK_WITH_AES_128_CCM_8",
    "psk-ccm": "TLS_PSK_WITH_AES_128_CCM",
    "psk-gcm": "TLS_PSK_WITH_AES_128_GCM_SHA256",
}
RECEIVED = rb"received 61411234b2827264"  # ACK 2.01, the token, Location-Path rd


def _command(gateway: Gateway, node_id: str, key: bytes, *more: str) -> list[str]:
    server = f"{gateway.host}:{gateway.coaps_port}"
    datagram = register_datagram(node_id).hex()
    return [require("pion"), "-to", server, "-identity", node_id, "-key", key.hex(), "-hex", datagram, *more]


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("cid_bytes", ["-1", "0", "4"], ids=["no-cid", "cid-sent-only", "cid-both-ways"])
def test_pion_registers(gateway: Gateway, suite: str, cid_bytes: str) -> None:
    device = gateway.take(secure=True)
    with Program(_command(gateway, *device, "-suites", suite, "-cid", cid_bytes)) as client:
        client.expect(rb"connected " + SUITES[suite].encode() + rb"\n")
        client.expect(RECEIVED)
    assert gateway.wait_until_online(device.node_id)


@pytest.mark.parametrize("suite", SUITES)
@pytest.mark.parametrize("cid_bytes", ["0", "4"], ids=["cid-sent-only", "cid-both-ways"])
def test_pion_goes_on_from_another_port(gateway: Gateway, suite: str, cid_bytes: str) -> None:
    device = gateway.take(secure=True)
    with Program(_command(gateway, *device, "-suites", suite, "-cid", cid_bytes, "-rebind")) as client:
        client.expect(RECEIVED)
        client.expect(RECEIVED)
        assert "failed" not in client.finish()
    assert gateway.events_of(device.node_id).count("registered") == 1  # the second was a duplicate


def test_pion_registers_with_cbc_alone(gateway: Gateway) -> None:
    device = gateway.take(secure=True)
    with Program(_command(gateway, *device, "-suites", "ecdhe-psk-cbc", "-cid", "-1")) as client:
        assert "connected TLS_ECDHE_PSK_WITH_AES_128_CBC_SHA256" in client.finish()
