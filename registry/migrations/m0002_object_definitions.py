"""Object definitions that were imported: what the program's own table does not have."""

from __future__ import annotations

from sqlite_utils import Database


def apply(db: Database) -> None:
    """Create the table. Its ``revision`` counts imports, so that a reader can ask for what is new."""
    db.table("object_definition").create(
        {
            "object_id": int,
            "version": str,
            "content": str,
            "revision": int,
            "imported_at_ms": int,
        },
        pk=("object_id", "version"),
        not_null={"object_id", "version", "content", "revision", "imported_at_ms"},
        strict=True,
    )
