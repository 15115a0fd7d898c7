"""What is known of objects: many, in several versions, and what of it holds for one device.

A model never changes; an import makes another one. What has no definition is treated generically.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from gateway.lwm2m.definitions import ObjectDefinition, ResourceDefinition, Version, parse_version
from gateway.lwm2m.errors import DecodeError
from gateway.lwm2m.path import Path
from gateway.lwm2m.values import Type
from registry.model import ObjectList

_REMEMBERED = 65_536


class Model:
    """Object definitions by id and version."""

    def __init__(self, definitions: Iterable[ObjectDefinition] = ()) -> None:
        """Of several definitions of one version the last holds."""
        self._versions: dict[int, dict[Version, ObjectDefinition]] = {}
        for definition in definitions:
            self._versions.setdefault(definition.id, {})[definition.number] = definition
        self._remember = lru_cache(maxsize=_REMEMBERED)(self._find_resource)

    def extended(self, definitions: Iterable[ObjectDefinition]) -> Model:
        """This model with *definitions*, which replace those of the same version."""
        return Model((*self.definitions(), *definitions))

    def definitions(self) -> list[ObjectDefinition]:
        """All of them, ordered by id, then version."""
        return [
            versions[number] for _, versions in sorted(self._versions.items()) for number in sorted(versions)
        ]

    def find(self, object_id: int, version: str | None = None) -> ObjectDefinition | None:
        """The definition of *version*, or the nearest of the same major version: rather a newer one.

        Without a version: the newest 1.x, or else the newest; None where nothing fits.
        """
        candidates = self._candidates(object_id, version)
        return candidates[0] if candidates else None

    def find_resource(
        self, object_id: int, version: str | None, resource_id: int
    ) -> ResourceDefinition | None:
        """A resource in the definition that `find` gives, or in another of the same major version."""
        return self._remember(object_id, version, resource_id)

    def _find_resource(
        self, object_id: int, version: str | None, resource_id: int
    ) -> ResourceDefinition | None:
        for definition in self._candidates(object_id, version):
            if (found := definition.resources.get(resource_id)) is not None:
                return found
        return None

    def _candidates(self, object_id: int, version: str | None) -> list[ObjectDefinition]:
        """Definitions of one major version, the nearest first."""
        versions = self._versions.get(object_id)
        if not versions:
            return []
        if version is None:
            major = 1 if any(number[0] == 1 for number in versions) else max(versions)[0]
            wanted = max(number for number in versions if number[0] == major)
        else:
            try:
                wanted = parse_version(version)
            except DecodeError:
                return []
        same = [number for number in versions if number[0] == wanted[0]]
        newer = sorted(number for number in same if number >= wanted)
        older = sorted((number for number in same if number < wanted), reverse=True)
        return [versions[number] for number in (*newer, *older)]


class DeviceModel:
    """A model seen by the object versions that one device registered."""

    __slots__ = ("_versions", "model")

    def __init__(self, model: Model, versions: Mapping[int, str] | None = None) -> None:
        self.model = model
        self._versions = versions or {}

    @classmethod
    def of(cls, model: Model, objects: ObjectList) -> DeviceModel:
        """The model for a device with this object list."""
        return cls(model, object_versions(objects))

    def find_object(self, object_id: int) -> ObjectDefinition | None:
        """What *object_id* is on this device."""
        return self.model.find(object_id, self._versions.get(object_id))

    def find_resource(self, path: Path) -> ResourceDefinition | None:
        """What the resource at or above *path* is; None without a definition, or above resources."""
        if len(path) < 3:
            return None
        return self.model.find_resource(path[0], self._versions.get(path[0]), path[2])

    def find_type(self, path: Path) -> Type | None:
        """The type of the resource at *path*; a `gateway.lwm2m.records.TypeFinder`."""
        resource = self.find_resource(path)
        if resource is None or (resource.type is Type.NONE and not resource.is_executable):
            return None
        return resource.type

    def is_authoritative(self, object_id: int) -> bool:
        """Whether the definition at hand is of the device's version or a newer one.

        What an older one forbids may have been allowed since.
        """
        definition = self.find_object(object_id)
        version = self._versions.get(object_id)
        return definition is not None and (version is None or definition.number >= parse_version(version))


@lru_cache(maxsize=4096)
def object_versions(objects: ObjectList) -> Mapping[int, str]:
    """The versions that a device's list names."""
    return {link.object_id: link.version for link in objects.links if link.version is not None}
