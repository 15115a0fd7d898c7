"""What is asked of devices, and what is observed on them."""

from __future__ import annotations

from sqlite_utils import Database


def apply(db: Database) -> None:
    """Create the tables. A command that has not ended is found by its device, one that has by its age."""
    db.execute("""
        CREATE TABLE command (
            id INTEGER PRIMARY KEY AUTOINCREMENT,
            device INTEGER NOT NULL,
            device_id TEXT NOT NULL,
            node_id TEXT NOT NULL,
            operation TEXT NOT NULL,
            paths TEXT NOT NULL,
            request BLOB,
            is_repeatable INTEGER NOT NULL,
            state TEXT NOT NULL,
            created_at_ms INTEGER NOT NULL,
            expires_at_ms INTEGER NOT NULL,
            ended_at_ms INTEGER,
            attempts INTEGER NOT NULL DEFAULT 0,
            code TEXT,
            format TEXT,
            readings TEXT,
            links TEXT,
            error TEXT
        ) STRICT
    """)
    db.execute("CREATE INDEX command_open ON command (device, id) WHERE ended_at_ms IS NULL")
    db.execute("CREATE INDEX command_ended ON command (ended_at_ms) WHERE ended_at_ms IS NOT NULL")
    db.execute("CREATE INDEX command_of_node ON command (node_id, id)")
    db.execute("""
        CREATE TABLE observation (
            token BLOB PRIMARY KEY,
            device INTEGER NOT NULL,
            paths TEXT NOT NULL,
            request BLOB NOT NULL,
            state TEXT NOT NULL,
            attributes TEXT NOT NULL,
            location TEXT,
            created_at_ms INTEGER NOT NULL
        ) STRICT, WITHOUT ROWID
    """)
    db.execute("CREATE UNIQUE INDEX observation_of_device ON observation (device, paths)")
