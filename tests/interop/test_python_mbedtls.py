"""python-mbedtls: a foreign DTLS stack that comes as a wheel, so that one runs wherever it has wheels."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from aiocoap import ACK, CHANGED, CON, CREATED, POST, Message

from tests.support.foreign import DEADLINE_S, Device, Gateway, register_datagram

tls = pytest.importorskip("mbedtls.tls", reason="python-mbedtls is not there: pip install python-mbedtls")

pytestmark = pytest.mark.interop

SUITES = ("TLS-PSK-WITH-AES-128-CCM-8", "TLS-PSK-WITH-AES-128-CCM", "TLS-PSK-WITH-AES-128-GCM-SHA256")


@contextlib.contextmanager
def _connected(gateway: Gateway, device: Device, suites: tuple[str, ...] | None = None) -> Iterator[Any]:
    configuration = tls.DTLSConfiguration(
        pre_shared_key=(device.node_id, device.key), ciphers=suites, validate_certificates=False
    )
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as plain:
        plain.settimeout(DEADLINE_S)
        plain.connect((gateway.host, gateway.coaps_port))
        wrapped = tls.ClientContext(configuration).wrap_socket(plain, None)
        wrapped.do_handshake()
        yield wrapped
        wrapped.shutdown(socket.SHUT_RDWR)


def _ask(connection: Any, datagram: bytes) -> Message:
    connection.send(datagram)
    while True:
        # A datagram without application data, such as a repeated Finished, is not an answer.
        with contextlib.suppress(tls.WantReadError):
            return Message.decode(connection.recv(4096))


@pytest.mark.parametrize("suite", SUITES)
def test_python_mbedtls_registers_and_updates(gateway: Gateway, suite: str) -> None:
    device = gateway.take(secure=True)
    with _connected(gateway, device, (suite,)) as connection:
        created = _ask(connection, register_datagram(device.node_id, message_id=1, token=b"one"))
        assert (created.mtype, created.code, created.mid, created.token) == (ACK, CREATED, 1, b"one")
        assert gateway.wait_until_online(device.node_id)
        update = Message(code=POST, _mtype=CON, _mid=2, _token=b"two")
        update.opt.uri_path = created.opt.location_path
        changed = _ask(connection, update.encode())
        assert (changed.mtype, changed.code, changed.mid, changed.token) == (ACK, CHANGED, 2, b"two")


def test_python_mbedtls_with_every_suite_it_has_registers(gateway: Gateway) -> None:
    device = gateway.take(secure=True)
    with _connected(gateway, device) as connection:
        assert _ask(connection, register_datagram(device.node_id)).code == CREATED


def test_registering_from_two_sessions_leaves_the_newer_registration(gateway: Gateway) -> None:
    device = gateway.take(secure=True)
    locations = []
    for _ in range(2):
        with _connected(gateway, device) as connection:
            locations.append(_ask(connection, register_datagram(device.node_id)).opt.location_path)
    shown = gateway.wait_until_online(device.node_id)
    assert shown["registration"]["location"] == "/" + "/".join(locations[1])
