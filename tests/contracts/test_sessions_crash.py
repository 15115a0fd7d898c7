"""``kill -9`` under traffic: no nonce twice, no replay accepted, every device goes on with its session.

Five kills by default; ``NODEGATE_KILLS=100 pytest tests/contracts/test_sessions_crash.py`` for more. What
the sockets of the devices get is the capture of the wire: the gateway's every record is in it.
"""

from __future__ import annotations

import contextlib
import os
import random
import secrets
import select
import socket
import time
from collections import deque
from pathlib import Path

import aiocoap
import pytest

from gateway.dtls.client import Client
from gateway.dtls.durability import AHEAD
from gateway.dtls.events import ClientData
from gateway.dtls.record import decode_records
from gateway.dtls.settings import ClientConfig
from registry.model import NewDevice, Security
from tests.support.serving import DEADLINE_S, Serving, import_devices, serving

KILLS = int(os.environ.get("NODEGATE_KILLS", "5"))
DEVICES = 12
ACK_TIMEOUT_S = 0.4
"Doubled with each retransmission, as RFC 7252 has it."

SETTLING_S = 0.2
REPLAYED = 20
OWN_CID = b"dev"


class SecureDevice:
    """One device that sends an Update, waits for its answer, repeats it when none comes, and so on."""

    def __init__(self, number: int, secret: bytes, port: int) -> None:
        self.number = number
        self.has_cid = bool(number % 2)
        cid = OWN_CID if self.has_cid else None
        config = ClientConfig(identity=f"crash-{number:02}".encode(), psk=secret, cid=cid)
        self.client = Client(config, os.urandom)
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.connect(("127.0.0.1", port))
        self.socket.setblocking(False)
        self.sequences: set[int] = set()
        self.accepted: deque[tuple[int, bytes]] = deque(maxlen=REPLAYED)
        "Message ID and datagram of what was answered."

        self.replayed: set[int] = set()
        self.location: tuple[str, ...] = ()
        self.mid = 0
        self.answers = 0
        self.begun_at_mid = 0
        "Of the message under way when the gateway came back; counted since then:"

        self.transmissions = 0
        self.arrivals = 0
        self.retransmissions = 0
        self.message = b""
        self.sent: list[bytes] = []
        self.sent_at = 0.0

    def handshake(self) -> None:
        self.client.start(time.monotonic())
        deadline = time.monotonic() + DEADLINE_S
        while not self.client.is_established:
            assert time.monotonic() < deadline, "no handshake"
            for datagram in self.client.datagrams_to_send():
                self._push(datagram)
            select.select([self.socket], [], [], 0.1)
            self.receive()
            self.client.handle_timer(time.monotonic())

    def register(self) -> None:
        query = (f"ep=crash-{self.number:02}", "lt=86400", "lwm2m=1.1")
        self._begin(("rd",), query, b"</1/0>,</3/0>")

    def update(self) -> None:
        self._begin(self.location)

    def transmit(self) -> None:
        """The message under way, in a record of its own."""
        self.client.send(self.message, time.monotonic())
        for datagram in self.client.datagrams_to_send():
            self.sent.append(datagram)
            self._push(datagram)
        self.sent_at = time.monotonic()
        self.transmissions += self.mid == self.begun_at_mid

    def replay(self) -> None:
        """Everything lately accepted, once more, as somebody on the way could."""
        # What the gateway had answered before it died may still lie here.
        self.receive()
        self.replayed = {mid for mid, _ in self.accepted}
        for _, datagram in self.accepted:
            self._push(datagram)

    def receive(self) -> None:
        """Take what has come, note what was on the wire, go on when the answer is there."""
        while True:
            try:
                datagram = self.socket.recv(4096)
            except (BlockingIOError, ConnectionRefusedError):
                return
            for record in decode_records(datagram, len(OWN_CID) if self.has_cid else 0):
                if record.epoch:
                    assert record.sequence not in self.sequences, "a nonce was used twice"
                    self.sequences.add(record.sequence)
            for event in self.client.receive_datagram(datagram, time.monotonic()):
                if isinstance(event, ClientData):
                    self._take(aiocoap.Message.decode(event.data))

    def tick(self) -> None:
        if time.monotonic() - self.sent_at > ACK_TIMEOUT_S * 2**self.retransmissions:
            self.retransmissions += 1
            self.transmit()

    def begin_counting(self) -> None:
        """The gateway is back, and has got nothing of the message under way."""
        self.begun_at_mid = self.mid
        self.transmissions = self.arrivals = self.retransmissions = 0
        self.sent_at = 0.0

    @property
    def lost(self) -> int:
        """Transmissions of that message which were not taken; each of the others was answered."""
        return self.transmissions - self.arrivals

    def _begin(self, path: tuple[str, ...], query: tuple[str, ...] = (), payload: bytes = b"") -> None:
        self.mid += 1
        message = aiocoap.Message(code=aiocoap.POST, payload=payload, uri_path=path, uri_query=query)
        message.mtype = aiocoap.CON
        message.mid = self.mid & 0xFFFF
        message.token = self.mid.to_bytes(4, "big")
        self.message = message.encode()
        self.sent = []
        self.retransmissions = 0
        self.transmit()

    def _take(self, answer: aiocoap.Message) -> None:
        assert answer.mid not in self.replayed, "a replay was accepted"
        self.arrivals += answer.mid == self.begun_at_mid & 0xFFFF
        if answer.code is aiocoap.EMPTY or answer.mid != self.mid & 0xFFFF:
            return
        assert answer.code in (aiocoap.CREATED, aiocoap.CHANGED), answer.code
        self.location = self.location or answer.opt.location_path
        self.accepted.extend((answer.mid, datagram) for datagram in self.sent)
        self.answers += 1
        self.update()

    def _push(self, datagram: bytes) -> None:
        with contextlib.suppress(ConnectionRefusedError):
            self.socket.send(datagram)


def run(devices: list[SecureDevice], seconds: float, *, until_answered: bool = False) -> None:
    """Traffic for a while, or until each device was answered."""
    wanted = {device.number: device.answers + 1 for device in devices}
    deadline = time.monotonic() + (DEADLINE_S if until_answered else seconds)
    while time.monotonic() < deadline:
        ready, _, _ = select.select([device.socket for device in devices], [], [], 0.02)
        for device in devices:
            if device.socket in ready:
                device.receive()
            device.tick()
        if until_answered and all(device.answers >= wanted[device.number] for device in devices):
            return
    assert not until_answered, [device.number for device in devices if device.answers < wanted[device.number]]


def start_over(gateway: Serving, devices: list[SecureDevice]) -> None:
    """The gateway is back: replays first, then the devices go on."""
    for device in devices:
        device.replay()
        device.begin_counting()
    run(devices, 0, until_answered=True)
    run(devices, SETTLING_S)
    for device in devices:
        assert device.lost <= AHEAD, f"device {device.number} lost {device.lost} transmissions"


def test_kill_9_at_random_moments_repeats_no_nonce_and_loses_no_session(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    database, moments = tmp_path / "nodegate.db", random.Random(KILLS)
    secrets_of = [secrets.token_bytes(16) for _ in range(DEVICES)]
    import_devices(
        database,
        [NewDevice(f"crash-{n:02}", Security.PSK, secret) for n, secret in enumerate(secrets_of)],
    )
    with serving(database) as gateway:
        port = gateway.port("coaps")
        devices = [SecureDevice(number, secret, port) for number, secret in enumerate(secrets_of)]
        for device in devices:
            device.handshake()
            device.register()
        run(devices, 0, until_answered=True)
        run(devices, moments.uniform(0, 0.5))
        gateway.kill()
    lost = [0] * (1 + AHEAD)
    for _ in range(KILLS):
        with serving(database, "--coaps-port", str(port)) as gateway:
            start_over(gateway, devices)
            for device in devices:
                lost[device.lost] += 1
            run(devices, moments.uniform(0, 0.3))
            gateway.kill()
    assert all(device.answers > KILLS for device in devices)
    with capsys.disabled():
        if KILLS > 5:
            records = sum(len(device.sequences) for device in devices)
            print(f"\n{KILLS} kills, {records} records of the gateway, each with a number of its own;")
            print(f"devices that went on after 0, 1, 2 lost transmissions: {lost}")
    for device in devices:
        device.socket.close()
