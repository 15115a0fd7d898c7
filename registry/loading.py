"""From the file to memory at start, and the lease pages and the clean mark on their way back.

Runs in the writer's thread. Streams: no table is ever held as rows.
"""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterable

from registry import devices, meta, registrations
from registry.axis import Axis, CleanStop
from registry.clock import Clock
from registry.feed import ChangeFeed
from registry.leases import NONE, PAGE_SIZE, UNLIMITED, unpack
from registry.memory import Memory
from registry.model import Registration
from registry.registrations import ObjectListPool, SharedObjects
from registry.sqlite import Database

_CLEAN_STOP = "clean_stop"
_EMPTY_PAGE: array[int] = array("I")


def take_clean_mark(database: Database) -> CleanStop | None:
    """Remove the mark of a clean stop, durably, and return it; None after an unclean one."""
    with database.transaction() as connection:
        mark = meta.find(database, _CLEAN_STOP)
        meta.delete(connection, _CLEAN_STOP)
    return None if mark is None else CleanStop.decode(mark)


def load(
    database: Database,
    pool: ObjectListPool,
    feed: ChangeFeed,
    clock: Clock,
    stop: CleanStop | None,
    grace_s: int,
) -> tuple[Memory, Axis]:
    """Everything that is committed; *feed* goes on from there.

    Lifetimes and deadlines count from the end of the loading.
    """
    memory = Memory()
    with database.snapshot() as connection:
        feed.begin(connection)
        for row in connection.execute(f"SELECT {devices.COLUMNS} FROM device AS d"):
            memory.put_device(devices.from_columns(row))
        lists = _load_object_lists(connection, pool)
        _load_registrations(connection, memory, lists)
        pages = _load_pages(connection) if stop is not None else {}
    monotonic, wall_ms = clock.monotonic(), clock.wall_ms()
    axis = Axis(monotonic, wall_ms, stop)
    now = axis.at(monotonic)
    memory.start_timers(int(now))
    for device in memory.numbers.values():
        memory.arm_claim(device, now, wall_ms)
    for registration in memory.registrations.values():
        left = _find_entry(pages, registration)
        if left == NONE:
            memory.grant(registration, now, grace_s)
        else:
            memory.leases.grant(registration.device, min(left + axis.shift_s, UNLIMITED))
    return memory, axis


def save_leases(
    connection: sqlite3.Connection, pages: Iterable[tuple[int, bytes]], wall_ms: int, skew_ms: int
) -> None:
    """Write packed *pages*, inside the caller's transaction."""
    connection.executemany(
        "INSERT OR REPLACE INTO lease_page (page, expiries, written_at_ms, skew_ms) VALUES (?, ?, ?, ?)",
        ((page, data, wall_ms, skew_ms) for page, data in pages),
    )


def save_clean_mark(connection: sqlite3.Connection, stop: CleanStop) -> None:
    """Leave the mark, in the transaction of the last snapshot."""
    meta.write(connection, _CLEAN_STOP, stop.encode())


def _load_object_lists(connection: sqlite3.Connection, pool: ObjectListPool) -> dict[int, SharedObjects]:
    lists = {}
    for row_id, content, used_on in connection.execute("SELECT id, content, used_on FROM object_list"):
        shared = lists[row_id] = pool.share(registrations.decode_objects(content))
        shared.row_id, shared.used_on = row_id, used_on
    return lists


def _load_registrations(
    connection: sqlite3.Connection, memory: Memory, lists: dict[int, SharedObjects]
) -> None:
    rows = connection.execute(f"SELECT r.device, r.objects, {registrations.COLUMNS} FROM registration AS r")
    for number, objects, *columns in rows:
        device, shared = memory.numbers.get(number), lists.get(objects)
        # Without its device or its objects a row is nobody's; the janitor takes it.
        if device is not None and shared is not None and not device.is_frozen:
            memory.put_registration(registrations.from_columns(device, shared.objects, columns))
    for number, profile_id, objects in connection.execute("SELECT device, profile_id, objects FROM profile"):
        shared = lists.get(objects)
        if shared is not None and number in memory.numbers:
            memory.profiles[number] = (profile_id, shared.objects)


def _load_pages(connection: sqlite3.Connection) -> dict[int, array[int]]:
    return {page: unpack(data) for page, data in connection.execute("SELECT page, expiries FROM lease_page")}


def _find_entry(pages: dict[int, array[int]], registration: Registration) -> int:
    index, slot = divmod(registration.device, PAGE_SIZE)
    page = pages.get(index, _EMPTY_PAGE)
    entry = page[slot] if slot < len(page) else NONE
    # A limit that is gone, or has come, with another setting is not for the page to say.
    is_unlimited = registration.lifetime_s == 0
    return entry if (entry == UNLIMITED) == is_unlimited else NONE
