"""When each device's time is up: expiry seconds in pages, and a lazy timer wheel over them.

Pure: no clock, no disk. All instants are whole seconds on the owner's own axis. A lease costs 8 bytes and
its entry in the wheel 8 more; renewing one is a single store, its entry is re-filed when it is next visited.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator
from heapq import heappop, heappush

PAGE_SIZE = 1000
"Device numbers per page."

NONE = 0
"Expiry of a device without a lease."

UNLIMITED = 0xFFFF_FFFF
"Expiry of a lease that never ends."

_TYPE = "I"
_EMPTY = array(_TYPE, [NONE]) * PAGE_SIZE
_VISITS_PER_DUE = 20
_HORIZON_S = 4096


def expiry_after(now: float, duration_s: float) -> int:
    """The first whole second that is surely not before *now* + *duration_s*; 0 s means unlimited."""
    if duration_s == 0:
        return UNLIMITED
    return min(int(now + duration_s) + 1, UNLIMITED)


class Leases:
    """Expiry by device number; *second* is the present one."""

    def __init__(self, second: int) -> None:
        self._pages: dict[int, array[int]] = {}
        self._dirty: set[int] = set()
        self._wheel = _Wheel(second)

    def grant(self, number: int, expiry: int) -> None:
        """Begin or replace the lease of *number*."""
        index, slot = divmod(number, PAGE_SIZE)
        page = self._pages.get(index)
        if page is None:
            page = self._pages[index] = _EMPTY[:]
        page[slot] = expiry
        self._dirty.add(index)
        if expiry != UNLIMITED:
            self._wheel.file(number, expiry)

    def renew(self, number: int, expiry: int) -> None:
        """Move the end of a lease to a later second; without a lease nothing happens."""
        index, slot = divmod(number, PAGE_SIZE)
        page = self._pages.get(index)
        if page is not None and page[slot]:
            page[slot] = expiry
            self._dirty.add(index)

    def drop(self, number: int) -> None:
        """End the lease; its entry in the wheel dies when it is visited."""
        index, slot = divmod(number, PAGE_SIZE)
        page = self._pages.get(index)
        if page is not None and page[slot]:
            page[slot] = NONE
            self._dirty.add(index)

    def find(self, number: int) -> int:
        """Expiry second of *number*, `NONE` or `UNLIMITED`."""
        index, slot = divmod(number, PAGE_SIZE)
        page = self._pages.get(index)
        return NONE if page is None else page[slot]

    def refile(self, number: int, second: int) -> None:
        """Visit *number* again at *second*: what was due could not be ended."""
        self._wheel.file(number, second)

    def due(self, second: int, limit: int) -> list[int]:
        """Up to *limit* numbers whose lease has ended by *second*; each is given once until filed again.

        A call visits a bounded number of entries, so an empty answer does not mean that nothing is due.
        """
        found: list[int] = []
        for number in self._wheel.visit(second, limit * _VISITS_PER_DUE):
            expiry = self.find(number)
            if expiry in (NONE, UNLIMITED):
                continue
            if expiry > second:
                self._wheel.file(number, expiry)
                continue
            found.append(number)
            if len(found) == limit:
                break
        return found

    def is_behind(self, second: int) -> bool:
        """Whether entries up to *second* are still to be visited."""
        return self._wheel.is_behind(second)

    def take_dirty(self) -> list[tuple[int, bytes]]:
        """The pages changed since the last call, packed."""
        dirty = sorted(self._dirty)
        self._dirty.clear()
        return [(index, pack(self._pages[index])) for index in dirty]

    def mark_dirty(self, pages: list[int]) -> None:
        """Their packed form did not reach the disk."""
        self._dirty.update(pages)

    def mark_all_dirty(self) -> None:
        """Have `take_dirty` give every page."""
        self._dirty.update(self._pages)


class _Wheel:
    """Buckets of one second. A number lies in one at most, and never in a later one than was asked for."""

    def __init__(self, second: int) -> None:
        self._buckets: dict[int, array[int]] = {}
        self._order: list[int] = []
        self._filed: dict[int, array[int]] = {}
        self._hand = second
        self._bucket: array[int] = array("Q")

    def file(self, number: int, second: int) -> None:
        # Far ends are visited once more on the way, so that few buckets carry many devices.
        hand = self._hand
        if not hand < second <= hand + _HORIZON_S:
            second = hand + (1 if second <= hand else _HORIZON_S)
        index, slot = divmod(number, PAGE_SIZE)
        filed = self._filed.get(index)
        if filed is None:
            filed = self._filed[index] = _EMPTY[:]
        if 0 < filed[slot] <= second:
            return
        filed[slot] = second
        bucket = self._buckets.get(second)
        if bucket is None:
            bucket = self._buckets[second] = array("Q")
            heappush(self._order, second)
        bucket.append(number)

    def visit(self, second: int, limit: int) -> Iterator[int]:
        """Numbers filed up to *second*, at most *limit* of them; each is out of the wheel once given."""
        for _ in range(limit):
            while not self._bucket:
                if not self.is_behind(second):
                    return
                self._hand = heappop(self._order)
                self._bucket = self._buckets.pop(self._hand)
            number = self._bucket.pop()
            index, slot = divmod(number, PAGE_SIZE)
            # An entry whose number was filed elsewhere meanwhile is a shell.
            if self._filed[index][slot] == self._hand:
                self._filed[index][slot] = 0
                yield number

    def is_behind(self, second: int) -> bool:
        return bool(self._bucket) or bool(self._order and self._order[0] <= second)


def pack(page: array[int]) -> bytes:
    """A page as the database holds it: little-endian, four bytes a device."""
    if sys.byteorder == "big":
        page = page[:]
        page.byteswap()
    return page.tobytes()


def unpack(data: bytes) -> array[int]:
    """Inverse of `pack`; tolerates a page of another size."""
    page = array(_TYPE)
    page.frombytes(data[: len(data) // 4 * 4])
    if sys.byteorder == "big":
        page.byteswap()
    return page
