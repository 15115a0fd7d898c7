"""Profile IDs: an object list by reference (OMA Core TS 1.2 §6.2.1, RFC 6920 suites).

What a fingerprint is taken over is nowhere defined, so an id is an opaque key, learnt from a device that
sent it together with the list, and believed of that device alone.
"""

from __future__ import annotations

import re

from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.objectlinks import merge_object_lists
from registry.model import ObjectList

_PROFILE_ID = re.compile(r"[1-6]:[0-9A-Fa-f]+|(?:oma|v):[0-9A-Za-z-]+", re.ASCII)

MAX_PROFILES = 100_000


def decode_profile_ids(text: str) -> tuple[str, ...]:
    """Split ``pid``: one id, or several between quotes and separated by commas.

    Raises:
        DecodeError: an id of no known form.
    """
    if len(text) > 2 and text[0] == text[-1] == '"':
        text = text[1:-1]
    ids = tuple(text.split(","))
    if not all(map(_PROFILE_ID.fullmatch, ids)):
        raise DecodeError("pid is no profile ID")
    return ids


class KnownProfiles:
    """Which list each device meant by its profile IDs; the longest unused are forgotten first."""

    def __init__(self, capacity: int = MAX_PROFILES) -> None:
        self._capacity = capacity
        self._lists: dict[tuple[str, str], ObjectList] = {}

    def __len__(self) -> int:
        return len(self._lists)

    def learn(self, device_id: str, profile_id: str, objects: ObjectList) -> None:
        """*device_id* sent *objects* together with *profile_id*; what is known already stays."""
        key = (device_id, profile_id)
        self._lists.setdefault(key, objects)
        if len(self._lists) > self._capacity:
            del self._lists[next(iter(self._lists))]

    def find(self, device_id: str, profile_id: str) -> ObjectList | None:
        """The list that *profile_id* stands for: learnt as it was sent, or the union of all its ids."""
        whole = self._use(device_id, profile_id)
        if whole is not None:
            return whole
        united: ObjectList | None = None
        for single in decode_profile_ids(profile_id):
            objects = self._use(device_id, single)
            if objects is None:
                return None
            united = objects if united is None else merge_object_lists(united, objects)
        return united

    def _use(self, device_id: str, profile_id: str) -> ObjectList | None:
        key = (device_id, profile_id)
        objects = self._lists.pop(key, None)
        if objects is not None:
            self._lists[key] = objects
        return objects
