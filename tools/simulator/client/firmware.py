"""Firmware Update, object 5: its states as a table, and the packages that a simulated device takes.

    IDLE (0) ──package begun, URI written──▶ DOWNLOADING (1) ──complete and verified──▶ DOWNLOADED (2)
      ▲ ▲                                       │ failed, reset, cancel                  │  ▲      │
      │ ╰───────────────────────────────────────┴────────────────── reset, cancel ──────╯  │   Execute 2
      │                                                                                failed    ▼
      ╰────────────────────────────────── installed ──────────────────────────────────── UPDATING (3)

A package is a line ``NGFW NAME VERSION SHA256`` (of the rest, in hex) and the rest: see `build_package`.
Where a package comes from is for others; time is an argument.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from enum import Enum, IntEnum, auto

MAX_PACKAGE_BYTES = 2_097_152
"A bigger one is more than the device has flash for."

INSTALL_S = 5.0
RESET_PACKAGES = frozenset({b"", b"\0"})
UNINSTALLABLE = b"fail"
"A package whose content begins so is sound, and cannot be installed."

_HEADER = re.compile(rb"NGFW ([!-~]{1,64}) ([!-~]{1,64}) ([0-9a-f]{64})\n")


class UpdateState(IntEnum):
    """Resource 3."""

    IDLE = 0
    DOWNLOADING = 1
    DOWNLOADED = 2
    UPDATING = 3


class Result(IntEnum):
    """Resource 5."""

    INITIAL = 0
    SUCCESS = 1
    NOT_ENOUGH_FLASH = 2
    CONNECTION_LOST = 4
    INTEGRITY = 5
    PACKAGE_TYPE = 6
    INVALID_URI = 7
    UPDATE_FAILED = 8
    UNSUPPORTED_PROTOCOL = 9
    CANCELLED = 10


class Step(Enum):
    """What moves an update on."""

    BEGIN = auto()
    COMPLETE = auto()
    FAIL = auto()
    RESET = auto()
    "Also Cancel, which leaves another result."

    EXECUTE = auto()
    INSTALLED = auto()


TRANSITIONS: dict[tuple[UpdateState, Step], UpdateState] = {
    (UpdateState.IDLE, Step.BEGIN): UpdateState.DOWNLOADING,
    (UpdateState.IDLE, Step.RESET): UpdateState.IDLE,
    (UpdateState.DOWNLOADING, Step.COMPLETE): UpdateState.DOWNLOADED,
    (UpdateState.DOWNLOADING, Step.FAIL): UpdateState.IDLE,
    (UpdateState.DOWNLOADING, Step.RESET): UpdateState.IDLE,
    (UpdateState.DOWNLOADED, Step.RESET): UpdateState.IDLE,
    (UpdateState.DOWNLOADED, Step.EXECUTE): UpdateState.UPDATING,
    (UpdateState.UPDATING, Step.INSTALLED): UpdateState.IDLE,
    (UpdateState.UPDATING, Step.FAIL): UpdateState.DOWNLOADED,
}
"All that may happen; anything else is refused and changes nothing."


@dataclass(frozen=True, slots=True)
class Package:
    """A firmware package that was found to be sound."""

    name: str
    version: str
    is_installable: bool


def build_package(name: str, version: str, content: bytes) -> bytes:
    """A package that a simulated device takes."""
    digest = hashlib.sha256(content).hexdigest()
    return f"NGFW {name} {version} {digest}\n".encode() + content


def read_package(package: bytes) -> Package | Result:
    """What *package* is, or why it cannot be used."""
    if len(package) > MAX_PACKAGE_BYTES:
        return Result.NOT_ENOUGH_FLASH
    header = _HEADER.match(package)
    if header is None:
        return Result.PACKAGE_TYPE
    content = package[header.end() :]
    if hashlib.sha256(content).hexdigest().encode() != header[3]:
        return Result.INTEGRITY
    return Package(header[1].decode(), header[2].decode(), not content.startswith(UNINSTALLABLE))


class FirmwareUpdate:
    """The update of one device. Each verb tells whether it was possible."""

    __slots__ = ("due_at", "package", "result", "state")

    def __init__(self) -> None:
        self.state = UpdateState.IDLE
        self.result = Result.INITIAL
        self.package: Package | None = None
        self.due_at: float | None = None
        "When the installation is done."

    def begin(self) -> bool:
        """A package begins to arrive, or is to be fetched."""
        return self._move(Step.BEGIN, Result.INITIAL)

    def complete(self, package: bytes) -> bool:
        """All of it is here."""
        found = read_package(package)
        if isinstance(found, Result):
            return self._move(Step.FAIL, found)
        is_moved = self._move(Step.COMPLETE, Result.INITIAL)
        self.package = found if is_moved else self.package
        return is_moved

    def fail(self, result: Result) -> bool:
        """It did not arrive."""
        return self.state is UpdateState.DOWNLOADING and self._move(Step.FAIL, result)

    def reset(self, result: Result = Result.INITIAL) -> bool:
        """Start over; with `Result.CANCELLED` it was cancelled."""
        return self._move(Step.RESET, result)

    def execute(self, now: float) -> bool:
        """Install what was downloaded."""
        is_moved = self._move(Step.EXECUTE, Result.INITIAL)
        if is_moved:
            self.due_at = now + INSTALL_S
        return is_moved

    def finish(self) -> Package | None:
        """The installation is over; the package where it is in place."""
        self.due_at = None
        package = self.package
        if package is not None and package.is_installable:
            self._move(Step.INSTALLED, Result.SUCCESS)
            return package
        self._move(Step.FAIL, Result.UPDATE_FAILED)
        return None

    def _move(self, step: Step, result: Result) -> bool:
        after = TRANSITIONS.get((self.state, step))
        if after is None:
            return False
        self.state, self.result = after, result
        if after is UpdateState.IDLE:
            self.package = None
        return True
