"""Taking a database over, and looking for foreign changes: the parts of the store that run in its thread."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from registry import defaults, loading
from registry.axis import Axis
from registry.clock import Clock
from registry.errors import KeyUnusable
from registry.feed import ChangeFeed, ForeignEvents
from registry.keyring import Keyring
from registry.lock import GatewayLock
from registry.memory import Memory
from registry.registrations import ObjectListPool
from registry.sealing import Sealer
from registry.settings import RegistrySettings
from registry.sqlite import Database


@dataclass(frozen=True, slots=True)
class Opened:
    """What a running store consists of."""

    lock: GatewayLock
    keyring: Keyring
    sealer: Sealer | None
    feed: ChangeFeed
    pool: ObjectListPool
    memory: Memory
    axis: Axis


def open_parts(database: Database, clock: Clock, settings: RegistrySettings) -> Opened:
    """Lock, look for the key, remove the clean mark, load; in this order.

    Raises:
        DatabaseUnusable: another gateway has it, or it is damaged.
        KeyUnusable: secrets are sealed and their key is missing or another one.
        StorageUnavailable: the disk is full or fails, or another program holds the file.
    """
    with contextlib.ExitStack() as unfinished:
        lock = GatewayLock(database.path)
        unfinished.callback(lock.release)
        keyring = Keyring(database)
        sealer = keyring.sealer_for_opening()
        database.disable_auto_checkpoint()
        stop = loading.take_clean_mark(database)
        defaults.note(database, settings)
        feed, pool = ChangeFeed(database), ObjectListPool()
        memory, axis = loading.load(database, pool, feed, clock, stop, settings.lifetime_grace_s)
        unfinished.pop_all()
    return Opened(lock, keyring, sealer, feed, pool, memory, axis)


@dataclass(frozen=True, slots=True)
class ForeignChanges:
    """A batch of the feed, with the sealer that opens the secrets in it."""

    events: ForeignEvents
    sealer: Sealer | None
    key_fault: KeyUnusable | None = None
    "The key at hand does not fit what the command line has sealed."


def read_changes(opened: Opened) -> ForeignChanges | None:
    """The next batch of the change feed; the command line may have made or replaced the key."""
    foreign = opened.feed.read()
    if foreign is None:
        return None
    try:
        return ForeignChanges(foreign, opened.keyring.sealer_for_opening())
    except KeyUnusable as error:
        return ForeignChanges(foreign, None, error)
