"""Values that devices reported."""

from __future__ import annotations

from sqlite_utils import Database


def apply(db: Database) -> None:
    """Create the tables: the latest value of each path, and a ring of slots for those before it."""
    db.execute("""
        CREATE TABLE value (
            device INTEGER NOT NULL,
            path TEXT NOT NULL,
            value TEXT NOT NULL,
            at_ms INTEGER NOT NULL,
            origin TEXT NOT NULL,
            count INTEGER NOT NULL,
            PRIMARY KEY (device, path)
        ) STRICT, WITHOUT ROWID
    """)
    db.execute("""
        CREATE TABLE value_history (
            device INTEGER NOT NULL,
            path TEXT NOT NULL,
            slot INTEGER NOT NULL,
            number INTEGER NOT NULL,
            value TEXT NOT NULL,
            at_ms INTEGER NOT NULL,
            origin TEXT NOT NULL,
            PRIMARY KEY (device, path, slot)
        ) STRICT, WITHOUT ROWID
    """)
    # They are kept for a shorter time than other events, and would be searched for among those.
    db.execute("CREATE INDEX event_of_values ON event (id) WHERE type = 'values_reported'")
