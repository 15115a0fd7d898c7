"""An `Endpoint` on a UDP socket of loopback, in a thread of its own, that answers whatever it is sent.

For foreign clients, one endpoint a test: any configuration, and every datagram of both directions kept.
"""

from __future__ import annotations

import secrets
import select
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType

from gateway.address import Address
from gateway.dtls.endpoint import Endpoint
from gateway.dtls.events import (
    ApplicationData,
    CertificatePresented,
    CredentialAccepted,
    Event,
    HandshakeFailed,
    PskRequested,
    RawPublicKeyPresented,
    ResumptionRequested,
    SessionEstablished,
)
from gateway.dtls.messages import HandshakeType, decode_fragments
from gateway.dtls.record import ContentType, decode_records
from gateway.dtls.refusal import CredentialRefusal
from gateway.dtls.settings import EndpointConfig
from tests.support.dtls_pair import Presented

ANSWER = b"answer"
_TICK_S = 0.02


def answer_to(data: bytes) -> bytes:
    """2.05 to a confirmable CoAP request; anything else comes back as it was."""
    if len(data) >= 4 and data[0] >> 4 == 4 and 1 <= data[1] < 32:
        token_bytes = data[0] & 15
        return bytes((0x60 | token_bytes, 0x45)) + data[2 : 4 + token_bytes] + b"\xff" + ANSWER
    return data


@dataclass
class DtlsServer:
    """``with DtlsServer(config, psks, judge) as server``: serves until the block ends."""

    config: EndpointConfig
    psks: dict[bytes, bytes]
    judge: Callable[[Presented], CredentialAccepted | CredentialRefusal]
    fixed_port: int = 0
    "For clients that know only one; then on some address of loopback. 0: the system's choice."

    is_moving: bool = False
    "It answers application data, and all that comes after, from another port; it still hears the first."

    received: list[bytes] = field(default_factory=list)
    "Application data."

    sent: list[bytes] = field(default_factory=list)
    "Datagrams."

    asked: list[PskRequested | Presented] = field(default_factory=list)
    "Of what full handshakes rest on."

    sessions: list[SessionEstablished] = field(default_factory=list)
    failures: list[HandshakeFailed] = field(default_factory=list)
    fault: BaseException | None = None
    "What ended the thread before its time."

    def __post_init__(self) -> None:
        host = (
            f"127.1.{secrets.randbelow(256)}.{secrets.randbelow(254) + 1}" if self.fixed_port else "127.0.0.1"
        )
        self._sockets = [_bound(host, self.fixed_port)]
        self.host: str
        self.host, self.port = self._sockets[0].getsockname()
        self._endpoint = Endpoint(self.config, secrets.token_bytes, time.monotonic())
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="dtls server")

    def __enter__(self) -> DtlsServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over.set()
        self._thread.join()
        for each in self._sockets:
            each.close()
        if self.fault is not None and error is None:
            raise self.fault

    def count(self, name: str) -> int:
        """One of the endpoint's counters."""
        return self._endpoint.counters.as_dict()[name]

    def suites(self) -> list[int]:
        """The suite of each ServerHello that was sent, repetitions included."""
        return [int.from_bytes(body[35 + body[34] : 37 + body[34]], "big") for body in self._server_hellos()]

    def _server_hellos(self) -> list[bytes]:
        found = []
        for datagram in self.sent:
            if datagram[0] != ContentType.HANDSHAKE:
                continue
            for record in decode_records(datagram, 0):
                if record.epoch or record.content_type != ContentType.HANDSHAKE:
                    break
                found += [
                    each.body
                    for each in decode_fragments(record.fragment)
                    if each.message_type == HandshakeType.SERVER_HELLO and not each.offset
                ]
        return found

    def _run(self) -> None:
        try:
            while not self._is_over.is_set():
                ready, _, _ = select.select(self._sockets, [], [], _TICK_S)
                now = time.monotonic()
                for each in ready:
                    datagram, peer = each.recvfrom(65_536)
                    address = Address(*peer)
                    self._handle(list(self._endpoint.receive_datagram(datagram, address, now)))
                due = self._endpoint.get_timer()
                if due is not None and due <= now:
                    self._handle(list(self._endpoint.handle_timer(now)))
        except Exception as error:  # noqa: BLE001 - told to the test when it ends
            self.fault = error

    def _handle(self, events: list[Event]) -> None:
        now = time.monotonic()
        while events:
            event = events.pop(0)
            if isinstance(event, PskRequested | CertificatePresented | RawPublicKeyPresented):
                self.asked.append(event)
            if isinstance(event, PskRequested):
                events += self._endpoint.provide_psk(event.handshake, self.psks.get(event.identity), now)
            elif isinstance(event, CertificatePresented | RawPublicKeyPresented):
                events += self._endpoint.provide_credential(event.handshake, self.judge(event), now)
            elif isinstance(event, ResumptionRequested):
                events += self._endpoint.provide_resumption(event.handshake, True, now)
            elif isinstance(event, SessionEstablished):
                self.sessions.append(event)
            elif isinstance(event, HandshakeFailed):
                self.failures.append(event)
            elif isinstance(event, ApplicationData):
                self.received.append(event.data)
                if self.is_moving and len(self._sockets) == 1:
                    self._sockets.append(_bound(self.host, 0))
                self._endpoint.send(event.session, answer_to(event.data))
        for datagram, address in self._endpoint.datagrams_to_send():
            self.sent.append(datagram)
            self._sockets[-1].sendto(datagram, (address.host, address.port))


def _bound(host: str, port: int) -> socket.socket:
    opened = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    opened.bind((host, port))
    return opened
