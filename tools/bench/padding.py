"""What a record of a CBC suite costs whose padding is right and whose is not, its MAC wrong in both.

Without encrypt-then-MAC the two must not differ, or whoever can measure them reads plaintext (Lucky 13).
Runs in this process: what a network adds would only hide a difference.
"""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from gateway.dtls.cbc import BLOCK_BYTES, MAC_BYTES, CbcOpener
from gateway.dtls.record import DTLS_1_2, ContentType, Record

_PADDED_BYTES: Final = 352
"Content, MAC and padding: room for the longest padding there can be."

_POOL: Final = 256
"Different records of each kind."


@dataclass(frozen=True, slots=True)
class PaddingTimes:
    """Medians over as many records of each kind, the kinds taking turns."""

    count: int
    right_us: float
    wrong_us: float

    @property
    def apart_us(self) -> float:
        """What somebody with a perfect clock could tell them by."""
        return abs(self.right_us - self.wrong_us)


def measure_padding(count: int) -> PaddingTimes:
    """Open *count* records of each kind."""
    key = os.urandom(16)
    opener = CbcOpener(key, os.urandom(32), b"", encrypt_then_mac=False)
    right, wrong = make_forgeries(key, is_right=True), make_forgeries(key, is_right=False)
    times: tuple[list[int], list[int]] = [], []
    is_collecting = gc.isenabled()
    gc.disable()
    try:
        for turn in range(count):
            index = turn % _POOL
            # Who goes first changes, or the second would always find the caches warm.
            for which in (0, 1) if turn & 1 else (1, 0):
                times[which].append(_time(opener, (right, wrong)[which][index]))
    finally:
        if is_collecting:
            gc.enable()
    return PaddingTimes(count, median(times[0]) / 1000, median(times[1]) / 1000)


def make_forgeries(key: bytes, *, is_right: bool) -> Sequence[Record]:
    """Records with a random MAC, under all lengths of padding, of which each byte is right or one is not."""
    forgeries = []
    for turn in range(_POOL):
        padded = bytearray(os.urandom(_PADDED_BYTES))
        length = turn % 256
        padded[-1 - length :] = bytes((length,)) * (length + 1)
        if not is_right:
            # With a length of 0 there is no byte that could be wrong: claim one more than there is.
            spoilt = -1 - max(length, 1)
            padded[-1] = max(length, 1)
            padded[spoilt] = padded[-1] ^ 0xFF
        forgeries.append(_seal(key, bytes(padded), turn))
    return forgeries


def _seal(key: bytes, padded: bytes, sequence: int) -> Record:
    assert len(padded) % BLOCK_BYTES == 0
    assert len(padded) > MAC_BYTES + 256
    iv = os.urandom(BLOCK_BYTES)
    fragment = iv + Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor().update(padded)
    number = (1 << 48 | sequence).to_bytes(8, "big")
    return Record(int(ContentType.APPLICATION_DATA), DTLS_1_2, 1, sequence, b"", number, fragment)


def _time(opener: CbcOpener, record: Record) -> int:
    before = time.perf_counter_ns()
    opened = opener.open(record)
    taken = time.perf_counter_ns() - before
    assert opened is None, "a forged record"
    return taken
