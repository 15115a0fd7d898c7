"""Bytes made wrong: the ways in which a peer, a network or an attacker differs from a good example.

Knows no format. What comes out depends on the random source alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import Final

TELLING: Final = (0, 1, 2, 0x0F, 0x7F, 0x80, 0xFE, 0xFF)
"Values of a byte at which lengths, types and signs go wrong."

LONGEST_BYTES: Final = 4_096

Change = Callable[[bytearray, Random, Sequence[bytes]], None]


def mutate(original: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """*original* after one to a few changes; *others*: where a splice takes its other half from."""
    data = bytearray(original)
    # Half of the inputs differ in one place only: those get deepest.
    for _ in range(random.choice((1, 1, 1, 2, 3, 6))):
        random.choice(CHANGES)(data, random, others)
    return bytes(data[:LONGEST_BYTES])


def noise(random: Random, longest_bytes: int = 80) -> bytes:
    """Bytes without any sense."""
    return random.randbytes(random.randrange(longest_bytes + 1))


def _flip_bit(data: bytearray, random: Random, others: Sequence[bytes]) -> None:
    if data:
        data[random.randrange(len(data))] ^= 1 << random.randrange(8)


def _set_telling(data: bytearray, random: Random, others: Sequence[bytes]) -> None:
    if data:
        data[random.randrange(len(data))] = random.choice(TELLING)


def _set_any(data: bytearray, random: Random, others: Sequence[bytes]) -> None:
    if data:
        data[random.randrange(len(data))] = random.randrange(256)


def _step(data: bytearray, random: Random, others: Sequence[bytes]) -> None:
    if data:
        at = random.randrange(len(data))
        data[at] = (data[at] + random.choice((-1, 1))) & 0xFF


def _set_number(data: bytearray, random: Random, others: Sequence[bytes]) -> None:
    if len(data) > 1:
        at = random.randrange(len(data) - 1)
        number = random.choice(
            (0, 1, 255, 256, 0x3FFF, 0x4000, 0x7FFF, 0xFFFF, len(data), len(data) - at - 2)
        )
        data[at : at + 2] = number.to_bytes(2, "big")


def _cut(data: bytearray, random: Random, others: Sequence[bytes]) -> None:
    del data[random.randrange(len(data) + 1) :]


def _leave_out(data: bytearray, random: Random, others: Sequence[bytes]) -> None:
    at = random.randrange(len(data) + 1)
    del data[at : at + random.randrange(1, 17)]


def _insert(data: bytearray, random: Random, others: Sequence[bytes]) -> None:
    at = random.randrange(len(data) + 1)
    data[at:at] = random.randbytes(random.randrange(1, 9))


def _repeat(data: bytearray, random: Random, others: Sequence[bytes]) -> None:
    at = random.randrange(len(data) + 1)
    piece = data[at : at + random.randrange(1, 65)]
    data[at:at] = piece * random.choice((1, 1, 1, 8))


def _swap(data: bytearray, random: Random, others: Sequence[bytes]) -> None:
    if len(data) > 1:
        one, other = random.randrange(len(data)), random.randrange(len(data))
        data[one], data[other] = data[other], data[one]


def _splice(data: bytearray, random: Random, others: Sequence[bytes]) -> None:
    other = random.choice(others)
    data[random.randrange(len(data) + 1) :] = other[random.randrange(len(other) + 1) :]


CHANGES: Final[tuple[Change, ...]] = (
    _flip_bit,
    _set_telling,
    _set_any,
    _step,
    _set_number,
    _cut,
    _leave_out,
    _insert,
    _repeat,
    _swap,
    _splice,
)
