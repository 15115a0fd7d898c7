"""What a PSK handshake costs an engine in C: Mbed TLS beside ours. ``python -m tools.bench.foreign``.

Both are the server's side alone, in memory, in one process and in turns, with the same client: no UDP, no
registry, nothing stored. Mbed TLS comes by python-mbedtls, of the test extra, where that has wheels. CPU time
of this thread, medians.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from itertools import count
from statistics import median
from typing import Any, Final

from gateway.address import Address
from gateway.dtls.client import Client
from gateway.dtls.endpoint import Endpoint
from gateway.dtls.events import Event, PskRequested
from gateway.dtls.record import HEADER_BYTES
from gateway.dtls.settings import ClientConfig, EndpointConfig

RUNS: Final = 15
HANDSHAKES: Final = 200
"In each run."

_IDENTITY: Final = b"device"
_KEY: Final = bytes(range(16))
_NOW: Final = 1000.0

Server = Callable[[Sequence[bytes]], Sequence[bytes]]
"Takes what one client has sent, gives what is to be sent to it."


class Unfinished(Exception):
    """A handshake did not come to its end."""


def make_our_servers() -> Iterator[Server]:
    """One for each client, all of one endpoint."""
    endpoint = Endpoint(EndpointConfig(handshakes_per_minute=0), os.urandom, _NOW)

    def provide(events: Sequence[Event]) -> None:
        for event in events:
            if isinstance(event, PskRequested):
                provide(endpoint.provide_psk(event.handshake, _KEY, _NOW))

    for port in count(1):
        address = Address("192.0.2.1", port)

        def serve(datagrams: Sequence[bytes], address: Address = address) -> Sequence[bytes]:
            for datagram in datagrams:
                provide(endpoint.receive_datagram(datagram, address, _NOW))
            return [datagram for datagram, _ in endpoint.datagrams_to_send()]

        yield serve


def make_mbedtls_servers(tls: Any) -> Iterator[Server]:
    """Likewise. *tls*: the module ``mbedtls.tls``."""
    configuration = tls.DTLSConfiguration(
        pre_shared_key_store={_IDENTITY.decode(): _KEY},
        ciphers=("TLS-PSK-WITH-AES-128-CCM-8",),
        validate_certificates=False,
    )
    context = tls.ServerContext(configuration)

    def begin() -> Any:
        server = context.wrap_buffers()
        server.setcookieparam(b"192.0.2.1")
        return server

    while True:
        server = begin()

        def serve(datagrams: Sequence[bytes]) -> Sequence[bytes]:
            nonlocal server
            for datagram in datagrams:
                server.receive_from_network(datagram)
            written = b""
            try:
                with suppress(tls.WantReadError):
                    while server._handshake_state is not tls.HandshakeStep.HANDSHAKE_OVER:
                        with suppress(tls.WantWriteError):
                            server.do_handshake()
            except tls.HelloVerifyRequest:
                # After the cookie the library wants a new object.
                written = _take(server)
                server = begin()
            return _split(written + _take(server))

        yield serve


def measure(servers: Iterator[Server], handshakes: int = HANDSHAKES) -> float:
    """Microseconds of the server's side of one handshake.

    Raises:
        Unfinished: no handshake.
    """
    spent_ns = 0
    for _ in range(handshakes):
        client = Client(ClientConfig(_IDENTITY, _KEY, cid=None), os.urandom)
        client.start(_NOW)
        begins_ns = time.thread_time_ns()
        server = next(servers)
        spent_ns += time.thread_time_ns() - begins_ns
        while not client.is_established:
            datagrams = client.datagrams_to_send()
            if not datagrams:
                raise Unfinished("the server fell silent")
            begins_ns = time.thread_time_ns()
            answers = server(datagrams)
            spent_ns += time.thread_time_ns() - begins_ns
            for answer in answers:
                client.receive_datagram(answer, _NOW)
    return spent_ns / 1000 / handshakes


def _take(server: Any) -> bytes:
    written: bytes = server.peek_outgoing(1 << 14)
    server.consume_outgoing(len(written))
    return written


def _split(records: bytes) -> list[bytes]:
    """One datagram for each record: the library writes them one behind the other."""
    datagrams = []
    while records:
        end = HEADER_BYTES + int.from_bytes(records[HEADER_BYTES - 2 : HEADER_BYTES], "big")
        datagrams.append(records[:end])
        records = records[end:]
    return datagrams


def main() -> None:
    """Print both."""
    try:
        from mbedtls import tls
    except ImportError:
        sys.exit("python-mbedtls is not there: pip install python-mbedtls")
    ours, theirs = make_our_servers(), make_mbedtls_servers(tls)
    costs = [(measure(ours), measure(theirs)) for _ in range(RUNS)]
    our_us, their_us = (median(each) for each in zip(*costs, strict=True))
    print(
        f"PSK handshake, CCM_8, the server's side in memory: ours {our_us:.1f} µs, Mbed TLS {their_us:.1f} µs"
    )


if __name__ == "__main__":
    main()
