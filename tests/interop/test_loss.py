"""One lost datagram of the handshake, and foreign stacks that send their flights again after a second."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.support.foreign import (
    LINKS,
    Device,
    Gateway,
    Program,
    register_datagram,
    register_query,
    require,
)
from tests.support.nat import Nat, Way

pytestmark = pytest.mark.interop

LOSSES = [
    (Way.TO_SERVER, 1),  # ClientHello
    (Way.TO_CLIENT, 1),  # HelloVerifyRequest
    (Way.TO_SERVER, 2),  # ClientHello with the cookie
    (Way.TO_CLIENT, 2),  # ServerHello, ServerHelloDone
    (Way.TO_SERVER, 3),  # ClientKeyExchange, and with most clients ChangeCipherSpec and Finished
    (Way.TO_CLIENT, 3),  # ChangeCipherSpec, Finished
]


def _libcoap(library: str) -> Callable[[Device, str, int], list[str | bytes]]:
    def command(device: Device, host: str, port: int) -> list[str | bytes]:
        uri = f"coaps://{host}:{port}/rd?{register_query(device.node_id)}"
        request = ["-B", "15", "-v", "6", "-m", "post", "-t", "40", "-e", LINKS]
        return [require(f"coap-client-{library}"), *request, "-u", device.node_id, "-k", device.key, uri]

    return command


def _pion(device: Device, host: str, port: int) -> list[str | bytes]:
    credential = ["-identity", device.node_id, "-key", device.key.hex(), "-timeout", "15s"]
    datagram = register_datagram(device.node_id).hex()
    return [require("pion"), "-to", f"{host}:{port}", *credential, "-cid", "4", "-hex", datagram]


CLIENTS: dict[str, tuple[Callable[[Device, str, int], list[str | bytes]], bytes]] = {
    "gnutls": (_libcoap("gnutls"), rb"(ACK|CON) c:2\.01 "),
    "openssl": (_libcoap("openssl"), rb"(ACK|CON) c:2\.01 "),
    "pion": (_pion, rb"received 6141"),
}


@pytest.mark.parametrize("stack", CLIENTS)
@pytest.mark.parametrize(("way", "number"), LOSSES, ids=[f"{way}-{number}" for way, number in LOSSES])
def test_handshake_survives_a_lost_datagram(
    gateway: Gateway, coaps_nat: Nat, stack: str, way: Way, number: int
) -> None:
    device = gateway.take(secure=True)
    command, registered = CLIENTS[stack]
    coaps_nat.lose(way, number)
    with Program(command(device, gateway.host, coaps_nat.port)) as client:
        client.expect(registered)
    assert coaps_nat.passed[way] > number
