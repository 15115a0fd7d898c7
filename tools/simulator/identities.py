"""Where simulated devices come from: a file of existing ones, or new ones in the registry.

Knows the import format and the administration of the registry. Knows no protocol.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

from registry.administration import Administration
from registry.model import NewDevice, Security
from tools.admin.csvformat import LineFault, Row, read_content
from tools.simulator.errors import SimulatorError

_FAULTS_SHOWN = 20
_NO_SECRET = "no secret; use the file that `device import --secrets-out` wrote"


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
        content = read_content(str(path))
    except OSError as error:
        raise SimulatorError(f"{path}: {error.strerror}") from error
    unplayable = [
        LineFault(row.number, fault) for row in content.rows if (fault := _fault_of(row)) is not None
    ]
    faults = sorted((*content.faults, *unplayable), key=lambda fault: fault.number)
    if faults:
        lines = [f"{content.title}, line {fault.number}: {fault.reason}" for fault in faults[:_FAULTS_SHOWN]]
        rest = len(faults) - len(lines)
        raise SimulatorError(*lines, *([f"{content.title}: {rest} more bad lines"] if rest else []))
    return [Identity(row.device.node_id, row.device.secret) for row in content.rows]


def _fault_of(row: Row) -> str | None:
    """Why the device of *row* cannot be played."""
    if row.device.security in (Security.X509, Security.RPK):
        return f"a device with security {row.device.security} cannot be simulated; leave it out"
    return _NO_SECRET if row.needs_secret else None


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
    view = administration.find(node_id)
    return None if view is None else view.device.security


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
