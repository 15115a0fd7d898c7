"""What the DTLS engine alone costs: records in and out, idle sessions. ``python -m tools.bench.engine``.

In process and without sockets, a client of ours at the other end. Beside each suite of AEAD stands
what the primitive alone takes for the same bytes in the same run: seconds change with the machine, their
ratio hardly does.
"""

from __future__ import annotations

import argparse
import gc
import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Final

from gateway.address import Address
from gateway.app import GC_THRESHOLDS
from gateway.dtls.client import Client
from gateway.dtls.endpoint import Endpoint
from gateway.dtls.events import ApplicationData, Event, PskRequested, SessionEstablished
from gateway.dtls.session import Session
from gateway.dtls.settings import ClientConfig, EndpointConfig
from gateway.dtls.suites import SUITES

SUITE_NUMBERS: Final = (0xC0A8, 0xC0A4, 0x00A8, 0x00AE)
"Of PSK: what protects records is the same with other key exchanges."

CONTENT: Final = bytes(48)
"An Update or its answer, about."

_KEY: Final = bytes(range(16))
_NOW: Final = 1000.0
_BATCH: Final = 500


@dataclass(frozen=True, slots=True)
class RecordCosts:
    """Of one suite: microseconds of CPU a record, medians over the batches."""

    name: str
    in_us: float
    out_us: float
    bare_us: float
    "Of AEAD suites: the primitive alone, opening. 0: not measured."


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=100, help=f"of {_BATCH} records, for each suite")
    parser.add_argument("--sessions", type=int, default=20_000, help="idle ones, for the memory of one")
    arguments = parser.parse_args()
    gc.set_threshold(*GC_THRESHOLDS)
    for cid in (b"", None):
        for number in SUITE_NUMBERS:
            costs = measure_records(number, arguments.batches, cid)
            bare = f", the AEAD alone {costs.bare_us:.2f} µs" if costs.bare_us else ""
            way = "with" if cid is not None else "without"
            print(f"{costs.name}, {way} CID: in {costs.in_us:.2f} µs, out {costs.out_us:.2f} µs{bare}")
    # A process for each: what the one has freed the other would take.
    with ProcessPoolExecutor(1, get_context("spawn"), max_tasks_per_child=1) as fresh:
        for is_persisting in (False, True):
            size = fresh.submit(measure_memory, arguments.sessions, is_persisting=is_persisting).result()
            print(f"idle PSK session, CCM_8, {'' if is_persisting else 'not '}persisted: {size:,.0f} bytes")


def measure_records(suite: int, batches: int, cid: bytes | None) -> RecordCosts:
    """Application data of `CONTENT`, from a datagram to its event and from a call to a datagram."""
    endpoint = Endpoint(EndpointConfig(), os.urandom, _NOW)
    address = Address("192.0.2.1", 5684)
    client = Client(ClientConfig(b"device", _KEY, suites=(suite,), cid=cid), os.urandom)
    session = _connect(client, endpoint, address)
    # A batch each way that does not count, in which all that is made at first use is made.
    ways: tuple[list[float], list[float], list[float]] = [], [], []
    for _ in range(batches + 1):
        datagrams = [_seal(client) for _ in range(_BATCH)]
        ways[0].append(_time(lambda: _receive(endpoint, datagrams, address)))  # noqa: B023 - called at once
        ways[1].append(_time(lambda: _send(endpoint, session)))
        ways[2].append(_time(lambda: _open_bare(suite)))
    into, out, bare = (median(times[1:]) / _BATCH * 1e6 for times in ways)
    return RecordCosts(SUITES[suite].name, into, out, 0.0 if SUITES[suite].is_cbc else bare)


def measure_memory(sessions: int, *, is_persisting: bool) -> float:
    """Bytes that one more idle session takes: resumable, in all tables of the engine."""
    # They all come from one address.
    config = EndpointConfig(persist_sessions=is_persisting, handshakes_per_minute=0)
    endpoint = Endpoint(config, os.urandom, _NOW)
    before = 0
    for number in range(sessions + _BATCH):
        if number == _BATCH:
            gc.collect()
            before = _resident_bytes()
        client = Client(ClientConfig(b"device-%07d" % number, _KEY, cid=b""), os.urandom)
        session = _connect(client, endpoint, Address("192.0.2.1", number + 1024))
        _store(endpoint)
        _receive(endpoint, [_seal(client)], session.address)
        _store(endpoint)
        endpoint.handle_timer(_NOW + 1000)
    gc.collect()
    return (_resident_bytes() - before) / sessions


def _connect(client: Client, endpoint: Endpoint, address: Address) -> Session:
    client.start(_NOW)
    established: list[Session] = []
    while not client.is_established:
        for datagram in client.datagrams_to_send():
            events: list[Event] = list(endpoint.receive_datagram(datagram, address, _NOW))
            while events:
                event = events.pop(0)
                if isinstance(event, PskRequested):
                    events += endpoint.provide_psk(event.handshake, _KEY, _NOW)
                elif isinstance(event, SessionEstablished):
                    established.append(event.session)
        for datagram, _ in endpoint.datagrams_to_send():
            client.receive_datagram(datagram, _NOW)
    (session,) = established
    return session


def _store(endpoint: Endpoint) -> None:
    while endpoint.urgency:
        endpoint.note_saved(endpoint.take_batch(_NOW, 1), _NOW)


def _seal(client: Client) -> bytes:
    client.send(CONTENT, _NOW)
    (datagram,) = client.datagrams_to_send()
    return datagram


def _receive(endpoint: Endpoint, datagrams: Sequence[bytes], address: Address) -> None:
    for datagram in datagrams:
        (event,) = endpoint.receive_datagram(datagram, address, _NOW)
        assert isinstance(event, ApplicationData)


def _send(endpoint: Endpoint, session: Session) -> None:
    for _ in range(_BATCH):
        endpoint.send(session, CONTENT)
        endpoint.datagrams_to_send()


def _open_bare(suite: int) -> None:
    if SUITES[suite].is_cbc:
        return
    aead, nonce, associated = SUITES[suite].aead(_KEY), bytes(12), bytes(23)
    sealed = aead.encrypt(nonce, CONTENT + b"\x17", associated)
    for _ in range(_BATCH):
        aead.decrypt(nonce, sealed, associated)


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _time(work: Callable[[], None]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    main()
