"""Devices with their state, registration and lease, read from the file as administrators see them.

Reads only. The lease is as the gateway's last snapshot has it; a registration newer than that snapshot
counts from when its row was written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any

from registry import devices, registrations
from registry.leases import NONE, PAGE_SIZE, UNLIMITED
from registry.model import Device, DeviceState, DeviceView, Registration, Security

_SELECT = (
    f"SELECT {devices.COLUMNS}, {registrations.COLUMNS}, o.content, r.written_at_ms,"
    f" l.written_at_ms, l.skew_ms, substr(l.expiries, d.number % {PAGE_SIZE} * 4 + 1, 4)"
    " FROM device AS d LEFT JOIN registration AS r ON r.device = d.number"
    " LEFT JOIN object_list AS o ON o.id = r.objects"
    f" LEFT JOIN lease_page AS l ON l.page = d.number / {PAGE_SIZE}"
)

_CONDITIONS = {
    DeviceState.INACTIVE: "d.is_frozen = 0 AND r.device IS NULL AND d.connected_at_ms IS NULL",
    DeviceState.ONLINE: "d.is_frozen = 0 AND r.device IS NOT NULL",
    DeviceState.OFFLINE: "d.is_frozen = 0 AND r.device IS NULL AND d.connected_at_ms IS NOT NULL",
    DeviceState.FROZEN: "d.is_frozen = 1",
}


def find(connection: sqlite3.Connection, id_: str) -> DeviceView | None:
    """The device with this node ID or device ID, without its refusals."""
    row = connection.execute(f"{_SELECT} WHERE d.node_id = ?1 OR d.device_id = ?1", (id_,)).fetchone()
    return None if row is None else _from_row(row)


def read_page(
    connection: sqlite3.Connection,
    *,
    after: str | None,
    limit: int,
    state: DeviceState | None = None,
    security: Security | None = None,
) -> list[DeviceView]:
    """The next *limit* devices behind node ID *after*, ordered by the bytes of their node IDs."""
    # Node IDs are never empty, so everything is behind "".
    conditions, parameters = ["d.node_id > ?"], [after or ""]
    if state is not None:
        conditions.append(_CONDITIONS[state])
    if security is not None:
        conditions.append("d.security = ?")
        parameters.append(security.value)
    rows = connection.execute(
        f"{_SELECT} WHERE {' AND '.join(conditions)} ORDER BY d.node_id LIMIT ?", (*parameters, limit)
    )
    return [_from_row(row) for row in rows]


def _from_row(row: Sequence[Any]) -> DeviceView:
    device = devices.from_columns(row[: devices.COLUMN_COUNT])
    columns = row[devices.COLUMN_COUNT : -5]
    content, *lease = row[-5:]
    if content is None:
        return DeviceView(device, _state_of(device, None))
    registration = registrations.from_columns(device, registrations.decode_objects(content), columns)
    expires_at_ms = _expires_at_ms(registration, *lease)
    return DeviceView(device, _state_of(device, registration), registration, expires_at_ms)


def _state_of(device: Device, registration: Registration | None) -> DeviceState:
    if device.is_frozen:
        return DeviceState.FROZEN
    if registration is not None:
        return DeviceState.ONLINE
    return DeviceState.INACTIVE if device.connected_at_ms is None else DeviceState.OFFLINE


def _expires_at_ms(
    registration: Registration,
    written_at_ms: int,
    snapshot_at_ms: int | None,
    skew_ms: int | None,
    packed: bytes | None,
) -> int | None:
    if registration.lifetime_s == 0:
        return None
    if snapshot_at_ms is not None and snapshot_at_ms > written_at_ms:
        assert skew_ms is not None
        expiry = int.from_bytes(packed or b"", "little")
        if expiry not in (NONE, UNLIMITED):
            return expiry * 1000 + skew_ms
    return written_at_ms + registration.lifetime_s * 1000
