"""The engine as a client, as simulated devices have it, against a foreign server: Mbed TLS's `ssl_server2`.

The rows are those of the matrix: what that stack can do as a client it can do as a server.
"""

from __future__ import annotations

import os
import select
import socket
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from gateway.dtls.client import Client
from gateway.dtls.credential import make_credential
from gateway.dtls.events import ClientData
from gateway.dtls.record import TLS12_CID, ContentType
from gateway.dtls.resumption import ClientResumable
from gateway.dtls.settings import ClientConfig
from tests.interop.matrix.row import CID_BOTH, CID_SENT, ETM, MTE, NO_CID, PSK, Row, pairwise
from tests.interop.matrix.stacks import IDENTITY, KEY, QUESTION, STACKS, Material
from tests.support.foreign import DEADLINE_S, Program, require

pytestmark = pytest.mark.interop

HOST = "127.0.0.1"
ABILITIES = next(stack.abilities for stack in STACKS if stack.name == "Mbed TLS ssl_client2")
OWN_CIDS = {NO_CID: None, CID_SENT: b"", CID_BOTH: b"dev"}


def _command(row: Row, port: int, material: Material) -> list[str]:
    suite = ABILITIES.suites[row.suite]
    command = [require("ssl_server2"), f"server_addr={HOST}", f"server_port={port}", "dtls=1", "tickets=0"]
    command += [f"force_ciphersuite={suite}", f"etm={int(row.protection != MTE)}"]
    command += ["cid=1", "cid_val=aabbcc"] if row.cid != NO_CID else []
    command += [f"mtu={row.mtu_bytes}"] if row.mtu_bytes else []
    if row.authentication == PSK:
        return [*command, f"psk={KEY.hex()}", f"psk_identity={IDENTITY}"]
    command += [f"crt_file={material.path('device.pem')}", f"key_file={material.path('device.key')}"]
    return [*command, f"ca_file={material.path('ca.pem')}", "auth_mode=required"]


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


class Exchange:
    """Our client on a socket of its own: a handshake, a question, its answer, and it is gone."""

    def __init__(self, config: ClientConfig, port: int) -> None:
        self.client = Client(config, os.urandom)
        self.received = b""
        self.heard: list[bytes] = []
        self.sent: list[bytes] = []
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as self._socket:
            self._socket.connect((HOST, port))
            self.client.start(time.monotonic())
            self._run(lambda: self.client.is_established)
            self.client.send(QUESTION, time.monotonic())
            self._run(lambda: bool(self.received))
            self.client.close(time.monotonic())
            self._flush()

    def _run(self, is_done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not is_done():
            assert time.monotonic() < deadline, "no answer"
            self._flush()
            events = list(self.client.handle_timer(time.monotonic()))
            if select.select([self._socket], [], [], 0.1)[0]:
                self.heard.append(self._socket.recv(65_535))
                events += self.client.receive_datagram(self.heard[-1], time.monotonic())
            self.received += b"".join(event.data for event in events if isinstance(event, ClientData))

    def _flush(self) -> None:
        for datagram in self.client.datagrams_to_send():
            self.sent.append(datagram)
            self._socket.send(datagram)


def _config(row: Row, material: Material) -> ClientConfig:
    is_psk = row.authentication == PSK
    return ClientConfig(
        identity=IDENTITY.encode() if is_psk else b"",
        psk=KEY if is_psk else b"",
        suites=(row.suite,),
        credential=None if is_psk else make_credential(material.gateway.key, (material.gateway.der,)),
        cid=OWN_CIDS[row.cid],
        mtu_bytes=row.mtu_bytes or 1200,
    )


@pytest.mark.parametrize("row", pairwise(ABILITIES.combinations()), ids=lambda row: row.name)
def test_our_client_is_served(row: Row, tmp_path: Path) -> None:
    material, port = Material.make(tmp_path), _free_port()
    config = _config(row, material)
    with Program(_command(row, port, material), terminal=True) as server:
        server.expect(b"Waiting for a remote connection")
        session = _exchange(row, config, port)
        if row.is_resumed:
            again = _exchange(row, replace(config, resumable=session), port)
            assert again.session_id == session.session_id


def _exchange(row: Row, config: ClientConfig, port: int) -> ClientResumable:
    """Ask, and see that all was as *row* says; gives what the session can be resumed by."""
    exchange = Exchange(config, port)
    assert b"200 OK" in exchange.received
    asked, answered = exchange.sent[-2][0], exchange.heard[-1][0]
    assert asked == (ContentType.APPLICATION_DATA if row.cid == NO_CID else TLS12_CID)
    assert answered == (TLS12_CID if row.cid == CID_BOTH else ContentType.APPLICATION_DATA)
    session = exchange.client.resumable
    assert session is not None
    assert (session.suite, session.encrypt_then_mac) == (row.suite, row.protection == ETM)
    return session
