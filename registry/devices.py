"""Devices as rows: statements and conversions. Decides nothing about a device."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from registry import commands, observations, refusals, registrations, values
from registry.model import Device, NewDevice, Security

COLUMNS = (
    "d.number, d.device_id, d.node_id, d.security, d.timeout_s, d.created_at_ms, d.connected_at_ms,"
    " d.is_frozen, d.sealed_secret, d.revision, d.certificate_sha256, d.public_key_sha256"
)
COLUMN_COUNT = 12

_INSERT = (
    "INSERT INTO device (number, device_id, node_id, security, timeout_s, created_at_ms, sealed_secret,"
    " certificate, certificate_sha256, public_key, public_key_sha256)"
    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
)
_SECURITY = {security.value: security for security in Security}


def from_columns(row: Sequence[Any]) -> Device:
    """The device whose `COLUMNS` are *row*."""
    number, device_id, node_id, security, timeout_s, created_at_ms, connected_at_ms, *rest = row
    is_frozen, *rest = rest
    return Device(
        number,
        device_id,
        node_id,
        _SECURITY[security],
        timeout_s,
        created_at_ms,
        connected_at_ms,
        is_frozen != 0,
        *rest,
    )


def insert(connection: sqlite3.Connection, devices: Sequence[tuple[Device, NewDevice]]) -> int:
    """Add *devices* with consecutive numbers of the table's choice; returns the first.

    Each comes with what was asked for, where its certificate and public key stand in full.

    Raises:
        sqlite3.IntegrityError: a node ID, a device ID or a public key is taken.
    """
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'device'").fetchone()
    first = 1 if row is None else int(row[0]) + 1
    connection.executemany(
        _INSERT,
        (_to_row(number, device, new) for number, (device, new) in enumerate(devices, first)),
    )
    return first


def _to_row(number: int, device: Device, new: NewDevice) -> Sequence[object]:
    return (
        number,
        device.device_id,
        device.node_id,
        device.security.value,
        device.timeout_s,
        device.created_at_ms,
        device.sealed_secret,
        new.certificate,
        device.certificate_sha256,
        new.public_key,
        device.public_key_sha256,
    )


def find(connection: sqlite3.Connection, id_: str) -> Device | None:
    """The device with this node ID or device ID; the two forms exclude each other."""
    row = connection.execute(
        f"SELECT {COLUMNS} FROM device AS d WHERE d.node_id = ?1 OR d.device_id = ?1", (id_,)
    ).fetchone()
    return None if row is None else from_columns(row)


def revoke(connection: sqlite3.Connection, device: Device, reason: str, now_ms: int) -> None:
    """End what the device had by its credential: registration, commands that wait, observations."""
    connection.execute(registrations.DELETE, (device.number,))
    commands.cancel_all(connection, device.number, reason, now_ms)
    observations.forget_all(connection, device.number)


def delete(connection: sqlite3.Connection, device: Device, now_ms: int) -> None:
    """Remove the device and all that belongs to it but its events and its commands, which have ended."""
    connection.execute("DELETE FROM device WHERE number = ?", (device.number,))
    revoke(connection, device, "the device was deleted", now_ms)
    connection.execute(registrations.FORGET_PROFILE, (device.number,))
    refusals.forget(connection, device.node_id)
    values.forget(connection, device.number)
