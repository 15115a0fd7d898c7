"""Californium and Scandium, the stack of Leshan's clients; requests come on its input, one a line."""

from __future__ import annotations

import pytest

from tests.support.foreign import LINKS, Gateway, Program, register_query, require, require_folder

pytestmark = pytest.mark.interop

REGISTER = "POST /rd?{query} 40 {links}\n"
CREATED = rb'2\.01 \{"Location-Path":\["rd","'


def _client(uri: str, *credential: str) -> Program:
    jars = require_folder("californium", "a client on Californium with its jars in lib/") / "lib" / "*"
    return Program([require("java"), "-cp", str(jars), "Client", uri, *credential])


def _register(node_id: str) -> bytes:
    return REGISTER.format(query=register_query(node_id), links=LINKS).encode()


def test_californium_registers_over_coap(gateway: Gateway) -> None:
    device = gateway.take(secure=False)
    with _client(gateway.coap) as client:
        client.say(_register(device.node_id))
        client.expect(CREATED)
    assert gateway.wait_until_online(device.node_id)


def test_scandium_registers_over_coaps_and_resumes_its_session(gateway: Gateway) -> None:
    device = gateway.take(secure=True)
    with _client(gateway.coaps, "psk", device.node_id, device.key.hex()) as client:
        client.say(_register(device.node_id))
        client.expect(CREATED)
        client.say(b"resume\n" + _register(device.node_id))
        client.expect(CREATED)
    assert gateway.wait_until_online(device.node_id)
    assert gateway.events_of(device.node_id).count("registered") == 2


def test_scandium_registers_with_cbc_alone(gateway: Gateway) -> None:
    device = gateway.take(secure=True)
    credential = ("psk", device.node_id, device.key.hex(), "TLS_PSK_WITH_AES_128_CBC_SHA256")
    with _client(gateway.coaps, *credential) as client:
        client.say(_register(device.node_id))
        client.expect(CREATED)
