"""Where simulated devices come from: a file of existing ones, or new ones in the registry.

Knows the import format and the administration of the registry. Knows no protocol.
"""

from __future__ import annotations

import csv
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from registry.administration import Administration, NewDevice
from registry.errors import NotFound
from registry.model import Security
from tools.simulator.errors import SimulatorError

_COLUMNS = {"node_id", "security", "secret", "timeout", "certificate", "public_key"}
_FAULTS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a simulated device is."""

    node_id: str

    psk: bytes | None = field(default=None, repr=False)
    "None: a non-security device."

    @property
    def security(self) -> Security:
        """The kind it is registered as."""
        return Security.NONE if self.psk is None else Security.PSK


def read_identities(path: Path) -> list[Identity]:
    """The devices of a CSV file in the import format.

    Raises:
        SimulatorError: the file cannot be used; a line for each fault.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            _check_header(path, reader.fieldnames or ())
            return _collect(path, reader)
    except OSError as error:
        raise SimulatorError(f"{path}: {error.strerror}") from error
    except (UnicodeDecodeError, csv.Error) as error:
        raise SimulatorError(f"{path}: not a CSV file in UTF-8: {error}") from error


def _check_header(path: Path, columns: Collection[str]) -> None:
    unknown = sorted(set(columns) - _COLUMNS)
    if "node_id" not in columns or unknown:
        what = f"unknown column {unknown[0]!r}" if unknown else "no column node_id"
        raise SimulatorError(f"{path}:1: {what}; the header is node_id,security,secret,timeout")


def _collect(path: Path, reader: csv.DictReader[str]) -> list[Identity]:
    identities: dict[str, Identity] = {}
    faults: list[str] = []
    for row in reader:
        try:
            identity = _read_row(row)
            if identity.node_id in identities:
                raise ValueError(f"{identity.node_id} stands twice in the file")
            identities[identity.node_id] = identity
        except ValueError as fault:
            faults.append(f"{path}:{reader.line_num}: {fault}")
    if faults:
        rest = len(faults) - _FAULTS_SHOWN
        more = [f"{path}: {rest} more bad lines"] if rest > 0 else []
        raise SimulatorError(*faults[:_FAULTS_SHOWN], *more)
    return list(identities.values())


def _read_row(row: Mapping[str, str | None]) -> Identity:
    node_id = (row.get("node_id") or "").strip()
    security = (row.get("security") or "").strip() or Security.PSK.value
    secret = (row.get("secret") or "").strip()
    if not node_id:
        raise ValueError("node_id is empty")
    if security == Security.NONE:
        return Identity(node_id)
    if security != Security.PSK:
        raise ValueError(f"{security!r} devices cannot be simulated, only psk and none")
    if not secret:
        raise ValueError(f"no secret for {node_id}: use the file that `device import --secrets-out` wrote")
    try:
        return Identity(node_id, bytes.fromhex(secret))
    except ValueError:
        raise ValueError(f"the secret of {node_id} is not hex") from None


def create_identities(
    administration: Administration, prefix: str, wanted: Mapping[Security, int]
) -> list[Identity]:
    """Devices named *prefix* and six digits from 000001 on, as many of each kind as *wanted*.

    What is there already is taken if its kind is still wanted, with a new secret, and passed over
    if not; the others are created, all in one transaction.
    """
    missing = {security: number for security, number in wanted.items() if number}
    known: list[Identity] = []
    new: list[NewDevice] = []
    for node_id in _names(prefix):
        if not missing:
            break
        security = _security_of(administration, node_id)
        if security is None:
            kind = _next_kind(missing)
            new.append(NewDevice(node_id=node_id, security=kind))
        elif security in missing:
            kind = security
            known.append(_take(administration, node_id, security))
        else:
            continue
        missing[kind] -= 1
        if not missing[kind]:
            del missing[kind]
    created = administration.import_devices(new) if new else []
    identities = known + [Identity(one.device.node_id, one.secret) for one in created]
    return sorted(identities, key=lambda identity: identity.node_id)


def _names(prefix: str) -> Iterator[str]:
    return (f"{prefix}{number:06d}" for number in count(1))


def _next_kind(missing: Mapping[Security, int]) -> Security:
    """The kind of which most are missing, so that both kinds alternate."""
    return max(missing, key=lambda security: missing[security])


def _security_of(administration: Administration, node_id: str) -> Security | None:
    try:
        return administration.get(node_id).device.security
    except NotFound:
        return None


def _take(administration: Administration, node_id: str, security: Security) -> Identity:
    if security is Security.NONE:
        return Identity(node_id)
    return Identity(node_id, administration.reset_secret(node_id).secret)


def split_by_kind(identities: Iterable[Identity]) -> dict[Security, list[Identity]]:
    """The same devices, sorted by kind."""
    kinds: dict[Security, list[Identity]] = {}
    for identity in identities:
        kinds.setdefault(identity.security, []).append(identity)
    return kinds
