"""Changes on their way to the disk: what a device will have once they are committed.

Pure. A second change computed meanwhile builds on the first, and a location about to go is unknown already.
Memory proper changes when the commit is reported, so a failed one leaves no trace.
"""

from __future__ import annotations

from registry.model import Registration


class Pending:
    """A device's uncommitted changes, as far as others have to know."""

    __slots__ = ("count", "latest", "locations")

    def __init__(self) -> None:
        self.count = 0
        self.latest: Registration | None = None
        self.locations: list[str] = []


class Overlay:
    """Pending changes by device number and by location."""

    def __init__(self) -> None:
        self.devices: dict[int, Pending] = {}
        self.locations: dict[str, Registration | None] = {}
        "What stands at a location after all pending changes; None: nothing."

    def begin(self, number: int, before: Registration | None, after: Registration | None) -> None:
        """A change of *number* from *before* to *after* is on its way."""
        pending = self.devices.get(number)
        if pending is None:
            pending = self.devices[number] = Pending()
        pending.count += 1
        pending.latest = after
        if before is not None:
            self.locations[before.location] = None
            pending.locations.append(before.location)
        if after is not None:
            self.locations[after.location] = after
            pending.locations.append(after.location)

    def replace_latest(self, number: int, registration: Registration) -> None:
        """The newest pending registration has moved to another address."""
        self.devices[number].latest = registration
        self.locations[registration.location] = registration

    def finish(self, number: int) -> Pending | None:
        """One change of *number* is committed or has failed; what was pending, if it was the last."""
        pending = self.devices[number]
        pending.count -= 1
        if pending.count:
            return None
        del self.devices[number]
        for location in pending.locations:
            self.locations.pop(location, None)
        return pending
