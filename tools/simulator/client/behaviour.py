"""What resources do besides holding a value: executable ones, and those whose writing has consequences."""

from __future__ import annotations

from aiocoap.numbers.codes import Code

from gateway.lwm2m.arguments import parse_arguments
from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.path import Path
from gateway.lwm2m.values import Value
from tools.simulator.client.contents import DEVICE, FIRMWARE, SERVER, STATISTICS
from tools.simulator.client.effects import DisableWanted, DownloadWanted, Effect, RebootWanted, UpdateWanted
from tools.simulator.client.firmware import RESET_PACKAGES, FirmwareUpdate, Result, UpdateState
from tools.simulator.client.tree import Tree

LIFETIME = SERVER.child(1)
DISABLE = SERVER.child(4)
DISABLE_TIMEOUT = SERVER.child(5)
UPDATE_TRIGGER = SERVER.child(8)
REBOOT = DEVICE.child(4)
FACTORY_RESET = DEVICE.child(5)
ERROR_CODE = DEVICE.child(11)
FIRMWARE_VERSION = DEVICE.child(3)
PACKAGE, PACKAGE_URI, UPDATE, UPDATE_STATE, UPDATE_RESULT, PACKAGE_NAME, PACKAGE_VERSION, CANCEL_UPDATE = (
    FIRMWARE.child(id_) for id_ in (0, 1, 2, 3, 5, 6, 7, 10)
)
RESET_ERROR_CODE = DEVICE.child(12)

_SENSOR_VALUE = 5700
_MIN_MEASURED, _MAX_MEASURED, _RESET_MEASURED = 5601, 5602, 5605
_START, _STOP = STATISTICS.child(6), STATISTICS.child(7)
_COUNTERS = (0, 1, 2, 3)

DEFAULT_PAUSE_S = 86_400
"How long a disabled device stays away without a Disable Timeout."

Change = tuple[Path, Value]
"A path and its new value."


class Behaviour:
    """Acts on the tree of one device; what goes beyond it waits in `effects`."""

    __slots__ = ("_tree", "effects", "firmware")

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self.effects: list[Effect] = []
        self.firmware = FirmwareUpdate()

    def execute(self, path: Path, arguments: str, now: float) -> tuple[Change, ...] | Code:
        """Run the resource at *path*, which is executable; what changed by it, or why it is not run."""
        try:
            parse_arguments(arguments, is_lenient=True)
        except DecodeError:
            return Code.BAD_REQUEST
        match path:
            case _ if path == UPDATE_TRIGGER:
                self.effects.append(UpdateWanted())
            case _ if path == DISABLE:
                pause_s = self._tree.get(DISABLE_TIMEOUT)
                self.effects.append(DisableWanted(pause_s if isinstance(pause_s, int) else DEFAULT_PAUSE_S))
            case _ if path in (REBOOT, FACTORY_RESET):
                if path == FACTORY_RESET:
                    self._tree.reset()
                self.effects.append(RebootWanted())
            case _ if path in (UPDATE, CANCEL_UPDATE):
                return self._execute_update(path, now)
            case _ if path == RESET_ERROR_CODE:
                return self._put((ERROR_CODE.child(0), 0), resource=ERROR_CODE)
            case _ if path == _START:
                return tuple(change for id_ in _COUNTERS for change in self._put((STATISTICS.child(id_), 0)))
            case _ if path[2] == _RESET_MEASURED:
                value = self._number(path.up_to(2).child(_SENSOR_VALUE))
                return self._measure(path.up_to(2), value, value)
        return ()

    def may_write(self, path: Path, value: Value) -> bool:
        """Whether a server may write *value* now: an update that is under way takes no other package."""
        match path, value:
            case _, bytes() if path == PACKAGE:
                is_possible = value in RESET_PACKAGES or not self._tree.get(PACKAGE_URI)
            case _, str() if path == PACKAGE_URI:
                is_possible = not value or self.firmware.state is UpdateState.IDLE
            case _:
                return True
        is_taken = self.firmware.state in (UpdateState.DOWNLOADED, UpdateState.UPDATING)
        is_reset = value in RESET_PACKAGES or value == ""
        return is_possible and (is_reset or not is_taken) and self.firmware.state is not UpdateState.UPDATING

    def written(self, path: Path) -> tuple[Change, ...]:
        """A server has written *path*; what changed by that."""
        if path in (PACKAGE, PACKAGE_URI):
            return self._take_firmware(path)
        if path == LIFETIME and isinstance(lifetime_s := self._tree.get(LIFETIME), int):
            self.effects.append(UpdateWanted(lifetime_s))
        return ()

    def instances_changed(self) -> None:
        """An instance has come or gone."""
        self.effects.append(UpdateWanted(has_new_objects=True))

    def measured(self, path: Path) -> tuple[Change, ...]:
        """The device itself has set *path*; what changed by that: the extremes of a sensor."""
        instance = path.up_to(2)
        resources = self._tree.resources(instance)
        if path[2:] != (_SENSOR_VALUE,) or _MIN_MEASURED not in resources or _MAX_MEASURED not in resources:
            return ()
        value = self._number(path)
        low = min(value, self._number(instance.child(_MIN_MEASURED)))
        high = max(value, self._number(instance.child(_MAX_MEASURED)))
        return self._measure(instance, low, high)

    # -- firmware ---------------------------------------------------------------------------------

    def begin_body(self, path: Path) -> tuple[Change, ...]:
        """The first of many blocks for *path* has come."""
        if path == PACKAGE and self.firmware.begin():
            return self._show_firmware()
        return ()

    def finish_download(self, outcome: bytes | Result) -> tuple[Change, ...]:
        """What was to be fetched is here, or why not."""
        if isinstance(outcome, Result):
            self.firmware.fail(outcome)
        else:
            self.firmware.complete(outcome)
        return self._show_firmware()

    def finish_update(self) -> tuple[Change, ...]:
        """The installation is over: with another version the device starts anew."""
        changes: tuple[Change, ...] = ()
        package = self.firmware.finish()
        if package is not None:
            changes = self._put((FIRMWARE_VERSION, package.version))
            self.effects.append(RebootWanted())
        return changes + self._show_firmware()

    def _execute_update(self, path: Path, now: float) -> tuple[Change, ...] | Code:
        is_update = path == UPDATE
        is_done = self.firmware.execute(now) if is_update else self.firmware.reset(Result.CANCELLED)
        return self._show_firmware() if is_done else Code.METHOD_NOT_ALLOWED

    def _take_firmware(self, path: Path) -> tuple[Change, ...]:
        value = self._tree.get(path)
        if isinstance(value, bytes):
            self._tree.put(PACKAGE, b"")
            if value in RESET_PACKAGES:
                self.firmware.reset()
            else:
                self.firmware.begin()
                self.firmware.complete(value)
        elif value:
            self.firmware.begin()
            self.effects.append(DownloadWanted(str(value)))
        else:
            self.firmware.reset()
        return self._show_firmware()

    def _show_firmware(self) -> tuple[Change, ...]:
        """State and result as resources; a URI stays as long as there is something of it."""
        package = self.firmware.package
        shown: list[Change] = [
            (UPDATE_STATE, int(self.firmware.state)),
            (UPDATE_RESULT, int(self.firmware.result)),
            (PACKAGE_NAME, "" if package is None else package.name),
            (PACKAGE_VERSION, "" if package is None else package.version),
        ]
        if self.firmware.state is UpdateState.IDLE:
            shown.append((PACKAGE_URI, ""))
        changes = [change for change in shown if self._tree.get(change[0]) != change[1]]
        for change in changes:
            self._put(change)
        return tuple(changes)

    # -- details ----------------------------------------------------------------------------------

    def _measure(self, instance: Path, low: float, high: float) -> tuple[Change, ...]:
        changes: list[Change] = []
        for id_, value in ((_MIN_MEASURED, low), (_MAX_MEASURED, high)):
            if self._tree.get(instance.child(id_)) != value:
                changes += self._put((instance.child(id_), value))
        return tuple(changes)

    def _number(self, path: Path) -> float:
        value = self._tree.get(path)
        return float(value) if isinstance(value, int | float) else 0.0

    def _put(self, change: Change, resource: Path | None = None) -> tuple[Change, ...]:
        path, value = change
        if resource is not None:
            self._tree.put(resource, {path[3]: value})
        else:
            self._tree.put(path, value)
        return (change,)
