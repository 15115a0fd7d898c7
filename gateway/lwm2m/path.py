"""LwM2M paths: ``/``, ``/o``, ``/o/i``, ``/o/i/r``, ``/o/i/r/ri`` (OMA Core TS 1.2 §7.3.1).

Knows a device's alternate path as a prefix of text, taken off on the way in and put on on the way out.
"""

from __future__ import annotations

import re
from functools import lru_cache

from gateway.lwm2m.errors import DecodeError

MAX_ID = 65_535
"Names nothing: ids end at 65534. In a Create it stands for an instance that the device numbers."

MAX_LEVELS = 4

_ID = re.compile(r"0|[1-9][0-9]{0,4}", re.ASCII)


class Path(tuple[int, ...]):
    """Ids from the object downwards; compares, sorts and hashes as the tuple it is."""

    __slots__ = ()

    def __str__(self) -> str:
        return "/" + "/".join(map(str, self))

    def __repr__(self) -> str:
        return f"Path('{self}')"

    @property
    def object_id(self) -> int:
        """The first id; the root has none."""
        return self[0]

    @property
    def resource_id(self) -> int | None:
        """The third id, where there is one."""
        return self[2] if len(self) > 2 else None

    def child(self, *ids: int) -> Path:
        """The path with *ids* below this one."""
        return Path((*self, *ids))

    def up_to(self, levels: int) -> Path:
        """The first *levels* ids."""
        return Path(self[:levels])

    def is_within(self, other: Path) -> bool:
        """Whether this is *other* or below it."""
        return self[: len(other)] == other

    def segments(self, root: str = "/") -> tuple[str, ...]:
        """Uri-Path options for a device whose alternate path is *root*."""
        return (*filter(None, root.split("/")), *map(str, self))

    def name(self, root: str = "/") -> str:
        """The path as a SenML name for a device whose alternate path is *root*."""
        return str(self) if root == "/" else root + str(self) if self else root


ROOT = Path()


@lru_cache(maxsize=65_536)
def parse_path(text: str) -> Path:
    """Read a path that begins with ``/``; ids 0 to 65534 without leading zeros, at most four.

    Raises:
        DecodeError: anything else.
    """
    path = _read_ids(text)
    if MAX_ID in path:
        raise DecodeError(f"{text} is no path: ids end at {MAX_ID - 1}")
    return path


@lru_cache(maxsize=65_536)
def parse_name(name: str, root: str = "/", is_create: bool = False) -> Path:
    """Read a path as devices write it: *root* in front or left out, a slash at the end or none in front.

    With *is_create* the instance may be 65535: the device chooses it.

    Raises:
        DecodeError: no LwM2M path.
    """
    text = name if name.startswith("/") else "/" + name
    if root != "/" and (text == root or text.startswith(root + "/")):
        text = text[len(root) :] or "/"
    path = _read_ids(text[:-1] if len(text) > 1 and text[-1] == "/" else text)
    if MAX_ID in path and not (is_create and path.count(MAX_ID) == 1 and path[1:2] == (MAX_ID,)):
        raise DecodeError(f"{name} is no path: ids end at {MAX_ID - 1}")
    return path


def _read_ids(text: str) -> Path:
    if text == "/":
        return ROOT
    first, *segments = text.split("/", MAX_LEVELS + 1)
    if first or not 1 <= len(segments) <= MAX_LEVELS or not all(map(_ID.fullmatch, segments)):
        raise DecodeError(f"{text[:64]} is no path: /object/instance/resource/resource-instance, in numbers")
    path = Path(map(int, segments))
    if max(path) > MAX_ID:
        raise DecodeError(f"{text} is no path: ids end at {MAX_ID - 1}")
    return path
