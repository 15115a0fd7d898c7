"""The tables of the first release.

No foreign keys: parents and children change in the same transactions, and a check per row would be paid on
every Register. No index on expiry times either: leases live in pages, the wheel in memory.
"""

from __future__ import annotations

from typing import Any

from sqlite_utils import Database
from sqlite_utils.db import Table


def apply(db: Database) -> None:
    """Create every table."""
    _create_devices(db)
    _create_registrations(db)
    _create_history(db)
    _table(db, "meta", {"key": str, "value": bytes}, pk="key", not_null={"value"})
    _table(
        db,
        "migration",
        {"number": int, "applied_at_ms": int},
        pk="number",
        not_null={"applied_at_ms"},
    )


def _create_devices(db: Database) -> None:
    # AUTOINCREMENT, so that nothing that still speaks of a deleted device can hit a new one.
    db.execute("""
        CREATE TABLE device (
            number INTEGER PRIMARY KEY AUTOINCREMENT,
            device_id TEXT NOT NULL UNIQUE,
            node_id TEXT NOT NULL UNIQUE,
            security TEXT NOT NULL,
            timeout_s INTEGER NOT NULL,
            created_at_ms INTEGER NOT NULL,
            connected_at_ms INTEGER,
            is_frozen INTEGER NOT NULL DEFAULT 0,
            revision INTEGER NOT NULL DEFAULT 0,
            sealed_secret BLOB
        ) STRICT
    """)


def _create_registrations(db: Database) -> None:
    _table(
        db,
        "registration",
        {
            "device": int,
            "location": str,
            "identity": str,
            "address": str,
            "lwm2m": str,
            "binding": str,
            "lifetime_s": int,
            "objects": int,
            "registered_at_ms": int,
            "written_at_ms": int,
            "sms": str,
            "profile_id": str,
            "parameters": str,
        },
        pk="device",
        not_null={
            "location",
            "address",
            "lwm2m",
            "binding",
            "lifetime_s",
            "objects",
            "registered_at_ms",
            "written_at_ms",
        },
    )
    _table(
        db,
        "object_list",
        {"id": int, "content": str, "used_on": int},
        pk="id",
        not_null={"content", "used_on"},
    ).create_index(["content"], unique=True)
    _table(
        db,
        "profile",
        {"device": int, "profile_id": str, "objects": int},
        pk="device",
        not_null={"profile_id", "objects"},
    )
    _table(
        db,
        "lease_page",
        {"page": int, "expiries": bytes, "written_at_ms": int, "skew_ms": int},
        pk="page",
        not_null={"expiries", "written_at_ms", "skew_ms"},
    )


def _create_history(db: Database) -> None:
    _table(
        db,
        "event",
        {
            "id": int,
            "at_ms": int,
            "type": str,
            "device_id": str,
            "node_id": str,
            "data": str,
            "objects": int,
            "source": int,
        },
        pk="id",
        not_null={"at_ms", "type", "node_id", "data", "source"},
    )
    # The change feed reads by this one; rows of the gateway never enter it.
    db.execute("CREATE INDEX event_of_administration ON event (id) WHERE source = 1")
    _table(
        db,
        "refusal",
        {"id": int, "node_id": str, "at_ms": int, "address": str, "reason": str},
        pk="id",
        not_null={"node_id", "at_ms", "address", "reason"},
    ).create_index(["node_id"])


def _table(db: Database, name: str, columns: dict[str, Any], *, pk: str, not_null: set[str]) -> Table:
    return db.table(name).create(columns, pk=pk, not_null=not_null, strict=True)
