"""Where the key for sealed secrets comes from, and whether it is the right one.

Knows the sources in their order (text, file, ``DB.key`` beside the database) and the check value that
the database keeps of the key in use. Reads no environment: its values are arguments.
"""

from __future__ import annotations

import os
from pathlib import Path

from registry import meta
from registry.errors import KeyUnusable
from registry.sealing import KEY_BYTES, Sealer, parse_key
from registry.sqlite import Database, give_to_owner_of, owner_of, sync_directory

SERVER_KEY = "server_key"
"Where the database keeps the sealed key of the gateway (`registry.serverkey`)."

_CHECK = "key_check"
_ANYTHING_SEALED = (
    "SELECT 1 WHERE EXISTS (SELECT 1 FROM device WHERE sealed_secret IS NOT NULL)"
    " OR EXISTS (SELECT 1 FROM meta WHERE key = ?)"
)


class Keyring:
    """The key of one database, looked up when it is first needed."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._source = database.key_source
        self._sealer: Sealer | None = None

    @property
    def default_file(self) -> Path:
        """``DB.key`` beside the database."""
        return self._database.path.with_name(self._database.path.name + ".key")

    def sealer_for_opening(self) -> Sealer | None:
        """The sealer of what is sealed, or None when nothing is and no key is at hand.

        Raises:
            KeyUnusable: something is sealed and the key is missing or another one; or it is malformed.
        """
        check = self._read_check()
        if self._sealer is not None and self._sealer.check_value == check:
            return self._sealer
        self._sealer = self._load(check)
        return self._sealer

    def sealer_for_sealing(self, entropy: bytes) -> Sealer:
        """The sealer for new secrets; at first use *entropy* (32 bytes) becomes the key in ``DB.key``.

        Call it outside a transaction.

        Raises:
            KeyUnusable: as `sealer_for_opening`.
        """
        sealer = self.sealer_for_opening()
        if sealer is not None and sealer.check_value == self._read_check():
            return sealer
        # Inside the transaction nobody else can be choosing a key for this database.
        with self._database.transaction() as connection:
            sealer = self._load(self._read_check())
            if sealer is None:
                assert len(entropy) == KEY_BYTES
                self._make_file(entropy)
                sealer = Sealer(entropy)
            meta.write(connection, _CHECK, sealer.check_value)
        self._sealer = sealer
        return sealer

    def _load(self, check: bytes | None) -> Sealer | None:
        key = self._read_key()
        sealer = None if key is None else Sealer(key)
        if check is None or (sealer is not None and sealer.check_value == check):
            return sealer
        if not self._database.query(_ANYTHING_SEALED, (SERVER_KEY,)):
            return sealer
        path = self._database.path
        if sealer is None:
            raise KeyUnusable(
                f"the secrets in {path} are sealed and their key is missing: "
                f"restore {self.default_file} or set NODEGATE_KEY or NODEGATE_KEY_FILE"
            )
        raise KeyUnusable(
            f"the secrets in {path} are sealed with another key than {self._describe_source()} gives; "
            "give the one they were sealed with"
        )

    def _read_check(self) -> bytes | None:
        return meta.find(self._database, _CHECK)

    def _describe_source(self) -> str:
        return "NODEGATE_KEY" if self._source.text else str(self._source.file or self.default_file)

    def _read_key(self) -> bytes | None:
        if self._source.text is not None:
            return parse_key(self._source.text, "NODEGATE_KEY")
        path = self._source.file or self.default_file
        try:
            text = path.read_text("ascii", "replace")
        except FileNotFoundError:
            if self._source.file is None:
                return None
            raise KeyUnusable(f"the key file {path} named by NODEGATE_KEY_FILE does not exist") from None
        except PermissionError:
            raise KeyUnusable(f"the key file {path} belongs to {owner_of(path)} and cannot be read") from None
        except OSError as error:
            raise KeyUnusable(f"the key file {path} cannot be read: {error.strerror}") from error
        return parse_key(text, f"the key file {path}")

    def _make_file(self, key: bytes) -> None:
        path = self.default_file
        draft = path.with_name(path.name + ".new")
        try:
            draft.unlink(missing_ok=True)
            descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(key.hex() + "\n")
                file.flush()
                os.fsync(descriptor)
                give_to_owner_of(self._database.path, descriptor)
            draft.rename(path)
            sync_directory(path.parent)
        except OSError as error:
            raise KeyUnusable(f"the key file {path} cannot be made: {error.strerror}") from error
