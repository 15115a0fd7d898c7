"""What administrators do to devices: the sync face, straight on the file, whether a gateway runs or not.

Everything is validated and sealed before a transaction opens. A running gateway finds each change by its
event, within a second.
"""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Callable, Iterator, Sequence

from registry import (
    commands,
    defaults,
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
from registry.errors import AlreadyExists, ImportRefused, NotAllowed, NotFound, RowFault
from registry.events import EventType
from registry.identifiers import check_secret, is_device_id
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
from registry.newcomers import GENERATED_SECRET_BYTES, Entropy, Newcomers, Progress, check_new_device
from registry.observations import Observation
from registry.sealing import KEY_BYTES, NONCE_BYTES
from registry.serverkey import ServerKey, ShownServerKey
from registry.sqlite import Database

_LIST_PAGE = 500

# Spelled here, because inside the class `list` is a method.
CreatedDevices = list[Created]
Events = list[EventRow]
Faults = list[RowFault]
Values = list[ReportedValue]
Commands = list[Command]
Observations = list[Observation]


class Administration:
    """Creates, shows and changes devices. One thread at a time; owns *database* and closes it."""

    def __init__(
        self, database: Database, *, clock: Clock | None = None, entropy: Entropy = secrets.token_bytes
    ) -> None:
        self._database = database
        self._clock = clock or SystemClock()
        self._entropy = entropy
        self._keyring = Keyring(database)
        self._newcomers = Newcomers(database, self._keyring, self._clock, entropy)

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
        [created] = self._newcomers.insert([new])
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
        return self._newcomers.insert(rows, progress, before_commit)

    def find_faults(self, rows: Sequence[NewDevice]) -> Faults:
        """Why `import_devices` would refuse *rows*: each bad one once, in their order."""
        return self._newcomers.find_faults(rows)

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
        """Devices ordered by node ID, behind the one with node ID or device ID *after*.

        At most *limit*; read as they are asked for. A node ID need not be a device's.

        Raises:
            NotFound: there is no such device ID.
        """
        remaining = limit
        if after is not None and is_device_id(after):
            after = self.get(after).device.node_id
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

    def values(self, id_: str, path: str = "/", *, with_history: bool = False) -> Values:
        """The latest value of each path at or below *path*; *with_history* all that are kept of each.

        Raises:
            NotFound: no such device.
        """
        number = self.get(id_).device.number
        with self._database.snapshot() as connection:
            if not with_history:
                return values.read_latest(connection, number, path)
            kept = defaults.find(self._database).value_history
            return values.read_history(connection, number, path, kept)

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
            ttl_s = defaults.find(self._database).command_ttl_s if new.ttl_s is None else new.ttl_s
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


def _get_device(connection: sqlite3.Connection, id_: str) -> Device:
    device = devices.find(connection, id_)
    if device is None:
        raise _not_found(id_)
    return device


def _not_found(id_: str) -> NotFound:
    return NotFound(f"no device has the node ID or device ID {ascii(id_)[1:-1]}")
