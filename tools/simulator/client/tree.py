"""The objects of one device: read, written, created and deleted by the rules of OMA Core TS 1.2 §6.3.

Instances are replaced, never changed in place, so that devices share what they have not touched. Knows no
formats and no time; refuses with the CoAP code that a device answers.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import cast

from aiocoap.numbers.codes import Code

from gateway.lwm2m.definitions import ResourceDefinition, check_range
from gateway.lwm2m.path import MAX_ID, ROOT, Path
from gateway.lwm2m.records import Record
from gateway.lwm2m.values import ObjectLink, Type, Unfit, Value, guess_type
from tools.simulator.client.contents import HIDDEN_OBJECTS, NO_LINK, Contents, Instance, Stored

MAX_INSTANCES = 64
"Of an object; a Create beyond that is refused."

_DEFAULTS: Mapping[Type, Value] = {
    Type.STRING: "",
    Type.CORELNK: "",
    Type.INTEGER: 0,
    Type.UNSIGNED: 0,
    Type.TIME: 0,
    Type.FLOAT: 0.0,
    Type.BOOLEAN: False,
    Type.OPAQUE: b"",
    Type.OBJLNK: NO_LINK,
}


class Tree:
    """What a device holds at the moment."""

    __slots__ = ("_instances", "contents")

    def __init__(self, contents: Contents) -> None:
        self.contents = contents
        self._instances: dict[Path, Instance] = dict(contents.instances)

    def reset(self) -> None:
        """Be as new."""
        self._instances = dict(self.contents.instances)

    # -- looking ----------------------------------------------------------------------------------

    def instances(self, object_id: int) -> list[Path]:
        """Paths of the instances of an object, in order."""
        return sorted(path for path in self._instances if path.object_id == object_id)

    def get(self, path: Path) -> Stored:
        """The value of a resource or resource instance; None where there is none."""
        stored = self._instances.get(path.up_to(2), {}).get(path[2])
        if len(path) == 4:
            return stored.get(path[3]) if isinstance(stored, Mapping) else None
        return stored

    def resources(self, instance: Path) -> Instance:
        """Resources of an instance by id; none where there is no such instance."""
        return self._instances.get(instance, {})

    def exists(self, path: Path) -> bool:
        """Whether there is something at *path*."""
        if len(path) < 2:
            return not path or path.object_id in self.contents.objects
        instance = self._instances.get(path.up_to(2))
        if instance is None or len(path) == 2:
            return instance is not None
        stored = instance.get(path[2])
        if len(path) == 3:
            return path[2] in instance
        return isinstance(stored, Mapping) and path[3] in stored

    def define(self, path: Path) -> ResourceDefinition | None:
        """What the resource at or above *path* is."""
        return self.contents.model.find_resource(path)

    # -- reading ----------------------------------------------------------------------------------

    def read(self, path: Path) -> tuple[Record, ...] | Code:
        """The values at and below *path*; above resources those that a server may read."""
        if path and path.object_id in HIDDEN_OBJECTS:
            return Code.UNAUTHORIZED
        if not self.exists(path):
            return Code.NOT_FOUND
        if len(path) > 2 and not self._is_readable(path):
            return Code.METHOD_NOT_ALLOWED
        return tuple(self.readings(path))

    def readings(self, path: Path) -> Iterator[Record]:
        """The readable values at and below *path*, in order."""
        if len(path) >= 2:
            yield from self._read_instance(path)
            return
        for instance in sorted(self._instances):
            if instance.is_within(path) and instance.object_id not in HIDDEN_OBJECTS:
                yield from self._read_instance(instance)

    def _read_instance(self, path: Path) -> Iterator[Record]:
        resources = self._instances.get(path.up_to(2), {})
        ids = [path[2]] if len(path) > 2 else sorted(resources)
        for id_ in ids:
            resource = path.up_to(2).child(id_)
            stored = resources.get(id_)
            if stored is None or not self._is_readable(resource):
                continue
            if isinstance(stored, Mapping):
                chosen = sorted(stored) if len(path) < 4 else [path[3]] if path[3] in stored else []
                for number in chosen:
                    yield self._record(resource.child(number), stored[number])
                if not stored and len(path) < 4:
                    yield Record(resource, (), Type.MULTIPLE)
            elif len(path) < 4:
                yield self._record(resource, stored)

    def _record(self, path: Path, value: Value) -> Record:
        return Record(path, value, self.contents.model.find_type(path) or guess_type(value))

    def _is_readable(self, path: Path) -> bool:
        resource = self.define(path)
        return resource is None or "R" in resource.operations

    # -- writing ----------------------------------------------------------------------------------

    def put(self, path: Path, value: Stored) -> None:
        """Set a resource or resource instance, as the device itself does."""
        if len(path) == 4:
            before = self.get(path.up_to(3))
            array = before if isinstance(before, Mapping) else {}
            self.put(path.up_to(3), {**array, path[3]: cast("Value", value)})
            return
        instance = path.up_to(2)
        self._instances[instance] = MappingProxyType({**self._instances.get(instance, {}), path[2]: value})

    def write(self, path: Path, records: Sequence[Record], *, is_replace: bool) -> Code | None:
        """Write *records*, all at or below *path*, or none of them; None when it is done."""
        if path.object_id in HIDDEN_OBJECTS:
            return Code.UNAUTHORIZED
        if len(path) < 2:
            return Code.METHOD_NOT_ALLOWED
        if not self.exists(path):
            return Code.NOT_FOUND
        refusal = self._check(path, records, is_above_resources=len(path) == 2)
        if refusal is not None:
            return refusal
        known = [record for record in records if self._is_known(record.path)]
        if len(path) == 2 and is_replace:
            self._clear(path, {record.path[2] for record in known})
        self._store(known, is_replace=is_replace and len(path) < 4)
        return None

    def write_all(self, records: Sequence[Record]) -> Code | None:
        """Write-Composite: all or none; a value None takes a resource instance away."""
        for record in records:
            if record.path.object_id in HIDDEN_OBJECTS:
                return Code.UNAUTHORIZED
            if not self.exists(record.path.up_to(3)):
                return Code.NOT_FOUND
            refusal = self._check(record.path, (record,), is_above_resources=False)
            if refusal is not None:
                return refusal
        self._store([record for record in records if record.value is not None], is_replace=False)
        for record in records:
            if record.value is None:
                self._remove(record.path)
        return None

    def _check(self, path: Path, records: Sequence[Record], *, is_above_resources: bool) -> Code | None:
        for record in records:
            if not record.path.is_within(path):
                return Code.BAD_REQUEST
            if is_above_resources and not self._is_known(record.path):
                continue
            resource = self.define(record.path)
            if resource is None:
                if self.get(record.path.up_to(3)) is None:
                    return Code.METHOD_NOT_ALLOWED
                continue
            if "W" not in resource.operations:
                return Code.METHOD_NOT_ALLOWED
            if not self._fits(record, resource):
                return Code.BAD_REQUEST
        return None

    def _fits(self, record: Record, resource: ResourceDefinition) -> bool:
        if record.value is None:
            return len(record.path) == 4
        is_part = len(record.path) == 4 or record.type is Type.MULTIPLE
        if is_part is not resource.is_multiple:
            return False
        if isinstance(record.value, ObjectLink) and not self._can_link(record.value):
            return False
        try:
            check_range(record.value, resource)
        except Unfit:
            return False
        return True

    def _can_link(self, link: ObjectLink) -> bool:
        if MAX_ID in link:
            return link.instance_id == MAX_ID
        return Path(link) in self._instances

    def _is_known(self, path: Path) -> bool:
        return self.define(path) is not None or self.exists(path.up_to(3))

    def _store(self, records: Sequence[Record], *, is_replace: bool) -> None:
        arrays: dict[Path, dict[int, Value]] = {}
        for record in records:
            if len(record.path) == 3 and record.type is not Type.MULTIPLE:
                self.put(record.path, record.value)
                continue
            resource = record.path.up_to(3)
            if resource not in arrays:
                before = self.get(resource)
                keeps = not is_replace and isinstance(before, Mapping)
                arrays[resource] = dict(before) if keeps and isinstance(before, Mapping) else {}
            if len(record.path) == 4:
                arrays[resource][record.path[3]] = record.value
        for resource, array in arrays.items():
            self.put(resource, array)

    def _clear(self, instance: Path, kept: set[int]) -> None:
        """Take away what a replacement does not name: optional resources that a server may write."""
        resources = dict(self._instances[instance])
        for id_ in list(resources):
            resource = self.define(instance.child(id_))
            is_optional = resource is not None and not resource.is_mandatory and resource.operations == "RW"
            if is_optional and id_ not in kept:
                del resources[id_]
        self._instances[instance] = MappingProxyType(resources)

    def _remove(self, path: Path) -> None:
        array = self.get(path.up_to(3))
        if isinstance(array, Mapping):
            self.put(path.up_to(3), {id_: value for id_, value in array.items() if id_ != path[3]})

    # -- instances --------------------------------------------------------------------------------

    def create(self, object_id: int, records: Sequence[Record], instance_id: int | None) -> Path | Code:
        """Make an instance of *records*, which lie in it or in instance 65535; its path, or why not."""
        if object_id in HIDDEN_OBJECTS:
            return Code.UNAUTHORIZED
        if object_id not in self.contents.objects:
            return Code.NOT_FOUND
        definition = self.contents.model.find_object(object_id)
        there = self.instances(object_id)
        is_single = definition is not None and not definition.is_multiple
        if (is_single and there) or len(there) >= MAX_INSTANCES:
            return Code.METHOD_NOT_ALLOWED
        if instance_id is None:
            used = {path[1] for path in there}
            instance_id = next(number for number in range(MAX_INSTANCES + 1) if number not in used)
        path = Path((object_id, instance_id))
        if path in self._instances or (is_single and instance_id):
            return Code.BAD_REQUEST
        own = [record._replace(path=path.child(*record.path[2:])) for record in records]
        resources = self._new_instance(path, [record.path[2] for record in own])
        if resources is None:
            return Code.BAD_REQUEST
        self._instances[path] = MappingProxyType(resources)
        written = [record for record in own if self._is_writable(record.path)]
        refusal = self._check(path, written, is_above_resources=True)
        if refusal is not None:
            del self._instances[path]
            return refusal
        self._store([record for record in written if self._is_known(record.path)], is_replace=True)
        return path

    def _new_instance(self, path: Path, given: Sequence[int]) -> dict[int, Stored] | None:
        """Mandatory resources as they begin; None when one that is to be written is missing."""
        definition = self.contents.model.find_object(path.object_id)
        resources: dict[int, Stored] = {}
        for resource in definition.resources.values() if definition is not None else ():
            if resource.is_executable:
                resources[resource.id] = None
            elif resource.is_mandatory:
                if "W" in resource.operations and resource.id not in given:
                    return None
                resources[resource.id] = {} if resource.is_multiple else _DEFAULTS[resource.type]
        return resources

    def _is_writable(self, path: Path) -> bool:
        resource = self.define(path)
        return resource is None or "W" in resource.operations

    def delete(self, path: Path) -> Code | None:
        """Delete an object instance, or with LwM2M 1.2 a resource instance; None when it is done."""
        if path == ROOT or len(path) in (1, 3):
            return Code.METHOD_NOT_ALLOWED
        if path.object_id in HIDDEN_OBJECTS:
            return Code.UNAUTHORIZED
        if not self.exists(path):
            return Code.NOT_FOUND
        if len(path) == 4:
            if self.contents.version.minor < 2 or not self._is_writable(path):
                return Code.METHOD_NOT_ALLOWED
            self._remove(path)
            return None
        definition = self.contents.model.find_object(path.object_id)
        if path.object_id == 1 or (definition is not None and not definition.is_multiple):
            return Code.METHOD_NOT_ALLOWED
        del self._instances[path]
        return None
