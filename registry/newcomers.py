"""New devices: what they must be, and how they come in, all of them or none.

Everything is validated and sealed before the transaction opens.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import replace
from hashlib import sha256

from registry import devices, outbox
from registry.clock import Clock
from registry.errors import AlreadyExists, InvalidValue, RowFault
from registry.events import EventType
from registry.identifiers import (
    DEVICE_ID_ENTROPY_BYTES,
    check_node_id,
    check_secret,
    check_timeout,
    make_device_id,
)
from registry.keyring import Keyring
from registry.model import Created, Device, NewDevice, Security
from registry.sealing import KEY_BYTES, NONCE_BYTES
from registry.sqlite import Database

GENERATED_SECRET_BYTES = 16

MAX_CREDENTIAL_BYTES = 8192
"Of a certificate or a public key: what a handshake takes."

_ASKED_AT_ONCE = 500
_PROGRESS_STEP = 1000

Entropy = Callable[[int], bytes]
Progress = Callable[[int, int], None]
"Called with the number of rows done and of all rows."


class Newcomers:
    """Brings devices into *database*. One thread at a time."""

    def __init__(self, database: Database, keyring: Keyring, clock: Clock, entropy: Entropy) -> None:
        self._database = database
        self._keyring = keyring
        self._clock = clock
        self._entropy = entropy

    def find_faults(self, rows: Sequence[NewDevice]) -> list[RowFault]:
        """What is wrong with *rows*: each bad one once, in their order."""
        taken = self._find_taken([row.node_id for row in rows])
        keys = {row.public_key: sha256(row.public_key).digest() for row in rows if row.public_key}
        owners = self._find_owners(list(keys.values()))
        faults: list[RowFault] = []
        earlier_rows: dict[str | bytes, int] = {}
        for index, row in enumerate(rows):
            try:
                check_new_device(row)
            except InvalidValue as error:
                faults.append(RowFault(index, str(error)))
                continue
            fault = _find_repetition(index, row, earlier_rows)
            if fault is None and row.node_id in taken:
                fault = RowFault(index, _taken(row.node_id))
            if fault is None and row.public_key and keys[row.public_key] in owners:
                fault = RowFault(index, _owned(owners[keys[row.public_key]]))
            if fault is not None:
                faults.append(fault)
        return faults

    def insert(
        self,
        rows: Sequence[NewDevice],
        progress: Progress | None = None,
        before_commit: Callable[[list[Created]], None] | None = None,
    ) -> list[Created]:
        """Add *rows*, in which `find_faults` found none, in one transaction.

        *before_commit* gets the devices with their secrets (their numbers are not known yet) when nothing but
        the commit is left to do; what it raises undoes all.

        Raises:
            AlreadyExists: another command took a node ID or a public key meanwhile.
            KeyUnusable: the secrets cannot be sealed.
        """
        prepared = self._prepare(rows, progress)
        try:
            with self._database.transaction() as connection:
                pairs = [(one.device, row) for one, row in zip(prepared, rows, strict=True)]
                first = devices.insert(connection, pairs)
                outbox.append(connection, (_created_row(one.device) for one in prepared))
                if before_commit is not None:
                    before_commit(prepared)
        except sqlite3.IntegrityError as error:
            # A name or a key that was free when it was looked at.
            faults = self.find_faults(rows)
            if not faults:
                raise
            raise AlreadyExists(faults[0].reason) from error
        return [
            Created(replace(one.device, number=number), one.secret)
            for number, one in enumerate(prepared, first)
        ]

    def _prepare(self, rows: Sequence[NewDevice], progress: Progress | None) -> list[Created]:
        now_ms = self._clock.wall_ms()
        sealer = None
        if any(row.security is Security.PSK for row in rows):
            sealer = self._keyring.sealer_for_sealing(self._entropy(KEY_BYTES))
        created: list[Created] = []
        for done, row in enumerate(rows, 1):
            device_id = make_device_id(self._entropy(DEVICE_ID_ENTROPY_BYTES))
            secret = sealed = None
            if row.security is Security.PSK:
                assert sealer is not None
                secret = row.secret or self._entropy(GENERATED_SECRET_BYTES)
                sealed = sealer.seal(secret, device_id, self._entropy(NONCE_BYTES))
            device = Device(
                0,
                device_id,
                row.node_id,
                row.security,
                row.timeout_s,
                now_ms,
                sealed_secret=sealed,
                certificate_sha256=_digest(row.certificate),
                public_key_sha256=_digest(row.public_key),
            )
            created.append(Created(device, secret))
            if progress is not None and (done % _PROGRESS_STEP == 0 or done == len(rows)):
                progress(done, len(rows))
        return created

    def _find_taken(self, node_ids: Sequence[str]) -> set[str]:
        taken: set[str] = set()
        for start in range(0, len(node_ids), _ASKED_AT_ONCE):
            # ASCII JSON carries every Python string, also those that no node ID may hold.
            chunk = json.dumps(node_ids[start : start + _ASKED_AT_ONCE])
            rows = self._database.query(
                "SELECT node_id FROM device WHERE node_id IN (SELECT value FROM json_each(?))", (chunk,)
            )
            taken.update(node_id for (node_id,) in rows)
        return taken

    def _find_owners(self, digests: Sequence[bytes]) -> dict[bytes, str]:
        """Node IDs of the devices that have these public keys, by SHA-256."""
        owners: dict[bytes, str] = {}
        for start in range(0, len(digests), _ASKED_AT_ONCE):
            chunk = digests[start : start + _ASKED_AT_ONCE]
            marks = ", ".join("?" * len(chunk))
            owners.update(
                self._database.query(
                    f"SELECT public_key_sha256, node_id FROM device WHERE public_key_sha256 IN ({marks})",
                    chunk,
                )
            )
        return owners


def check_new_device(new: NewDevice) -> None:
    """Accept what a registry takes.

    Raises:
        InvalidValue: says which value is wrong, and why.
    """
    check_node_id(new.node_id)
    if new.secret is not None:
        if new.security is not Security.PSK:
            raise InvalidValue(f"a device with security {new.security.value} has no secret; leave it out")
        check_secret(new.secret)
    _check_credential("certificate", new.certificate, Security.X509, new.security)
    _check_credential("public key", new.public_key, Security.RPK, new.security)
    if new.security is Security.RPK and new.public_key is None:
        raise InvalidValue("a device with security rpk proves itself by its public key; give it")
    check_timeout(new.timeout_s)


def _check_credential(what: str, value: bytes | None, owner: Security, security: Security) -> None:
    if value is None:
        return
    if security is not owner:
        raise InvalidValue(f"a device with security {security.value} has no {what}; leave it out")
    if not 0 < len(value) <= MAX_CREDENTIAL_BYTES:
        raise InvalidValue(f"the {what} has {len(value)} bytes; 1 to {MAX_CREDENTIAL_BYTES} are allowed")


def _digest(credential: bytes | None) -> bytes | None:
    return None if credential is None else sha256(credential).digest()


def _find_repetition(index: int, row: NewDevice, earlier: dict[str | bytes, int]) -> RowFault | None:
    """What *row* has in common with one before it; *earlier* grows with each."""
    first = earlier.setdefault(row.node_id, index)
    if first != index:
        return RowFault(index, f"{row.node_id} stands in this import already", first)
    if row.public_key is not None:
        first = earlier.setdefault(row.public_key, index)
        if first != index:
            return RowFault(index, "its public key stands in this import already", first)
    return None


def _taken(node_id: str) -> str:
    return f"{node_id} exists already; delete it first or choose another node ID"


def _owned(node_id: str) -> str:
    return f"{node_id} has this public key already; each device needs its own"


def _created_row(device: Device) -> outbox.Row:
    data: dict[str, object] = {"security": device.security.value, "timeout": device.timeout_s}
    return outbox.row_of_administration(
        EventType.DEVICE_CREATED, device.created_at_ms, device.device_id, device.node_id, data
    )
