"""The object list of a Register or Update (OMA Core TS 1.2 §6.2.1): link format, read as LwM2M uses it.

Links that are no LwM2M path below the root, and parameters that say nothing here, are passed over. Writes
nothing.
"""

from __future__ import annotations

import re
from functools import lru_cache

from gateway.lwm2m.errors import DecodeError, TooLarge
from gateway.lwm2m.linkformat import RawLink, decode_text, read_parameters, split_links
from registry.model import ObjectLink, ObjectList

MAX_PAYLOAD_BYTES = 16_384
MAX_LINKS = 1024

MAX_ID = 65_535
"Names nothing: ids end at 65534."

UNLISTED_OBJECTS = frozenset({0, 21, 23})
"Security, OSCORE and COSE: no server may touch them, so they are no part of a list."

_SHARED_BYTES = 1024
_SHARED_LISTS = 4096
_SHARED_LONG_LISTS = 64

_OBJECT_VERSION = re.compile(r"([0-9]{1,5})(\.[0-9]{1,5})?", re.ASCII)
_NUMBER = re.compile(r"[0-9]+", re.ASCII)

_ROOT_TYPE = "oma.lwm2m"


def decode_object_links(payload: bytes) -> ObjectList:
    """Read the object list in *payload*; equal payloads give the same object while it is remembered.

    Resource links count for their instance, repetitions are merged, objects that no server may touch
    are left out. A version given anywhere for an object holds for all its links; that of the object
    link goes first. ``ver=1`` is read as 1.0.

    Raises:
        TooLarge: more than 16 KiB or 1024 links.
        DecodeError: no link format, an id beyond 65534, a version that is none, an ill-formed root.
    """
    length = len(payload)
    if length <= _SHARED_BYTES:
        return _decode_short(payload)
    if length > MAX_PAYLOAD_BYTES:
        raise TooLarge(f"an object list of {length} bytes, {MAX_PAYLOAD_BYTES} are allowed")
    return _decode_long(payload)


def merge_object_lists(first: ObjectList, second: ObjectList) -> ObjectList:
    """The union of both; where they differ about a version or the root, *second* holds."""
    versions = {link.object_id: link.version for link in first.links if link.version is not None}
    versions.update((link.object_id, link.version) for link in second.links if link.version is not None)
    instances: dict[int, set[int]] = {}
    for link in (*first.links, *second.links):
        known = instances.setdefault(link.object_id, set())
        if link.instance_id is not None:
            known.add(link.instance_id)
    return ObjectList(
        _order_links(instances, versions),
        second.alternate_path if second.alternate_path != "/" else first.alternate_path,
        tuple(dict.fromkeys((*first.content_formats, *second.content_formats))),
    )


def _decode(payload: bytes) -> ObjectList:
    links = split_links(decode_text(payload), MAX_LINKS)
    root, content_formats = _find_root(links)
    instances: dict[int, set[int]] = {}
    versions: dict[int, str] = {}
    instance_versions: dict[int, str] = {}
    prefix = "" if root == "/" else root
    for path, parameters, offset in links:
        if prefix:
            if not path.startswith(prefix + "/"):
                continue
            path = path[len(prefix) :]
        try:
            ids = _parse_path(path)
        except DecodeError as error:
            raise DecodeError(error.what, offset) from None
        if ids is None or ids[0] in UNLISTED_OBJECTS:
            continue
        object_id, instance_id = ids
        known = instances.setdefault(object_id, set())
        if instance_id is not None:
            known.add(instance_id)
        if parameters and (version := _find_version(parameters, offset)) is not None:
            (versions if instance_id is None else instance_versions).setdefault(object_id, version)
    return ObjectList(_order_links(instances, instance_versions | versions), root, content_formats)


_decode_short = lru_cache(maxsize=_SHARED_LISTS)(_decode)
_decode_long = lru_cache(maxsize=_SHARED_LONG_LISTS)(_decode)


def _find_root(links: list[RawLink]) -> tuple[str, tuple[int, ...]]:
    """The device's root and the content formats named there."""
    root: str | None = None
    formats: dict[int, None] = {}
    for path, parameters, offset in links:
        if not parameters:
            continue
        is_root = path == "/"
        values = read_parameters(parameters) if is_root or _ROOT_TYPE in parameters else ()
        if any(name == "rt" and value and _ROOT_TYPE in value.split() for name, value in values):
            is_root = True
            if root in (None, "/"):
                root = _check_root(path, offset)
        if is_root:
            formats.update(
                (int(number), None)
                for name, value in values
                if name == "ct" and value
                for number in value.split()
                if _NUMBER.fullmatch(number) and len(number) <= 5 and int(number) <= MAX_ID
            )
    return root or "/", tuple(formats)


def _check_root(path: str, offset: int) -> str:
    if path == "/":
        return path
    segments = path.split("/")
    if segments[0] or len(segments) < 2 or not all(segments[1:]):
        raise DecodeError("an alternate path that is no absolute path", offset)
    if any(_NUMBER.fullmatch(segment) for segment in segments[1:]):
        raise DecodeError("an alternate path with a number in it", offset)
    return path


@lru_cache(maxsize=16_384)
def _parse_path(path: str) -> tuple[int, int | None] | None:
    """Object and instance of a path below the root, or None for a link that is none of LwM2M's."""
    segments = path.split("/")
    if segments[0] or not 2 <= len(segments) <= 5 or not all(map(_NUMBER.fullmatch, segments[1:])):
        return None
    if any(len(segment) > 5 or (segment[0] == "0" and segment != "0") for segment in segments[1:]):
        raise DecodeError("a path that is no LwM2M path")
    numbers = [int(segment) for segment in segments[1:]]
    if max(numbers) >= MAX_ID:
        raise DecodeError(f"an id beyond {MAX_ID - 1}")
    return numbers[0], numbers[1] if len(numbers) > 1 else None


def _find_version(parameters: str, offset: int) -> str | None:
    if "ver" not in parameters:
        return None
    for name, value in read_parameters(parameters):
        if name == "ver":
            match = _OBJECT_VERSION.fullmatch(value or "")
            if match is None:
                raise DecodeError("ver is not MAJOR.MINOR", offset)
            return match[0] if match[2] else match[0] + ".0"
    return None


def _order_links(instances: dict[int, set[int]], versions: dict[int, str]) -> tuple[ObjectLink, ...]:
    links: list[ObjectLink] = []
    for object_id in sorted(instances):
        version = versions.get(object_id)
        known = instances[object_id]
        if known:
            links.extend(_share_link(object_id, instance_id, version) for instance_id in sorted(known))
        else:
            links.append(_share_link(object_id, None, version))
    return tuple(links)


# Fleets list the same few hundred instances: one object for each.
_share_link = lru_cache(maxsize=16_384)(ObjectLink)
