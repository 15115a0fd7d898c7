"""What persisted sessions cost: restoring them, and the disk. ``python -m tools.bench.sessions``.

In process and without a network: sessions are made of random keys, records are counted instead of
received. The file is a real one, in a temporary folder.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import os
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from gateway.address import Address
from gateway.app import GC_THRESHOLDS
from gateway.dtls.endpoint import Endpoint, EndpointConfig
from gateway.dtls.journal import encode_entry
from gateway.dtls.keys import KeyBlock
from gateway.dtls.storedstate import StoredKeys, StoredSession, encode_keys, encode_session
from gateway.persistence.keeper import UPKEEP_S, WINDOW_S, SessionKeeper
from gateway.transport.coaps import CoapsTransport
from registry.clock import SystemClock
from registry.sessionfile import SessionRow
from registry.sqlite import Database
from registry.store import Registry

RECORDS_PER_S = 3_300
_ROWS_AT_ONCE = 10_000
_FAR_OFF_MS = 4_000_000_000_000


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=100_000)
    parser.add_argument("--seconds", type=int, default=300, help="of traffic, run as fast as it goes")
    arguments = parser.parse_args()
    gc.set_threshold(*GC_THRESHOLDS)
    with tempfile.TemporaryDirectory(dir=".") as folder:
        for line in asyncio.run(measure(Path(folder), arguments.sessions, arguments.seconds)):
            print(line)


async def measure(folder: Path, sessions: int, seconds: int) -> list[str]:
    """The figures, a line each."""
    await _fill(folder, sessions)
    registry = await Registry.open(Database.open(folder / "bench.db"))
    started = time.perf_counter()
    keeper = await SessionKeeper.open(registry, SystemClock())
    endpoint = Endpoint(EndpointConfig(persist_sessions=True), os.urandom, time.monotonic())
    coaps = _transport(endpoint)
    restored = keeper.attach(coaps, lambda identity, credential: True)
    lines = [f"{restored} sessions restored in {time.perf_counter() - started:.2f} s"]
    written, cpu_s = await _traffic(keeper, endpoint, seconds)
    lines.append(f"{written / seconds / 1e6:.3f} MB/s written at {RECORDS_PER_S} records/s")
    lines.append(f"{cpu_s / seconds / RECORDS_PER_S * 1e6:.2f} µs of CPU a record, both threads")
    started = time.perf_counter()
    coaps.close(notify=False)
    await keeper.close()
    lines.append(f"stored at a clean stop in {time.perf_counter() - started:.2f} s")
    await registry.close()
    return lines


async def _fill(folder: Path, sessions: int) -> None:
    registry = await Registry.open(Database.open(folder / "bench.db"))
    file = await registry.vault.take_over_sessions()
    for start in range(0, sessions, _ROWS_AT_ONCE):
        numbers = range(start + 1, min(start + _ROWS_AT_ONCE, sessions) + 1)
        entries = [encode_entry(number, 64, 2, True, _address(number)) for number in numbers]
        file.write([_row(number) for number in numbers], [], [b"".join(entries)])
    await registry.vault.hand_back_sessions(file)
    await registry.close()


def _row(number: int) -> SessionRow:
    block = KeyBlock(os.urandom(16), os.urandom(16), os.urandom(4), os.urandom(4))
    cid = b"\0" + number.to_bytes(7, "big")
    stored = StoredSession(
        encode_keys(StoredKeys(0xC0A8, block)),
        cid,
        established_ms=1_800_000_000_000,
        session_id=os.urandom(32),
        master_secret=os.urandom(48),
        resumable_ms=_FAR_OFF_MS,
    )
    return SessionRow(number, b"bench-%07d" % number, b"d-0123456789abcdef/0/", encode_session(stored))


def _address(number: int) -> Address:
    return Address(f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}", 5684)


def _transport(endpoint: Endpoint) -> CoapsTransport:
    return CoapsTransport(
        endpoint,
        lambda data, address: None,
        lookup_psk=lambda asked: None,
        on_data=lambda session, data: None,
        on_session_ended=lambda session, reason: None,
        on_handshake_failed=lambda failure: None,
    )


async def _traffic(keeper: SessionKeeper, endpoint: Endpoint, seconds: int) -> tuple[int, float]:
    """Bytes that reached the disk, and CPU seconds, for so many seconds' records and answers."""
    sessions = list(endpoint._sessions.all())
    source = random.Random(1)
    dirty = endpoint._durability.dirty
    per_commit = round(RECORDS_PER_S * WINDOW_S)
    commits_per_upkeep = round(UPKEEP_S / WINDOW_S)
    before, started = _written_bytes(), time.process_time()
    for commit in _commits(seconds):
        for session in source.choices(sessions, k=per_commit):
            session.window.newest += 1
            session.next_sequence = min(session.next_sequence + 1, session.send_limit)
            dirty[session.number] = session
        keeper._start()
        while keeper._writing is not None:
            await asyncio.wait([keeper._writing])
        if not commit % commits_per_upkeep:
            await keeper.maintain()
    return _written_bytes() - before, time.process_time() - started


def _commits(seconds: int) -> Iterator[int]:
    return iter(range(1, round(seconds / WINDOW_S) + 1))


def _written_bytes() -> int:
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))


if __name__ == "__main__":
    main()
