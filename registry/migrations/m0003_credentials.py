"""Certificates and public keys of devices."""

from __future__ import annotations

from sqlite_utils import Database


def apply(db: Database) -> None:
    """Add the columns. What is looked for is the SHA-256; who has a key has it alone."""
    for column in ("certificate", "certificate_sha256", "public_key", "public_key_sha256"):
        db.execute(f"ALTER TABLE device ADD COLUMN {column} BLOB")
    db.execute(
        "CREATE UNIQUE INDEX device_of_public_key ON device (public_key_sha256)"
        " WHERE public_key_sha256 IS NOT NULL"
    )
