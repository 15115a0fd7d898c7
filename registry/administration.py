"""What administrators do to devices: the sync face, straight on the file, whether a gateway runs or not.

Everything is validated and sealed before a transaction opens. A running gateway finds each change by its
event, within a second.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from hashlib import sha256

from registry import (
    commands,
    devices,
    models,
    observations,
    outbox,
    refusals,
    serverkey,
    values,
    views,
)
from registry.clock import Clock, SystemClock
from registry.commands import Command, CommandResult, CommandState, NewCommand
from registry.errors import AlreadyExists, ImportRefused, InvalidValue, NotAllowed, NotFound, RowFault
from registry.events import EventType
from registry.identifiers import (
    DEVICE_ID_ENTROPY_BYTES,
    check_node_id,
    check_secret,
    check_timeout,
    make_device_id,
)
from registry.keyring import Keyring
from registry.model import (
    Created,
    Device,
    DeviceState,
    DeviceView,
    EventRow,
    NewDevice,
    ReportedValue,
    Security,
)
from registry.models import StoredDefinition
from registry.observations import Observation
from registry.sealing import KEY_BYTES, NONCE_BYTES
from registry.serverkey import ServerKey, ShownServerKey
from registry.sqlite import Database

GENERATED_SECRET_BYTES = 16

MAX_CREDENTIAL_BYTES = 8192
"Of a certificate or a public key: what a handshake takes."

_LIST_PAGE = 500
_PROGRESS_STEP = 1000

# Spelled here, because inside the class `list` is a method.
CreatedDevices = list[Created]
Events = list[EventRow]
Faults = list[RowFault]
Values = list[ReportedValue]
Commands = list[Command]
Observations = list[Observation]

Entropy = Callable[[int], bytes]
Progress = Callable[[int, int], None]
"Called with the number of rows done and of all rows."


class Administration:
    """Creates, shows and changes devices. One thread at a time; owns *database* and closes it."""

    def __init__(
        self, database: Database, *, clock: Clock | None = None, entropy: Entropy = secrets.token_bytes
    ) -> None:
        self._database = database
        self._clock = clock or SystemClock()
        self._entropy = entropy
        self._keyring = Keyring(database)

    def create(
        self,
        node_id: str,
        security: Security = Security.PSK,
        secret: bytes | None = None,
        timeout_s: int = 0,
        *,
        certificate: bytes | None = None,
        public_key: bytes | None = None,
    ) -> Created:
        """Add a device; a PSK device without *secret* gets a random one of 16 bytes.

        *certificate* and *public_key* as in `NewDevice`.

        Raises:
            InvalidValue: a value no device may have.
            AlreadyExists: the node ID or the public key is taken.
            KeyUnusable: the secret cannot be sealed.
        """
        new = NewDevice(node_id, security, secret, timeout_s, certificate, public_key)
        check_new_device(new)
        faults = self.find_faults([new])
        if faults:
            raise AlreadyExists(faults[0].reason)
        [created] = self._insert([new], None, None)
        return created

    def import_devices(
        self,
        rows: Sequence[NewDevice],
        progress: Progress | None = None,
        before_commit: Callable[[CreatedDevices], None] | None = None,
    ) -> CreatedDevices:
        """Add all of *rows* or none, in one transaction.

        *before_commit* gets the devices with their secrets (their numbers are not known yet) when nothing but
        the commit is left to do; what it raises undoes the import.

        Raises:
            ImportRefused: names every bad row by its index.
            KeyUnusable: the secrets cannot be sealed.
        """
        faults = self.find_faults(rows)
        if faults:
            raise ImportRefused(faults)
        return self._insert(rows, progress, before_commit)

    def find_faults(self, rows: Sequence[NewDevice]) -> Faults:
        """Why `import_devices` would refuse *rows*: each bad one once, in their order."""
        taken = self._find_taken([row.node_id for row in rows])
        keys = {row.public_key: sha256(row.public_key).digest() for row in rows if row.public_key}
        owners = self._find_owners(list(keys.values()))
        faults: Faults = []
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

    def find(self, id_: str) -> DeviceView | None:
        """The device with this node ID or device ID, and its last refusals."""
        with self._database.snapshot() as connection:
            view = views.find(connection, id_)
            if view is None:
                return None
            seen = refusals.read(connection, view.device.node_id)
        return DeviceView(view.device, view.state, view.registration, view.expires_at_ms, seen)

    def get(self, id_: str) -> DeviceView:
        """As `find`.

        Raises:
            NotFound: there is no such device.
        """
        view = self.find(id_)
        if view is None:
            raise _not_found(id_)
        return view

    def list(
        self,
        *,
        state: DeviceState | None = None,
        security: Security | None = None,
        limit: int | None = None,
        after: str | None = None,
    ) -> Iterator[DeviceView]:
        """Devices ordered by node ID, behind node ID *after*; at most *limit*, read as they are asked for."""
        remaining = limit
        while remaining is None or remaining > 0:
            size = _LIST_PAGE if remaining is None else min(_LIST_PAGE, remaining)
            with self._database.snapshot() as connection:
                page = views.read_page(connection, after=after, limit=size, state=state, security=security)
            yield from page
            if len(page) < size:
                return
            after = page[-1].device.node_id
            if remaining is not None:
                remaining -= size

    def delete(self, id_: str) -> Device:
        """Remove the device with its credential and registration; its events stay.

        Raises:
            NotFound: there is no such device.
        """
        with self._database.transaction() as connection:
            device = _get_device(connection, id_)
            devices.delete(connection, device, self._clock.wall_ms())
            self._record(connection, EventType.DEVICE_DELETED, device)
        return device

    def freeze(self, id_: str) -> DeviceView:
        """Refuse the device until it is unfrozen and end its registration; a frozen one stays as it is.

        Raises:
            NotFound: there is no such device.
        """
        return self._set_frozen(id_, True)

    def unfreeze(self, id_: str) -> DeviceView:
        """Let the device come again.

        Raises:
            NotFound: there is no such device.
        """
        return self._set_frozen(id_, False)

    def reset_secret(self, id_: str, secret: bytes | None = None) -> Created:
        """Replace the pre-shared key (a random one unless *secret* is given) and end the registration.

        Raises:
            NotFound: there is no such device.
            NotAllowed: the device has no pre-shared key.
            InvalidValue: *secret* is too short or too long.
            KeyUnusable: the secret cannot be sealed.
        """
        if secret is None:
            secret = self._entropy(GENERATED_SECRET_BYTES)
        check_secret(secret)
        sealer = self._keyring.sealer_for_sealing(self._entropy(KEY_BYTES))
        nonce = self._entropy(NONCE_BYTES)
        with self._database.transaction() as connection:
            device = _get_device(connection, id_)
            if device.security is not Security.PSK:
                raise NotAllowed(f"{device.node_id} has no secret: its security is {device.security.value}")
            connection.execute(
                "UPDATE device SET sealed_secret = ?, revision = revision + 1 WHERE number = ?",
                (sealer.seal(secret, device.device_id, nonce), device.number),
            )
            devices.revoke(connection, device, "the device got another secret", self._clock.wall_ms())
            self._record(connection, EventType.SECRET_RESET, device)
            device = _get_device(connection, device.device_id)
        return Created(device, secret)

    def server_key(self, make: Callable[[], ServerKey]) -> ShownServerKey:
        """What peers see of the gateway; its own key is made by *make* if it shows nothing else and has none.

        Raises:
            KeyUnusable: a new key cannot be sealed.
        """
        with self._database.snapshot():
            shown = serverkey.show(self._database)
        if shown.certificate is None and shown.chain is None:
            key = serverkey.obtain(self._database, self._keyring, make, self._entropy)
            shown = ShownServerKey(key.certificate, None)
        return shown

    def events(self, after: int = 0, types: Sequence[str] = (), limit: int = 1000) -> Events:
        """The next *limit* events behind id *after*, oldest first; of these *types*, if any are given."""
        with self._database.snapshot() as connection:
            return outbox.read(connection, after=after, types=types, limit=limit)

    def values(self, id_: str, path: str = "/", *, history: int | None = None) -> Values:
        """The latest value of each path at or below *path*; with *history* the last so many of each.

        Raises:
            NotFound: no such device.
        """
        number = self.get(id_).device.number
        with self._database.snapshot() as connection:
            if history is None:
                return values.read_latest(connection, number, path)
            return values.read_history(connection, number, path, history)

    def last_event_id(self) -> int:
        """Where a reader starts who wants only what is still to come."""
        with self._database.snapshot() as connection:
            return outbox.last_id(connection)

    def store_command(self, id_: str, new: NewCommand) -> Command:
        """Have *new* done, by the gateway that runs or will run.

        Raises:
            NotFound: no such device.
            NotAllowed: it is frozen, or too many commands wait for it.
        """
        with self._database.transaction() as connection:
            device = _get_device(connection, id_)
            if device.is_frozen:
                raise NotAllowed(f"{device.node_id} is frozen; unfreeze it first")
            if commands.count_open(connection, device.number) >= commands.MAX_OPEN:
                raise NotAllowed(f"{commands.MAX_OPEN} commands wait for {device.node_id} already")
            ttl_s = commands.find_ttl(self._database) if new.ttl_s is None else new.ttl_s
            number = commands.insert(connection, device, new, ttl_s, self._clock.wall_ms())
            command = commands.find(connection, number)
        assert command is not None, "it was just written"
        return command

    def get_command(self, id_: int) -> Command:
        """The command with this id, ended or not.

        Raises:
            NotFound: there is none, or it ended long ago.
        """
        with self._database.snapshot() as connection:
            command = commands.find(connection, id_)
        if command is None:
            raise NotFound(f"there is no command {id_}; it may have ended long ago")
        return command

    def commands(self, id_: str | None = None, state: CommandState | None = None) -> Commands:
        """Commands in the order in which they are sent; of one device, and in one state, where asked for.

        Raises:
            NotFound: no such device.
        """
        node_id = None if id_ is None else self.get(id_).device.node_id
        with self._database.snapshot() as connection:
            return commands.read(connection, node_id=node_id, state=state)

    def cancel_command(self, id_: int) -> Command:
        """Take a command back that is still queued.

        Raises:
            NotFound: there is none, or it ended long ago.
            NotAllowed: it has been sent, or has ended.
        """
        with self._database.transaction() as connection:
            command = commands.find(connection, id_)
            if command is None:
                raise NotFound(f"there is no command {id_}; it may have ended long ago")
            if command.state is not CommandState.QUEUED:
                raise NotAllowed(f"command {id_} is {command.state.value}; only queued ones can be cancelled")
            cancelled = CommandResult(error="taken back")
            commands.end(connection, id_, CommandState.CANCELLED, cancelled, self._clock.wall_ms())
        return self.get_command(id_)

    def definitions(self) -> Sequence[StoredDefinition]:
        """All object definitions that were imported."""
        with self._database.snapshot() as connection:
            return models.read_definitions(connection)[0]

    def observations(self, id_: str) -> Observations:
        """What is observed on a device.

        Raises:
            NotFound: no such device.
        """
        number = self.get(id_).device.number
        with self._database.snapshot() as connection:
            return observations.read(connection, number)

    def close(self) -> None:
        """Give the file back. Safe to call twice."""
        self._database.close()

    def __enter__(self) -> Administration:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _insert(
        self,
        rows: Sequence[NewDevice],
        progress: Progress | None,
        before_commit: Callable[[CreatedDevices], None] | None,
    ) -> CreatedDevices:
        prepared = self._prepare(rows, progress)
        try:
            with self._database.transaction() as connection:
                pairs = [(one.device, row) for one, row in zip(prepared, rows, strict=True)]
                first = devices.insert(connection, pairs)
                outbox.append(connection, (_created_row(one.device) for one in prepared))
                if before_commit is not None:
                    before_commit(prepared)
        except sqlite3.IntegrityError as error:
            # Another command took one of the names or keys after they were looked at.
            faults = self.find_faults(rows)
            if not faults:
                raise
            raise AlreadyExists(faults[0].reason) from error
        return [
            Created(replace(one.device, number=number), one.secret)
            for number, one in enumerate(prepared, first)
        ]

    def _prepare(self, rows: Sequence[NewDevice], progress: Progress | None) -> CreatedDevices:
        now_ms = self._clock.wall_ms()
        sealer = None
        if any(row.security is Security.PSK for row in rows):
            sealer = self._keyring.sealer_for_sealing(self._entropy(KEY_BYTES))
        created: CreatedDevices = []
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
        for start in range(0, len(node_ids), _LIST_PAGE):
            # ASCII JSON carries every Python string, also those that no node ID may hold.
            chunk = json.dumps(node_ids[start : start + _LIST_PAGE])
            rows = self._database.query(
                "SELECT node_id FROM device WHERE node_id IN (SELECT value FROM json_each(?))", (chunk,)
            )
            taken.update(node_id for (node_id,) in rows)
        return taken

    def _find_owners(self, digests: Sequence[bytes]) -> dict[bytes, str]:
        """Node IDs of the devices that have these public keys, by SHA-256."""
        owners: dict[bytes, str] = {}
        for start in range(0, len(digests), _LIST_PAGE):
            chunk = digests[start : start + _LIST_PAGE]
            marks = ", ".join("?" * len(chunk))
            owners.update(
                self._database.query(
                    f"SELECT public_key_sha256, node_id FROM device WHERE public_key_sha256 IN ({marks})",
                    chunk,
                )
            )
        return owners

    def _set_frozen(self, id_: str, is_frozen: bool) -> DeviceView:
        with self._database.transaction() as connection:
            device = _get_device(connection, id_)
            if device.is_frozen != is_frozen:
                connection.execute(
                    "UPDATE device SET is_frozen = ?, revision = revision + 1 WHERE number = ?",
                    (int(is_frozen), device.number),
                )
                devices.revoke(connection, device, "the device was frozen", self._clock.wall_ms())
                type_ = EventType.DEVICE_FROZEN if is_frozen else EventType.DEVICE_UNFROZEN
                self._record(connection, type_, device)
        return self.get(device.device_id)

    def _record(self, connection: sqlite3.Connection, type_: EventType, device: Device) -> None:
        row = outbox.row_of_administration(type_, self._clock.wall_ms(), device.device_id, device.node_id)
        outbox.append(connection, [row])


def check_new_device(new: NewDevice) -> None:
    """Accept what `Administration.create` accepts.

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


def _get_device(connection: sqlite3.Connection, id_: str) -> Device:
    device = devices.find(connection, id_)
    if device is None:
        raise _not_found(id_)
    return device


def _not_found(id_: str) -> NotFound:
    return NotFound(f"no device has the node ID or device ID {ascii(id_)[1:-1]}")


def _taken(node_id: str) -> str:
    return f"{node_id} exists already; delete it first or choose another node ID"


def _owned(node_id: str) -> str:
    return f"{node_id} has this public key already; each device needs its own"


def _created_row(device: Device) -> outbox.Row:
    data: dict[str, object] = {"security": device.security.value, "timeout": device.timeout_s}
    return outbox.row_of_administration(
        EventType.DEVICE_CREATED, device.created_at_ms, device.device_id, device.node_id, data
    )
