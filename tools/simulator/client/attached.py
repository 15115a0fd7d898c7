"""Notification attributes that the server attached, and which hold where (OMA Core TS 1.2 §5.1.2)."""

from __future__ import annotations

from aiocoap.numbers.codes import Code

from gateway.lwm2m.attributes import Attributes, Number, find_contradiction, find_misplaced
from gateway.lwm2m.path import Path


class AttachedAttributes:
    """The attributes of one server; the lower level holds where two say something."""

    __slots__ = ("_by_path",)

    def __init__(self) -> None:
        self._by_path: dict[Path, dict[str, Number]] = {}

    def write(self, path: Path, attributes: Attributes) -> Code | None:
        """Change those of *path*; a code when they are misplaced or contradict each other."""
        merged = attributes.merged(self._by_path.get(path, {}))
        if find_misplaced(attributes, path) is not None or find_contradiction(merged) is not None:
            return Code.BAD_REQUEST
        if merged:
            self._by_path[path] = merged
        else:
            self._by_path.pop(path, None)
        return None

    def own(self, path: Path) -> dict[str, Number]:
        """What stands at *path* itself."""
        return self._by_path.get(path, {})

    def effective(self, path: Path) -> dict[str, Number]:
        """What holds for an observation of *path*: its own, and from above what it does not say itself."""
        if not self._by_path:
            return {}
        merged: dict[str, Number] = {}
        for levels in range(1, len(path) + 1):
            merged.update(self._by_path.get(path.up_to(levels), {}))
        return merged

    def forget(self, instance: Path) -> None:
        """The instance is gone, and with it what was attached to and below it."""
        for path in [path for path in self._by_path if path.is_within(instance)]:
            del self._by_path[path]
