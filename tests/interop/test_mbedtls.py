"""Mbed TLS's own test client: connection IDs, and records padded to a multiple of 16 bytes."""

from __future__ import annotations

import pytest

from tests.support.foreign import Gateway, Program, require

pytestmark = pytest.mark.interop


@pytest.mark.parametrize("cid", ["", "aabbccdd"], ids=["cid-sent-only", "cid-both-ways"])
def test_ssl_client2_negotiates_a_connection_id(gateway: Gateway, cid: str) -> None:
    device = gateway.take(secure=True)
    command = [
        require("ssl_client2"), f"server_addr={gateway.host}", f"server_port={gateway.coaps_port}", "dtls=1",
        f"psk={device.key.hex()}", f"psk_identity={device.node_id}", "cid=1", f"cid_val={cid}",
        "read_timeout=2000", "force_ciphersuite=TLS-PSK-WITH-AES-128-CCM-8",
    ]  # fmt: skip
    with Program(command, terminal=True) as client:
        client.expect(rb"Performing the SSL/TLS handshake\.\.\. ok")
        client.expect(rb"Use of Connection ID has been negotiated")
        client.expect(rb"Peer CID \(length 8 Bytes\)")
