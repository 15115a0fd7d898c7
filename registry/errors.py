"""What can go wrong with the registry, as one tree.

    RegistryError
    ├── InvalidValue        a value that no device may have (node ID, secret, timeout)
    ├── AlreadyExists       a node ID that is taken
    ├── ImportRefused       rows of an import, each with its fault
    ├── NotFound            no such device
    ├── NotAllowed          the device exists, but this cannot be done to it
    ├── DatabaseUnusable    the file is not ours, newer, locked, read-only or damaged
    ├── KeyUnusable         the key for sealed secrets is missing, malformed or another one
    └── StorageUnavailable  the disk is full or fails, or the file is locked; later it may work again

Every message is one line for a person: what, where, what to do. None holds a secret.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class RegistryError(Exception):
    """Root of the tree; its text is meant to be shown."""


class InvalidValue(RegistryError):
    """A value that no device may have."""


class AlreadyExists(RegistryError):
    """The node ID is taken."""


@dataclass(frozen=True, slots=True)
class RowFault:
    """What is wrong with one row of an import."""

    index: int
    "Of the row, from 0."

    reason: str

    earlier: int | None = None
    "Index of the row that has the same node ID, where that is the fault."


class ImportRefused(RegistryError):
    """An import of which nothing was stored, because some of its rows are bad."""

    def __init__(self, faults: Sequence[RowFault]) -> None:
        super().__init__(f"nothing was imported: {len(faults)} of the rows cannot be")
        self.faults = tuple(faults)


class NotFound(RegistryError):
    """No device has this node ID or device ID."""


class NotAllowed(RegistryError):
    """The device exists, but this cannot be done to it."""


class DatabaseUnusable(RegistryError):
    """The file cannot serve as a registry."""


class KeyUnusable(RegistryError):
    """Sealed secrets cannot be opened with the key at hand."""


class StorageUnavailable(RegistryError):
    """The transaction was rolled back; trying again later may succeed."""
